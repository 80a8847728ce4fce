"""A local mock of the vendors: no keys, no network, and faults on demand.

It is written from the vendors' documentation, not from this package's adapters, so that it can
prove them wrong. Start with `Sandbox` in `server`, which needs the extra `sandbox`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel.sandbox.faults import Fault
from jobcancel.sandbox.jobs import CancelPolicy, SandboxJob
from jobcancel.sandbox.journal import Received
from jobcancel.sandbox.page import startup_text
from jobcancel.sandbox.quota import Quota
from jobcancel.sandbox.situations import SITUATIONS, Situation

if TYPE_CHECKING:
    from jobcancel.sandbox.server import Sandbox

__all__ = [
    "SITUATIONS",
    "CancelPolicy",
    "Fault",
    "Quota",
    "Received",
    "Sandbox",
    "SandboxJob",
    "Situation",
    "startup_text",
]


def __getattr__(name: str) -> type[Sandbox]:
    """Import the server on first use."""
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from jobcancel.sandbox.server import Sandbox
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the sandbox needs {error.name}: install jobcancel[sandbox]", name=error.name
        ) from error
    return Sandbox
