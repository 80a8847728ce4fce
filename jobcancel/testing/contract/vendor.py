"""A vendor made of a contract's replies: one job, what happens to it, and what is said of it.

It plays an adapter's flow by hand, without I/O or waiting, and knows what really became of the
job, so that a claim about it can be held against the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from attrs import define, field, frozen

from jobcancel import flow
from jobcancel.adapter import Adapter, Endpoint, Request, Response
from jobcancel.call import NoReply, NotSent, Pause, Reply, Send
from jobcancel.models import CancelResult, Job, JobState, Outcome
from jobcancel.retry import Policy
from jobcancel.testing.clocks import StillClock

_EXCHANGE = 0.01
"""Seconds that one takes here."""


@frozen(kw_only=True)
class Fault:
    """What goes wrong with one cancel request.

    Args:
        answer: what comes back in the place of the vendor's own reply; None for that.
        applied: whether the job is cancelled all the same.
        ends: whether the job succeeds by itself before the request arrives.
    """

    answer: Reply | None
    applied: bool = False
    ends: bool = False


LOST = NoReply("the connection broke")
UNREACHABLE = NotSent("could not connect")


@define(eq=False)
class Vendor:
    """One job at a vendor.

    Args:
        adapter: what is tried.
        job: the job.
        endpoint: where the vendor is.
        replies: to a cancel, by what they mean.
        statuses: replies to a status read, by the state they show.
        state: the job's state in truth.
        faults: of the first cancel requests; the last one lasts when `for_ever`.
        for_ever: whether the vendor never recovers from the last fault.
    """

    adapter: Adapter
    job: Job
    endpoint: Endpoint
    replies: Mapping[Outcome, Response]
    statuses: Mapping[JobState, Response]
    state: JobState = JobState.RUNNING
    faults: list[Fault] = field(factory=list)
    for_ever: bool = False
    sent: list[tuple[str, Request, JobState]] = field(init=False, factory=list)
    clock: StillClock = field(init=False, factory=StillClock)

    def cancel(self) -> CancelResult:
        """Cancel the job by the adapter's flow."""
        steps = flow.cancel(self.adapter, self.job, Policy(), self.endpoint, clock=self.clock.clock)
        answer: Reply | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as done:
                return cast("CancelResult", done.value)
            answer = self._take(step)

    def _take(self, step: Send | Pause) -> Reply | None:
        if isinstance(step, Pause):
            self.clock.wait(step.seconds)
            return None
        self.clock.now += _EXCHANGE
        self.sent.append((step.call, step.request, self.state))
        if step.call == "status":
            return self._shown()
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
        return self.faults[0] if self.for_ever and len(self.faults) == 1 else self.faults.pop(0)

    def _own_reply(self, before: JobState) -> Response:
        """Return what the vendor says to a cancel, or what nobody knows when that is unknown."""
        ended = [Outcome.ALREADY_TERMINAL]
        known = [Outcome.CANCELLED, Outcome.CANCELLING] if before.active else ended
        found = (self.replies[outcome] for outcome in known if outcome in self.replies)
        return next(found, _UNDOCUMENTED)

    def _shown(self) -> Reply:
        return self.statuses.get(self.state, LOST)


# Unlike anything that is in a table: a status code that nobody uses.
_UNDOCUMENTED = Response(status_code=499, content=b"")
