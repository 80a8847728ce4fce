"""The other flow: how one job's status is read. Like `flow`, it decides and does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from jobcancel.adapter.protocol import Reading
from jobcancel.flow.call import Call, Flow
from jobcancel.models import JobReading, Outcome
from jobcancel.retry import SYSTEM_CLOCK, Clock, Policy

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Adapter, Endpoint
    from jobcancel.models import Job


def status(
    adapter: Adapter,
    job: Job,
    policy: Policy,
    endpoint: Endpoint,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> Flow[JobReading]:
    """Read where one job is; arguments as for `flow.cancel`."""
    call = _Status(adapter, job, policy, endpoint, clock)
    if (refusal := adapter.refuse(job)) is not None:
        return call.reading(Reading(outcome=Outcome.INVALID, message=refusal))
    while (seen := (yield from call.look())) is None:
        pass
    return call.reading(seen)


@define(eq=False)
class _Status(Call):
    """The progress of reading a job's status."""

    def look(self) -> Flow[Reading | None]:
        """Read the job once; None when it is worth another look."""
        seen = yield from self.read_status()
        again = seen.repeat and seen.outcome in {None, Outcome.RATE_LIMITED}
        if seen.state is None and again and (yield from self.rest()):
            return None
        return seen

    def reading(self, last: Reading) -> JobReading:
        return JobReading(
            provider=self.job.provider,
            job_id=self.job.job_id,
            state=last.state,
            raw_state=last.raw_state,
            problem=(last.outcome or Outcome.UNKNOWN) if last.state is None else None,
            message=last.message,
            code=last.code,
            status_code=last.status_code,
            retry_after=last.retry_after,
            attempts=self.reads,
            elapsed=self.elapsed,
            request_id=last.request_id,
            progress=last.progress,
            body=last.body,
            params=self.job.params,
        )
