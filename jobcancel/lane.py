"""What `bulk` knows of each provider and key: the jobs that wait, the pace, whether it is down."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeAlias

from attrs import define, field

from jobcancel.models import CancelResult, Outcome
from jobcancel.pace import Pace
from jobcancel.prepare import Call

Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]

# Failures in a row after which a vendor counts as down, and seconds until it is tried again.
_FAILURES = 5
_FIRST_PROBE, _LONGEST_PROBE = 1.0, 30.0


@define(eq=False)
class Entry:
    """One job in the works.

    Args:
        key: what makes it the same job as another.
        call: the call that cancels it.
        times: how many times it was given.
        probes: whether it is the one that finds out if its vendor is back.
    """

    key: Key
    call: Call
    times: int = 1
    probes: bool = False

    def unsent(self, outcome: Outcome, message: str) -> CancelResult:
        """Return the result of a job for which nothing (more) was sent."""
        job = self.call.job
        return CancelResult(
            provider=job.provider, job_id=job.job_id, outcome=outcome, message=message
        )


@define(eq=False)
class Lane:
    """The jobs of one provider and key."""

    pace: Pace
    waiting: deque[Entry] = field(factory=deque)
    in_flight: int = 0
    failures: int = 0
    probe_at: float | None = None
    """When the vendor, which is down, is tried again; None while it is up."""
    cooling: float = _FIRST_PROBE
    probing: bool = False
    went_down: asyncio.Event = field(factory=asyncio.Event)

    def worked(self) -> None:
        """The vendor answered, so it is up."""
        self.failures = 0
        self.probe_at, self.cooling, self.probing = None, _FIRST_PROBE, False
        self.went_down.clear()

    def failed(self, now: float) -> None:
        """The vendor could not be reached, or could not even read a job."""
        self.failures += 1
        if self.failures >= _FAILURES and (self.probe_at is None or self.probing):
            self.probe_at = now + self.cooling
            self.cooling = min(2 * self.cooling, _LONGEST_PROBE)
            self.probing = False
            self.went_down.set()

    def delay(self, now: float, max_wait: float) -> float | None:
        """Return in how many seconds something can be done; None: when a reply has come."""
        if self.is_down or self.is_closed(now, max_wait):
            return 0.0
        return self.pace.delay(now, self.in_flight)

    def is_closed(self, now: float, max_wait: float) -> bool:
        """Whether the vendor asks to wait longer than anyone here is willing to."""
        return self.pace.paused_until - now > max_wait

    @property
    def is_down(self) -> bool:
        """Whether the vendor is down, and nothing is sent but a probe now and then."""
        return self.probe_at is not None

    def may_probe(self, now: float) -> bool:
        """Whether it is time to see if the vendor is back."""
        return self.probe_at is not None and not self.probing and now >= self.probe_at
