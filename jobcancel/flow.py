"""The decisions: how one job is cancelled, whatever goes wrong on the way.

A flow is a generator. It yields `Send` and `Pause`, is sent back a `Response`, `NotSent` or
`NoReply` for a `Send` (None for a `Pause`), and returns the result; `Stopped`, thrown into it,
makes it return at once. It does no I/O, so the same decisions run under a sync client, an async
client and by hand in tests; `drive` pumps it.

A cancel goes through the steps of `steps.STEPS`: each step tells what it met, and the table
says which step follows. What the words mean is in `steps`; here is how each step is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from jobcancel.adapter import Reading, Response
from jobcancel.call import Call, Flow, NotSent, Pause, Stopped
from jobcancel.models import CancelResult, JobState, Outcome
from jobcancel.reading import status
from jobcancel.retry import SYSTEM_CLOCK, Clock, Policy
from jobcancel.steps import STEPS, Met, Step

if TYPE_CHECKING:
    from jobcancel.adapter import Adapter, Endpoint
    from jobcancel.models import Job

__all__ = ["cancel", "status"]

# Back-off between the status reads that verify an acceptance, in seconds.
_FIRST_LOOK = 0.2
_LONGEST_LOOK = 2.0


def _random_key() -> str:
    import uuid

    return str(uuid.uuid4())


def cancel(
    adapter: Adapter,
    job: Job,
    policy: Policy,
    endpoint: Endpoint,
    *,
    clock: Clock = SYSTEM_CLOCK,
    new_key: Callable[[], str] = _random_key,
) -> Flow[CancelResult]:
    """Cancel one job.

    Args:
        adapter: what knows the vendor.
        job: the job.
        policy: how much time and how many tries there are.
        endpoint: where the vendor is and the key.
        clock: where time and chance come from.
        new_key: makes an idempotency key.

    Returns:
        what became of it; never raises for what a vendor answers.
    """
    call = _Cancel(adapter, job, policy, endpoint, clock, new_key)
    if (refusal := adapter.refuse(job)) is not None:
        return call.result(Reading(outcome=Outcome.INVALID, message=refusal))
    first = Step.GUARD if adapter.must_read_first(job) else Step.SEND
    step = first
    try:
        while step is not Step.DONE:
            met = yield from call.take(step)
            step = STEPS[step, met]
            if step is Step.SEND and met is Met.RESTED:
                step = first
    except Stopped as stopped:
        call.stop(str(stopped))
    return call.result(call.last)


@define(eq=False)
class _Cancel(Call):
    """The progress of cancelling a job.

    Attributes:
        key: the idempotency key of the last cancel request, while that is without a reply.
        sent: how many cancel requests were sent.
        applied: whether one of them may have been applied without our knowing.
        may_repeat: whether the cancel request may be sent again.
        there: whether a reply has shown the job.
        by_us: whether a job that is read as cancelled was cancelled by this call.
        told: what the last reply to a cancel request meant.
        seen: what the last status read since then meant, if there was one.
        last: what the result is made of.
    """

    new_key: Callable[[], str]
    key: str | None = field(init=False, default=None)
    sent: int = field(init=False, default=0)
    applied: bool = field(init=False, default=False)
    may_repeat: bool = field(init=False, default=True)
    there: bool = field(init=False, default=False)
    by_us: bool = field(init=False, default=True)
    told: Reading = field(init=False, default=Reading(message="nothing was sent"))
    seen: Reading | None = field(init=False, default=None)
    last: Reading = field(init=False, default=Reading())

    def take(self, step: Step) -> Flow[Met]:
        """Take one step and tell what it met."""
        takes = {
            Step.GUARD: self.guard,
            Step.SEND: self.send_cancel,
            Step.READ: self.settle,
            Step.WAIT: self.wait,
            Step.WATCH: self.watch,
        }
        return (yield from takes[step]())

    def look(self) -> Flow[Reading]:
        """Read the status."""
        seen = yield from self.read_status()
        self.there = self.there or seen.state is not None
        return seen

    def has_vanished(self, reading: Reading) -> bool:
        """Whether the job was seen and cannot be found since our cancel may have been applied.

        Then there was such a job, and what became of it is not known.
        """
        return reading.outcome is Outcome.NOT_FOUND and self.there and self.applied

    def guard(self) -> Flow[Met]:
        seen = yield from self.look()
        if self.sent:
            self.seen = seen
        else:
            self.told = seen
        if self.has_vanished(seen):
            return Met.UNREADABLE
        if seen.final:
            self.by_us = self.applied
            return self.ended(seen)
        if seen.outcome not in {None, Outcome.RATE_LIMITED}:
            return self.answer(seen)
        if seen.state is None or not seen.state.active:
            return Met.UNREADABLE if seen.repeat else self.unsettled()
        return Met.ACTIVE if self.in_time() else self.unsettled()

    def send_cancel(self) -> Flow[Met]:
        self.key = self.key or self.new_key()
        request = self.adapter.cancel_request(self.job, self.endpoint, self.key)
        reply = yield from self.send("cancel", request, self.sent + 1)
        self.sent += 1
        self.by_us = True
        if isinstance(reply, Response):
            # The same key again would only replay this reply.
            self.key = None
        told = self.told = self.understand(reply, self.adapter.read_cancel)
        self.seen = None
        if isinstance(reply, NotSent):
            return Met.REFUSAL
        self.may_repeat = told.repeat
        self.applied = self.applied or _may_have_been_applied(told)
        self.there = self.there or told.state is not None
        return self.met(told)

    def met(self, told: Reading) -> Met:
        """Return what a reply to a cancel request amounts to."""
        if told.outcome is None or self.has_vanished(told):
            return Met.DOUBT
        if told.outcome is Outcome.RATE_LIMITED and told.repeat:
            return Met.REFUSAL
        over = told.outcome is Outcome.ALREADY_TERMINAL
        if told.final and over:
            self.by_us = self.applied
            return self.ended(told)
        if not told.final:
            if over and (self.policy.verify or self.applied):
                return Met.DOUBT
            looks = self.policy.verify or told.look
            if told.outcome in _ACCEPTANCES and looks and self.can_read:
                return Met.ACCEPTANCE
        return self.answer(told)

    def settle(self) -> Flow[Met]:
        if not self.in_time():
            return self.unsettled()
        seen = self.seen = yield from self.look()
        over = self.told.outcome is Outcome.ALREADY_TERMINAL
        self.by_us = self.applied or not (over or self.told.refused)
        if seen.final:
            return self.ended(seen)
        if seen.state is JobState.CANCELLING:
            self.told = evolve(seen, outcome=Outcome.CANCELLING)
            return Met.ACCEPTANCE if self.policy.verify else self.answer(self.told)
        if seen.state is None or seen.state is JobState.UNKNOWN:
            return self.unread(seen, over=over)
        # A vendor that refuses this job for good is not asked again while the job runs on.
        return Met.ACTIVE if over or self.may_repeat else self.unsettled()

    def unread(self, seen: Reading, *, over: bool) -> Met:
        """Return what follows when a status read does not tell the job's state."""
        if not self.applied and (over or seen.outcome is Outcome.NOT_FOUND):
            return self.answer(self.told if over else seen)
        return Met.UNREADABLE if seen.repeat or self.may_repeat else self.unsettled()

    def wait(self) -> Flow[Met]:
        if not (yield from self.rest()):
            return self.unsettled()
        return Met.RESTED if self.may_repeat else Met.READ_ON

    def watch(self) -> Flow[Met]:
        interval, wait = _FIRST_LOOK, self.asked or 0.0
        while self.in_time(wait):
            if wait:
                yield Pause(wait)
            self.asked = None
            seen = self.seen = yield from self.look()
            if seen.final:
                return self.ended(seen)
            if not self.policy.verify or (seen.state is None and not seen.repeat):
                # An acceptance of what cannot be found is none, unless it is documented well.
                vague = self.told.vague and seen.outcome is Outcome.NOT_FOUND
                return self.unsettled(Outcome.UNKNOWN if vague else Outcome.CANCELLING)
            wait = max(interval, self.asked or 0.0)
            interval = min(2 * interval, _LONGEST_LOOK)
        return self.unsettled(Outcome.CANCELLING)

    def answer(self, reading: Reading) -> Met:
        self.last = reading
        return Met.ANSWER

    def ended(self, seen: Reading) -> Met:
        cancelled = seen.state is JobState.CANCELLED and self.by_us
        forced = self.adapter.destroys_finished and not self.adapter.must_read_first(self.job)
        if cancelled and forced:
            # A finished job that was destroyed may read like that, too.
            self.seen = evolve(seen, state=JobState.UNKNOWN)
            accepted = self.told.outcome in _ACCEPTANCES
            return self.unsettled(Outcome.CANCELLING if accepted else Outcome.UNKNOWN)
        outcome = Outcome.CANCELLED if cancelled else Outcome.ALREADY_TERMINAL
        return self.answer(evolve(seen, outcome=outcome))

    def unsettled(self, outcome: Outcome = Outcome.UNKNOWN) -> Met:
        """End with the last thing that happened, when nothing settles what became of it."""
        refused = self.told.outcome is Outcome.RATE_LIMITED and not self.applied
        last = evolve(
            self.told,
            outcome=Outcome.RATE_LIMITED if refused else outcome,
            retry_after=self.asked,
        )
        if self.seen is not None:
            then = (
                f"its status could not be read: {self.seen.message}"
                if self.seen.state is None
                else f"the job was read as {self.seen.raw_state!r}"
            )
            last = evolve(
                last,
                message=f"{last.message}; {then}",
                state=self.seen.state,
                raw_state=self.seen.raw_state,
            )
        self.last = last
        return Met.SPENT

    def stop(self, why: str) -> None:
        """End with the last thing that happened, for nothing more is to be sent."""
        accepted = self.told.outcome in _ACCEPTANCES
        self.unsettled(Outcome.CANCELLING if accepted else Outcome.UNKNOWN)
        self.last = evolve(self.last, message=f"{self.last.message}; {why}")

    def result(self, last: Reading) -> CancelResult:
        return CancelResult(
            provider=self.job.provider,
            job_id=self.job.job_id,
            outcome=last.outcome or Outcome.UNKNOWN,
            state=last.state,
            raw_state=last.raw_state,
            verified=last.final,
            message=last.message,
            code=last.code,
            status_code=last.status_code,
            retry_after=last.retry_after,
            attempts=self.sent,
            elapsed=self.elapsed,
            request_id=last.request_id,
            progress=last.progress,
            body=last.body,
            params=self.job.params,
            at=self.clock.now(),
        )


_ACCEPTANCES = frozenset({Outcome.CANCELLED, Outcome.CANCELLING})
_REQUEST_TIMEOUT = 408
_SERVER_ERROR = 500


def _may_have_been_applied(told: Reading) -> bool:
    """Whether a cancel may have been carried out although its reply does not say so.

    Any server error leaves that open, even one that the adapter has a meaning for; so does
    a reply that settles nothing, unless it is a refusal: one that says so, or a 4xx other
    than a time-out.
    """
    code = told.status_code
    if code is None:
        return True
    refused = told.refused or (code in range(400, 500) and code != _REQUEST_TIMEOUT)
    return code >= _SERVER_ERROR or (told.outcome is None and not refused)
