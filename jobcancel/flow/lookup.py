"""Gets one job's status. Like `cancellation`, it makes decisions and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel.adapter.protocol import Reading
from jobcancel.flow.call import Progress
from jobcancel.models import JobReading, Outcome

if TYPE_CHECKING:
    from jobcancel.flow.call import Call
    from jobcancel.flow.events import Flow


def status(call: Call) -> Flow[JobReading]:
    """Get the state of one job.

    Args:
        call: the validated call.

    Returns:
        the job's state, or the problem. Vendor errors do not raise.
    """
    progress = Progress(call, "status")
    if (refusal := call.adapter.refuse(call.job)) is not None:
        return job_reading(progress, Reading(outcome=Outcome.INVALID, message=refusal))
    while True:
        reading = yield from progress.read_status()
        may_retry = reading.repeat and reading.outcome in {None, Outcome.RATE_LIMITED}
        if reading.state is not None or not may_retry or not (yield from progress.wait()):
            return job_reading(progress, reading)


def job_reading(progress: Progress, last: Reading) -> JobReading:
    """Return the result of a status call, or of one read of a wait.

    Args:
        progress: the progress of the call.
        last: the meaning of the last reply.
    """
    job = progress.call.job
    return JobReading(
        provider=job.provider,
        job_id=job.job_id,
        state=last.state,
        raw_state=last.raw_state,
        problem=(last.outcome or Outcome.UNKNOWN) if last.state is None else None,
        message=last.message,
        code=last.code,
        status_code=last.status_code,
        retry_after=last.retry_after,
        attempts=progress.reads,
        elapsed=progress.elapsed,
        request_id=last.request_id,
        progress=last.progress,
        body=last.body,
        params=job.params,
    )
