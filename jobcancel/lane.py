"""What `bulk` knows of each provider and key: the jobs that wait, the pace, whether it is down."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from jobcancel.models import CancelResult, Outcome
from jobcancel.pace import Pace
from jobcancel.prepare import Call

if TYPE_CHECKING:
    from datetime import datetime

Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]

# Failures in a row after which a vendor is in doubt, and seconds until it is tried again.
_FAILURES = 5
_FIRST_PROBE, _LONGEST_PROBE = 1.0, 30.0


@define(eq=False)
class Entry:
    """One job in the works.

    Args:
        key: what makes it the same job as another.
        call: the call that cancels it.
        times: how many times it was given.
        began: when it was begun, on the clock; its deadline counts from then.
    """

    key: Key
    call: Call
    times: int = 1
    began: float = 0.0

    def unsent(
        self, outcome: Outcome, message: str, wait: float | None = None, *, at: datetime
    ) -> CancelResult:
        """Return the result of a job for which nothing is sent."""
        job = self.call.job
        return CancelResult(
            provider=job.provider,
            job_id=job.job_id,
            outcome=outcome,
            message=message,
            retry_after=wait,
            params=job.params,
            at=at,
        )


@define(eq=False)
class Lane:
    """The jobs of one provider and key.

    Attributes:
        waiting: those that are not begun.
        in_flight: how many requests are.
        turns: how many jobs that are begun wait until the pace lets them go on.
        failures: how many requests in a row failed.
        probe_at: when the vendor, which is in doubt, is tried again; None while it is not.
        probe: the job that tries it.
        went_down: set while the vendor counts as down.
    """

    pace: Pace
    waiting: deque[Entry] = field(factory=deque)
    in_flight: int = 0
    turns: int = 0
    failures: int = 0
    probe_at: float | None = None
    cooling: float = _FIRST_PROBE
    probe: Entry | None = None
    went_down: asyncio.Event = field(factory=asyncio.Event)

    def worked(self) -> None:
        """The vendor answered, so it is up."""
        self.failures = 0
        self.probe_at, self.cooling, self.probe = None, _FIRST_PROBE, None
        self.went_down.clear()

    def failed(self, now: float, entry: Entry) -> None:
        """The vendor could not be reached, or could not even read a job.

        Many failures may be one, of requests that were under way together; so the vendor is down
        only when it fails again a moment later.
        """
        self.failures += 1
        if self.in_doubt:
            if entry is not self.probe:
                return
            self.went_down.set()
        elif self.failures < _FAILURES:
            return
        self.probe_at, self.probe = now + self.cooling, None
        self.cooling = min(2 * self.cooling, _LONGEST_PROBE)

    def delay(self, now: float, max_wait: float) -> float | None:
        """Return in how many seconds something can be done; None: when a reply has come."""
        if self.is_down or self.is_closed(now, max_wait):
            return 0.0
        if self.probe_at is not None:
            return None if self.probe is not None else max(0.0, self.probe_at - now)
        return None if self.turns else self.pace.delay(now, self.in_flight)

    def is_closed(self, now: float, max_wait: float) -> bool:
        """Whether the vendor asks to wait longer than anyone here is willing to."""
        return self.pace.paused_until - now > max_wait

    @property
    def in_doubt(self) -> bool:
        """Whether requests failed in a row, and nothing new is sent but a probe now and then."""
        return self.probe_at is not None

    @property
    def is_down(self) -> bool:
        """Whether such a probe has failed, too."""
        return self.went_down.is_set()

    def may_probe(self, now: float) -> bool:
        """Whether it is time to see if the vendor is back."""
        return self.probe_at is not None and self.probe is None and now >= self.probe_at
