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

from jobcancel.adapter.protocol import Reading, Response
from jobcancel.flow.call import Call, Flow, NotSent, Stopped
from jobcancel.flow.lookup import status
from jobcancel.flow.transitions import STEPS, Met, Step
from jobcancel.models import CancelResult, JobState, Outcome
from jobcancel.retry import SYSTEM_CLOCK, Clock, Policy

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Adapter, Endpoint
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

    def is_gone(self, reading: Reading) -> bool:
        """Whether our cancel removed the job: the vendor's cancelled jobs cannot be found."""
        removed = reading.gone and reading.outcome is Outcome.NOT_FOUND
        return removed and self.there and (self.applied or self.told.outcome in _ACCEPTANCES)

    def guard(self) -> Flow[Met]:
        seen = yield from self.look()
        if self.sent:
            self.seen = seen
        else:
            self.told = seen
        if self.is_gone(seen):
            return self.removed(seen)
        if seen.final:
            self.by_us = self.applied
            return self.ended(seen)
        if seen.outcome not in {None, Outcome.RATE_LIMITED} and not self.applied:
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
        told = self.told = self.interpret(reply, self.adapter.read_cancel)
        self.request_wait(told)
        self.seen = None
        if isinstance(reply, NotSent):
            return Met.REFUSAL
        self.may_repeat = told.repeat
        self.applied = self.applied or _may_have_been_applied(told)
        self.there = self.there or told.state is not None
        return self.met(told)

    def met(self, told: Reading) -> Met:
        """Return what a reply to a cancel request amounts to."""
        if told.outcome is None:
            return Met.DOUBT
        if told.outcome in _ACCEPTANCES:
            confirms = not told.final and (self.policy.verify or told.confirm) and self.can_read
            return Met.ACCEPTANCE if confirms else self.answer(told)
        return self.met_refusal(told)

    def met_refusal(self, told: Reading) -> Met:
        """Return what a reply amounts to that does not accept the cancel."""
        if told.final and told.outcome is Outcome.ALREADY_TERMINAL:
            self.by_us = self.applied
            return self.ended(told)
        if self.is_gone(told):
            return self.removed(told)
        if self.is_doubtful(told):
            return Met.DOUBT
        limited = told.outcome is Outcome.RATE_LIMITED and told.repeat
        return Met.REFUSAL if limited else self.answer(told)

    def is_doubtful(self, told: Reading) -> bool:
        """Whether only the job itself can tell what a refusal means."""
        if told.outcome is Outcome.ALREADY_TERMINAL and self.policy.verify:
            return True
        # An earlier request that may have been applied can be the reason of any refusal.
        return self.applied or (told.outcome is Outcome.REFUSED and self.can_read)

    def settle(self) -> Flow[Met]:
        if not self.in_time():
            return self.unsettled()
        seen = self.seen = yield from self.look()
        left_alone = self.told.outcome in {Outcome.ALREADY_TERMINAL, Outcome.REFUSED}
        self.by_us = self.applied or not left_alone
        if self.is_gone(seen):
            return self.removed(seen)
        if seen.final:
            return self.ended(seen)
        if seen.state is JobState.CANCELLING:
            self.told = evolve(seen, outcome=Outcome.CANCELLING)
            return Met.ACCEPTANCE if self.policy.verify else self.answer(self.told)
        if not seen.is_known:
            return self.unread(seen)
        return self.active()

    def unread(self, seen: Reading) -> Met:
        """Return what follows when a status read does not tell the job's state."""
        over = self.told.outcome is Outcome.ALREADY_TERMINAL
        if not self.applied and (over or seen.outcome is Outcome.NOT_FOUND):
            return self.answer(self.told if over else seen)
        return Met.UNREADABLE if seen.repeat or self.may_repeat else self.unsettled()

    def active(self) -> Met:
        """Return what follows when the job still runs."""
        if self.told.outcome is Outcome.REFUSED and not self.applied:
            return self.unsettled(Outcome.REFUSED)
        # While a request of ours may still take effect, there is something to wait for; else a
        # vendor that refuses this job for good is not asked again.
        over = self.told.outcome is Outcome.ALREADY_TERMINAL
        return Met.ACTIVE if over or self.may_repeat or self.applied else self.unsettled()

    def wait(self) -> Flow[Met]:
        if (yield from self.rest()):
            return Met.RESTED if self.may_repeat else Met.READ_ON
        # The vendor limits the cancel, not the status read that may still settle it.
        unread = self.seen is None or self.seen.state is None
        if unread and self.applied and self.can_read and (yield from self.rest_before_read()):
            return Met.READ_ON
        runs_on = self.seen is not None and self.seen.is_known
        firm = runs_on and self.told.outcome is Outcome.REFUSED
        return self.unsettled(Outcome.REFUSED if firm else Outcome.UNKNOWN)

    def watch(self) -> Flow[Met]:
        interval, wait = _FIRST_LOOK, self.requested_wait or 0.0
        while self.in_time(wait):
            if wait:
                yield from self.pause(wait)
                if not self.in_time():
                    break
            self.cancel_wait = self.status_wait = None
            seen = self.seen = yield from self.look()
            if seen.final:
                return self.ended(seen)
            if self.is_gone(seen):
                return self.removed(seen)
            unread = seen.state is None
            if (unread and not seen.repeat) or not (unread or self.policy.verify):
                # An acceptance of what cannot be found is none, unless it is documented well.
                vague = self.told.undocumented and seen.outcome is Outcome.NOT_FOUND
                return self.unsettled(Outcome.UNKNOWN if vague else Outcome.CANCELLING)
            wait = max(interval, self.requested_wait or 0.0)
            interval = min(2 * interval, _LONGEST_LOOK)
        return self.unsettled(Outcome.CANCELLING)

    def answer(self, reading: Reading) -> Met:
        self.last = reading
        return Met.ANSWER

    def removed(self, reading: Reading) -> Met:
        """End with a job that our cancel removed, so that it cannot be found any more."""
        return self.answer(evolve(reading, outcome=Outcome.CANCELLED))

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
            retry_after=self.requested_wait,
        )
        if self.seen is not None:
            then = (
                f"its status could not be read: {self.seen.message}"
                if self.seen.state is None
                else f"its status is {self.seen.raw_state!r}"
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
    a reply that settles nothing, unless it is a 4xx other than a time-out.
    """
    code = told.status_code
    if code is None:
        return True
    refused = code in range(400, 500) and code != _REQUEST_TIMEOUT
    return code >= _SERVER_ERROR or (told.outcome is None and not refused)
