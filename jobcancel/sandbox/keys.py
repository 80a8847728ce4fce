"""The API keys that the sandbox knows, and what each may do.

They are not secrets: they open nothing but the sandbox.
"""

from __future__ import annotations

from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.vendors.declaration import KeyStatus

OWN, OTHER = "own", "other"
"""The two tenants: the one of the default keys, and another one."""

KEYS: dict[str, dict[str, KeyStatus]] = {name: vendor.keys for name, vendor in VENDORS.items()}
"""Vendor -> key -> its status."""

MAIN_KEYS = {name: vendor.key() for name, vendor in VENDORS.items()}
"""Vendor -> its default key."""


def tenant_of(status: KeyStatus) -> str:
    """Return whose jobs a key may see."""
    return OTHER if status is KeyStatus.OTHER else OWN
