"""Jobs whose cancel an earlier run saw accepted: their status is read instead of cancelling again.

What has ended as cancelled meanwhile was cancelled by us; a repeated cancel would be answered
that the job is over, and its result would not say by whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcancel import Canceller, CancelResult, JobState, Outcome
from jobcancel.flow.call import Pause, Stopped
from jobcancel.prepare import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel import Job, JobReading
    from jobcancel.flow.call import Flow

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 2.0
"""Seconds between the status reads of `--verify`."""
_EARLIER = "an earlier run's cancel was accepted"


class Resuming(Canceller):
    """A client that reads the status of some jobs before it cancels them.

    Attributes:
        is_stopping: tells the jobs whose cancel was accepted before.
    """

    is_stopping: Callable[[Job], bool] = staticmethod(lambda _: False)

    def prepare(self, provider: str, job_id: str, **options: Any) -> Call:  # noqa: ANN401 - as they are
        """Check the arguments of one call and say what it is."""
        call = super().prepare(provider, job_id, **options)
        if not self.is_stopping(call.job):
            return call
        return Confirming(call.adapter, call.job, call.policy, call.endpoint, call.clock)


class Confirming(Call):
    """A call that cancels only if the job's status cannot be read."""

    def cancel(self) -> Flow[CancelResult]:
        """Return the flow that confirms that the job is cancelled, or cancels it."""
        began = self.clock.monotonic()
        try:
            reading = yield from self._read(began)
        except Stopped as stopped:
            return self._result(Outcome.CANCELLING, message=f"{_EARLIER}; {stopped}")
        if reading.state is None or reading.state is JobState.UNKNOWN:
            return (yield from super().cancel())
        if reading.state.active:
            outcome = Outcome.CANCELLING
        else:
            is_cancelled = reading.state is JobState.CANCELLED
            outcome = Outcome.CANCELLED if is_cancelled else Outcome.ALREADY_TERMINAL
        return self._result(
            outcome,
            state=reading.state,
            raw_state=reading.raw_state,
            verified=reading.state.final,
            message=f"{_EARLIER}; the job was read as {reading.raw_state!r}",
            status_code=reading.status_code,
            request_id=reading.request_id,
            progress=reading.progress,
            body=reading.body,
            elapsed=self.clock.monotonic() - began,
        )

    def _read(self, began: float) -> Flow[JobReading]:
        """Read the status; with `verify`, until the job has ended or time is up."""
        wait = _FIRST_WAIT
        while True:
            reading = yield from self.status()
            is_active = reading.state is not None and reading.state.active
            elapsed = self.clock.monotonic() - began
            if not (self.policy.verify and is_active and elapsed + wait < self.policy.deadline):
                return reading
            yield Pause(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _result(self, outcome: Outcome, **known: Any) -> CancelResult:  # noqa: ANN401 - its fields
        return CancelResult(
            provider=self.job.provider,
            job_id=self.job.job_id,
            params=self.job.params,
            outcome=outcome,
            at=self.clock.now(),
            **known,
        )
