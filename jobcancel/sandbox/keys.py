"""The API keys that the sandbox knows, whose they are and what each may do.

They are no secrets: they open nothing but the sandbox.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

from jobcancel.sandbox.vendors.catalog import VENDORS

if TYPE_CHECKING:
    from jobcancel.sandbox.vendors.declaration import Vendor

OWN, OTHER = "own", "other"
"""The two tenants: ours, and the one whose jobs we must not see."""


class Standing(Enum):
    """What a vendor thinks of a key."""

    GOOD = "good"
    EXPIRED = "expired"
    LIMITED = "limited"
    """The key is valid, but lacks the permission to cancel."""


@frozen
class Key:
    """One API key: its tenant and its standing."""

    tenant: str = OWN
    standing: Standing = Standing.GOOD


MAIN_KEYS = {
    "pulse": "sandbox-pulse-key",
    "talonic": "tlnc_sandbox_key",
    **{name: vendor.key for name, vendor in VENDORS.items()},
}
"""Vendor -> the key to use when nothing special is wanted."""

TALONIC_SPENT_KEY = "tlnc_spent_key"
SPENT_KEYS = {TALONIC_SPENT_KEY, *(vendor.spent_key for vendor in VENDORS.values())}
"""Keys whose requests of the day are all used."""


def _keys_of(vendor: Vendor) -> dict[str, Key]:
    keys = {vendor.key: Key(), vendor.other_key: Key(tenant=OTHER), vendor.spent_key: Key()}
    limited = {vendor.limited_key: Key(standing=Standing.LIMITED)}
    return keys if vendor.denied is None else {**keys, **limited}


KEYS: dict[str, dict[str, Key]] = {
    "pulse": {
        MAIN_KEYS["pulse"]: Key(),
        "sandbox-pulse-other-key": Key(tenant=OTHER),
        "sandbox-pulse-expired-key": Key(standing=Standing.EXPIRED),
        "sandbox-pulse-limited-key": Key(standing=Standing.LIMITED),
    },
    "talonic": {
        MAIN_KEYS["talonic"]: Key(),
        "tlnc_other_key": Key(tenant=OTHER),
        "tlnc_limited_key": Key(standing=Standing.LIMITED),
        TALONIC_SPENT_KEY: Key(),
    },
    **{name: _keys_of(vendor) for name, vendor in VENDORS.items()},
}
"""Vendor -> key -> what the vendor knows of it."""
