"""Waits until one job has ended: decides when its status is read, and when the wait is over.

A wait alternates between two flows, a status read and a pause, so that its caller can report each
reading, and can get the API key anew before each read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from jobcancel.adapter.protocol import Reading
from jobcancel.flow.call import BACK_OFF, POLL, REQUESTED, Call, Progress
from jobcancel.flow.lookup import job_reading
from jobcancel.models import Outcome

if TYPE_CHECKING:
    from jobcancel.flow.events import Flow
    from jobcancel.models import JobReading

# Seconds between two status reads.
_SHORTEST = 0.1
_USUAL_INTERVAL = 1.0
LONGEST_INTERVAL = 15.0
_GROWTH = 1.5
# Each pause is longer by at most this part of it, so that waits that began together spread out.
_JITTER = 0.1

# A problem of a read that another read does not solve.
_PERMANENT = frozenset(
    {Outcome.NOT_FOUND, Outcome.FORBIDDEN, Outcome.UNAUTHORIZED, Outcome.INVALID}
)


@define(eq=False)
class Waiting:
    """The state of one wait.

    Args:
        call: the validated call. Its deadline is the timeout of the whole wait.
        poll: seconds between two reads; None for an interval that grows from the vendor's
            `poll_interval` to 15 s.

    Attributes:
        progress: elapsed time and reads.
        has_ended: whether the last reading ends the wait: the job has ended, or its status cannot
            be read.
    """

    call: Call
    poll: float | None = None
    progress: Progress = field(init=False)
    has_ended: bool = field(init=False, default=False)
    _interval: float = field(init=False)
    _not_found_grace: float = field(init=False)
    _failures: int = field(init=False, default=0)
    _missing_since: float | None = field(init=False, default=None)

    @progress.default
    def _new_progress(self) -> Progress:
        return Progress(self.call, "status")

    @_interval.default
    def _first_interval(self) -> float:
        return max(self.poll or self._recommended, _SHORTEST)

    @_not_found_grace.default
    def _grace(self) -> float:
        return float(getattr(self.call.adapter, "not_found_grace", 0.0))

    @property
    def _recommended(self) -> float:
        """The vendor's interval; optional in an adapter that is not an `HttpAdapter`."""
        return float(getattr(self.call.adapter, "poll_interval", _USUAL_INTERVAL))

    def refusal(self) -> JobReading | None:
        """Return a reading if the job's id or params are invalid, so that nothing may be sent."""
        refusal = self.call.adapter.refuse(self.call.job)
        if refusal is None:
            return None
        return job_reading(self.progress, Reading(outcome=Outcome.INVALID, message=refusal))

    def read(self, call: Call) -> Flow[JobReading]:
        """Read the status once.

        Args:
            call: the call with its key.
        """
        self.progress.call = call
        self.progress.status_wait = None
        last = yield from self.progress.read_status()
        self._record(last)
        return job_reading(self.progress, last)

    def pause(self) -> Flow[bool]:
        """Pause before the next read.

        Returns:
            whether there is time left for it.
        """
        chance = self.call.clock.random()
        requested = max(self.progress.status_wait or 0.0, self.progress.poll_wait or 0.0)
        back_off = self.call.policy.backoff(self._failures, chance) if self._failures else 0.0
        wait, reason = max((requested, REQUESTED), (back_off, BACK_OFF), (self._interval, POLL))
        if self.poll is None:
            longest = max(LONGEST_INTERVAL, self._recommended)
            self._interval = min(self._interval * _GROWTH, longest)
        # Shorten the last pause, so that the last read is made when the time is up. Do not read
        # before the wait that the vendor requests is over.
        wait = min(wait * (1 + _JITTER * chance), self.progress.left)
        if wait > 0:
            yield from self.progress.pause(wait, reason)
        return wait >= max(requested, _SHORTEST)

    def _record(self, last: Reading) -> None:
        if last.state is not None:
            self._failures, self._missing_since = 0, None
            self.has_ended = last.final
            return
        self._failures += 1
        self.has_ended = last.outcome in _PERMANENT
        if last.outcome is Outcome.NOT_FOUND:
            if self._missing_since is None:
                self._missing_since = self.progress.spent
            missing = self.progress.spent - self._missing_since
            self.has_ended = missing >= self._not_found_grace
