"""The table that a cancel follows: which step comes after what a step met.

It is data, in the manner of a protocol's state machine; `flow` takes the steps.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Step(StrEnum):
    """What the flow of a cancel is doing."""

    GUARD = "guard"
    """Read the status before a request that would destroy a finished job's output."""
    SEND = "send"
    """Send the cancel request."""
    READ = "read"
    """Read the status, to settle what the reply to the cancel did not."""
    WAIT = "wait"
    """Wait before the next try, as long as the vendor asks or by back-off."""
    WATCH = "watch"
    """Read the status after an acceptance: until the job has ended, if that is to be verified."""
    DONE = "done"
    """The result is known."""


class Met(StrEnum):
    """What a step met."""

    ANSWER = "answer"
    """An answer that stands."""
    ACCEPTANCE = "acceptance"
    """An acceptance that is to be verified, or looked at once."""
    DOUBT = "doubt"
    """No reply, or one that does not settle what became of the request."""
    REFUSAL = "refusal"
    """Not now: rate-limited, or not even connected."""
    ACTIVE = "active"
    """The job has not ended."""
    UNREADABLE = "unreadable"
    """The status could not be read, or is a word that we do not know."""
    RESTED = "rested"
    """The wait is over; the cancel may be sent again."""
    READ_ON = "read on"
    """The wait is over; the cancel may not be sent again, but the status may be read."""
    SPENT = "spent"
    """No attempts, no time or no other way to find out is left."""


STEPS: Mapping[tuple[Step, Met], Step] = {
    (Step.GUARD, Met.ANSWER): Step.DONE,
    (Step.GUARD, Met.ACTIVE): Step.SEND,
    (Step.GUARD, Met.UNREADABLE): Step.WAIT,
    (Step.GUARD, Met.SPENT): Step.DONE,
    (Step.SEND, Met.ANSWER): Step.DONE,
    (Step.SEND, Met.ACCEPTANCE): Step.WATCH,
    (Step.SEND, Met.DOUBT): Step.READ,
    (Step.SEND, Met.REFUSAL): Step.WAIT,
    (Step.READ, Met.ANSWER): Step.DONE,
    (Step.READ, Met.ACCEPTANCE): Step.WATCH,
    (Step.READ, Met.ACTIVE): Step.WAIT,
    (Step.READ, Met.UNREADABLE): Step.WAIT,
    (Step.READ, Met.SPENT): Step.DONE,
    (Step.WAIT, Met.RESTED): Step.SEND,
    (Step.WAIT, Met.READ_ON): Step.READ,
    (Step.WAIT, Met.SPENT): Step.DONE,
    (Step.WATCH, Met.ANSWER): Step.DONE,
    (Step.WATCH, Met.SPENT): Step.DONE,
}
