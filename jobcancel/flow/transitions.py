"""The state machine of a cancel: phases, the events that end them, and the transitions.

A cancel that began with PRECHECK returns to it instead of SEND after a RETRY.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Phase(StrEnum):
    """A phase of a cancel."""

    PRECHECK = "precheck"
    """Read the status before a request that would delete a finished job's output."""
    SEND = "send"
    """Send the cancel request."""
    CHECK = "check"
    """Read the status, because the reply to the cancel was inconclusive."""
    BACK_OFF = "back off"
    """Wait before the next attempt: as long as the vendor asks, else by back-off."""
    CONFIRM = "confirm"
    """Read the status after an acceptance: once, or until the job has ended (`verify`)."""
    DONE = "done"
    """The result is known."""


class Event(StrEnum):
    """The event that ended a phase."""

    SETTLED = "settled"
    """The outcome is known."""
    ACCEPTED = "accepted"
    """The vendor accepted the cancel; the status is still to be read."""
    AMBIGUOUS = "ambiguous"
    """No reply, or an inconclusive one."""
    TRY_LATER = "try later"
    """Not now: rate-limited, or no connection."""
    ACTIVE = "active"
    """The job has not ended."""
    UNREADABLE = "unreadable"
    """The status could not be read, or is a word that we do not know."""
    RETRY = "retry"
    """The wait is over; the cancel may be sent again."""
    RECHECK = "recheck"
    """The wait is over; the cancel may not be sent again, but the status may be read."""
    EXHAUSTED = "exhausted"
    """No time, no attempt, or no other way to determine the outcome is left."""


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.PRECHECK, Event.SETTLED): Phase.DONE,
    (Phase.PRECHECK, Event.ACTIVE): Phase.SEND,
    (Phase.PRECHECK, Event.UNREADABLE): Phase.BACK_OFF,
    (Phase.PRECHECK, Event.EXHAUSTED): Phase.DONE,
    (Phase.SEND, Event.SETTLED): Phase.DONE,
    (Phase.SEND, Event.ACCEPTED): Phase.CONFIRM,
    (Phase.SEND, Event.AMBIGUOUS): Phase.CHECK,
    (Phase.SEND, Event.TRY_LATER): Phase.BACK_OFF,
    (Phase.CHECK, Event.SETTLED): Phase.DONE,
    (Phase.CHECK, Event.ACCEPTED): Phase.CONFIRM,
    (Phase.CHECK, Event.ACTIVE): Phase.BACK_OFF,
    (Phase.CHECK, Event.UNREADABLE): Phase.BACK_OFF,
    (Phase.CHECK, Event.EXHAUSTED): Phase.DONE,
    (Phase.BACK_OFF, Event.RETRY): Phase.SEND,
    (Phase.BACK_OFF, Event.RECHECK): Phase.CHECK,
    (Phase.BACK_OFF, Event.EXHAUSTED): Phase.DONE,
    (Phase.CONFIRM, Event.SETTLED): Phase.DONE,
    (Phase.CONFIRM, Event.EXHAUSTED): Phase.DONE,
}
