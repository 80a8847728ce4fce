"""What each vendor calls the states of a job, as far as it has a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState
from jobcancel.sandbox.vendors.catalog import VENDORS

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: dict[str, Mapping[JobState, str]] = {
    "pulse": {
        JobState.PENDING: "pending",
        JobState.RUNNING: "processing",
        JobState.SUCCEEDED: "completed",
        JobState.FAILED: "failed",
        JobState.CANCELLED: "canceled",
        JobState.EXPIRED: "expired",
    },
    "talonic": {
        JobState.PENDING: "pending",
        JobState.RUNNING: "processing",
        JobState.SUCCEEDED: "complete",
        JobState.FAILED: "failed",
        JobState.CANCELLED: "failed",
    },
    **{name: vendor.words for name, vendor in VENDORS.items()},
}
"""Vendor -> state -> word."""


def check_ending(vendor: str, name: str, state: JobState | None) -> None:
    """Let only a state pass that the vendor can show, or None.

    Raises:
        ConfigurationError: the vendor has no word for it.
    """
    words = WORDS[vendor]
    if state is not None and state not in words:
        known = ", ".join(each for each in words if each.final)
        raise ConfigurationError(
            f"{name}={state.value!r}: {vendor!r} has no word for it: expected one of {known}"
        )
