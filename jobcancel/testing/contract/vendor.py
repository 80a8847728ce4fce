"""A simulated vendor with one job, which replies as a contract says.

It runs an adapter's flow without I/O or waiting. It knows the job's real state, so a result can be
compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from jobcancel import flow
from jobcancel.adapter import Adapter, Endpoint, Request, Response
from jobcancel.flow.call import Call
from jobcancel.flow.driver import drive
from jobcancel.flow.events import NoReply, NotSent, Reply, Send
from jobcancel.models import CancelResult, Job, JobState, Outcome
from jobcancel.retry import Policy
from jobcancel.testing.clocks import StillClock

_EXCHANGE = 0.01
"""Seconds."""


@frozen(kw_only=True)
class Fault:
    """What goes wrong with one cancel request.

    Args:
        answer: what is returned instead of the vendor's reply; None for the vendor's reply.
        applied: whether the job is cancelled anyway.
        ends: whether the job succeeds by itself before the request arrives.
    """

    answer: Reply | None
    applied: bool = False
    ends: bool = False


LOST = NoReply("the connection broke")
UNREACHABLE = NotSent("could not connect")


@define(eq=False)
class Vendor:
    """A vendor with one job.

    Args:
        adapter: the adapter under test.
        job: the job.
        endpoint: the vendor's base URL and key.
        replies: replies to a cancel, by their meaning.
        statuses: replies to a status read, by the job's state.
        state: the job's real state.
        faults: the faults of the first cancel requests.
        forever: whether the last fault persists.
    """

    adapter: Adapter
    job: Job
    endpoint: Endpoint
    replies: Mapping[Outcome, Response]
    statuses: Mapping[JobState, Response]
    state: JobState = JobState.RUNNING
    faults: list[Fault] = field(factory=list)
    forever: bool = False
    sent: list[tuple[str, Request, JobState]] = field(init=False, factory=list)
    clock: StillClock = field(init=False, factory=StillClock)

    def cancel(self) -> CancelResult:
        """Cancel the job with the adapter's flow."""
        call = Call(self.adapter, self.job, self.endpoint, Policy(), self.clock.clock)
        return drive(flow.cancel(call), self._send, lambda pause: self.clock.wait(pause.seconds))

    def _send(self, step: Send) -> Reply:
        self.clock.now += _EXCHANGE
        self.sent.append((step.call, step.request, self.state))
        if step.call == "status":
            return self.statuses.get(self.state, LOST)
        fault = self._fault()
        if fault.ends:
            self.state = JobState.SUCCEEDED
        if isinstance(fault.answer, NotSent):
            return fault.answer
        before = self.state
        if (fault.answer is None or fault.applied) and self.state.active:
            self.state = JobState.CANCELLED
        return self._own_reply(before) if fault.answer is None else fault.answer

    def _fault(self) -> Fault:
        if not self.faults:
            return Fault(answer=None)
        return self.faults[0] if self.forever and len(self.faults) == 1 else self.faults.pop(0)

    def _own_reply(self, before: JobState) -> Response:
        """Return the vendor's reply to a cancel, or an unknown one if it is undocumented."""
        ended = [Outcome.ALREADY_TERMINAL]
        known = [Outcome.CANCELLED, Outcome.CANCELLING] if before.active else ended
        found = (self.replies[outcome] for outcome in known if outcome in self.replies)
        return next(found, _UNDOCUMENTED)


# A status code that no vendor uses, so that it is in no table.
_UNDOCUMENTED = Response(status_code=499, content=b"")
