"""Cancels one job: decides what to send, when to retry, and what the outcome is.

A flow is a generator. It yields `Send` and `Pause`, receives a `Response`, `NotSent` or `NoReply`
for each `Send` (None for a `Pause`), and returns the result. When `Stopped` is thrown into it, it
returns immediately. It does no I/O, so the sync client, the async client and the tests run the
same decisions.

A cancel goes through the phases of `transitions`: each phase returns the event that ended it,
and the table says which phase follows.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field

from jobcancel.adapter.protocol import Reading, Response
from jobcancel.flow.call import REQUESTED, VERIFY, Call, Progress
from jobcancel.flow.events import Flow, NotSent, Stopped
from jobcancel.flow.transitions import TRANSITIONS, Event, Phase
from jobcancel.models import CancelResult, JobState, Outcome

# Back-off between the status reads that verify an acceptance, in seconds.
_FIRST_INTERVAL = 0.2
_LONGEST_INTERVAL = 2.0


def _random_key() -> str:
    import uuid

    return str(uuid.uuid4())


def cancel(call: Call, *, new_key: Callable[[], str] = _random_key) -> Flow[CancelResult]:
    """Cancel one job.

    Args:
        call: the validated call.
        new_key: creates an idempotency key.

    Returns:
        the result. Vendor errors are outcomes; they do not raise.
    """
    cancellation = _Cancellation(call, new_key)
    if (refusal := call.adapter.refuse(call.job)) is not None:
        return cancellation.result(Reading(outcome=Outcome.INVALID, message=refusal))
    first = Phase.PRECHECK if call.adapter.must_read_first(call.job) else Phase.SEND
    phase = first
    try:
        while phase is not Phase.DONE:
            event = yield from cancellation.run(phase)
            phase = TRANSITIONS[phase, event]
            if phase is Phase.SEND and event is Event.RETRY:
                phase = first
    except Stopped as stopped:
        cancellation.stop(str(stopped))
    return cancellation.result(cancellation.last)


@define(eq=False)
class _Cancellation:
    """The state of one cancel.

    Attributes:
        progress: elapsed time and retries.
        key: the idempotency key of the last cancel request, until it has a reply.
        sent: how many cancel requests were sent.
        maybe_applied: whether one of them may have taken effect although no reply says so.
        may_repeat: whether the cancel request may be sent again.
        known_to_exist: whether a reply has confirmed that the job exists.
        ours: whether this call is the reason, if the job's state is cancelled.
        cancel_reply: the last reply to a cancel request, interpreted.
        status_reply: the last status reply since then, interpreted, or None.
        last: the reading from which the result is built.
    """

    call: Call
    new_key: Callable[[], str]
    progress: Progress = field(init=False)
    key: str | None = field(init=False, default=None)
    sent: int = field(init=False, default=0)
    maybe_applied: bool = field(init=False, default=False)
    may_repeat: bool = field(init=False, default=True)
    known_to_exist: bool = field(init=False, default=False)
    ours: bool = field(init=False, default=True)
    cancel_reply: Reading = field(init=False, default=Reading(message="nothing was sent"))
    status_reply: Reading | None = field(init=False, default=None)
    last: Reading = field(init=False, default=Reading())

    @progress.default
    def _new_progress(self) -> Progress:
        return Progress(self.call, "cancel")

    def run(self, phase: Phase) -> Flow[Event]:
        """Run one phase; return the event that ended it."""
        phases = {
            Phase.PRECHECK: self.precheck,
            Phase.SEND: self.send,
            Phase.CHECK: self.check,
            Phase.BACK_OFF: self.back_off,
            Phase.CONFIRM: self.confirm,
        }
        return (yield from phases[phase]())

    def read(self) -> Flow[Reading]:
        """Read the status."""
        reading = yield from self.progress.read_status()
        self.known_to_exist = self.known_to_exist or reading.state is not None
        return reading

    def is_gone(self, reading: Reading) -> bool:
        """Whether a job that existed has disappeared after a cancel that may have succeeded."""
        removed = reading.gone and reading.outcome is Outcome.NOT_FOUND
        return (
            removed
            and self.known_to_exist
            and (self.maybe_applied or self.cancel_reply.outcome in _ACCEPTANCES)
        )

    def precheck(self) -> Flow[Event]:
        reading = yield from self.read()
        if self.sent:
            self.status_reply = reading
        else:
            self.cancel_reply = reading
        if self.is_gone(reading):
            return self.removed(reading)
        if reading.final:
            self.ours = self.maybe_applied
            return self.ended(reading)
        if reading.outcome not in {None, Outcome.RATE_LIMITED} and not self.maybe_applied:
            return self.settled(reading)
        if reading.state is None or not reading.state.active:
            return Event.UNREADABLE if reading.repeat else self.unsettled()
        return Event.ACTIVE if self.progress.in_time() else self.unsettled()

    def send(self) -> Flow[Event]:
        self.key = self.key or self.new_key()
        request = self.call.adapter.cancel_request(self.call.job, self.call.endpoint, self.key)
        reply = yield from self.progress.send("cancel", request, self.sent + 1)
        self.sent += 1
        self.ours = True
        if isinstance(reply, Response):
            # The same key again would only replay this reply.
            self.key = None
        reading = self.cancel_reply = self.progress.interpret(reply, self.call.adapter.read_cancel)
        self.progress.record_cancel_wait(reading)
        self.status_reply = None
        if isinstance(reply, NotSent):
            return Event.TRY_LATER
        self.may_repeat = reading.repeat
        self.maybe_applied = self.maybe_applied or _may_have_been_applied(reading)
        self.known_to_exist = self.known_to_exist or reading.state is not None
        return self.after_reply(reading)

    def after_reply(self, reading: Reading) -> Event:
        """Return the event for a reply to a cancel request."""
        if reading.outcome is None:
            return Event.AMBIGUOUS
        if reading.outcome in _ACCEPTANCES:
            confirms = (
                not reading.final
                and (self.call.policy.verify or reading.confirm)
                and self.progress.can_read
            )
            return Event.ACCEPTED if confirms else self.settled(reading)
        return self.after_refusal(reading)

    def after_refusal(self, reading: Reading) -> Event:
        """Return the event for a reply that does not accept the cancel."""
        if reading.final and reading.outcome is Outcome.ALREADY_TERMINAL:
            self.ours = self.maybe_applied
            return self.ended(reading)
        if self.is_gone(reading):
            return self.removed(reading)
        if self.is_doubtful(reading):
            return Event.AMBIGUOUS
        limited = reading.outcome is Outcome.RATE_LIMITED and reading.repeat
        return Event.TRY_LATER if limited else self.settled(reading)

    def is_doubtful(self, reading: Reading) -> bool:
        """Whether a refusal is inconclusive without the job's status."""
        if reading.outcome is Outcome.ALREADY_TERMINAL and self.call.policy.verify:
            return True
        # Any refusal may be due to an earlier request that took effect.
        return self.maybe_applied or (reading.outcome is Outcome.REFUSED and self.progress.can_read)

    def check(self) -> Flow[Event]:
        if not self.progress.in_time():
            return self.unsettled()
        reading = self.status_reply = yield from self.read()
        unchanged = self.cancel_reply.outcome in {Outcome.ALREADY_TERMINAL, Outcome.REFUSED}
        self.ours = self.maybe_applied or not unchanged
        if self.is_gone(reading):
            return self.removed(reading)
        if reading.final:
            return self.ended(reading)
        if reading.state is JobState.CANCELLING:
            self.cancel_reply = evolve(reading, outcome=Outcome.CANCELLING)
            return Event.ACCEPTED if self.call.policy.verify else self.settled(self.cancel_reply)
        if not reading.is_known:
            return self.unread(reading)
        return self.active()

    def unread(self, reading: Reading) -> Event:
        """Return the event for a status read that does not show the job's state."""
        over = self.cancel_reply.outcome is Outcome.ALREADY_TERMINAL
        if not self.maybe_applied and (over or reading.outcome is Outcome.NOT_FOUND):
            return self.settled(self.cancel_reply if over else reading)
        return Event.UNREADABLE if reading.repeat or self.may_repeat else self.unsettled()

    def active(self) -> Event:
        """Return the event for a status read that shows a running job."""
        if self.cancel_reply.outcome is Outcome.REFUSED and not self.maybe_applied:
            return self.unsettled(Outcome.REFUSED)
        # Wait while one of our requests may still take effect. Do not resend after a permanent
        # refusal.
        over = self.cancel_reply.outcome is Outcome.ALREADY_TERMINAL
        return Event.ACTIVE if over or self.may_repeat or self.maybe_applied else self.unsettled()

    def back_off(self) -> Flow[Event]:
        if (yield from self.progress.wait()):
            return Event.RETRY if self.may_repeat else Event.RECHECK
        # Only the cancel is rate-limited; a status read may still determine the outcome.
        unread = self.status_reply is None or self.status_reply.state is None
        if (
            unread
            and self.maybe_applied
            and self.progress.can_read
            and (yield from self.progress.wait_before_read())
        ):
            return Event.RECHECK
        runs_on = self.status_reply is not None and self.status_reply.is_known
        firm = runs_on and self.cancel_reply.outcome is Outcome.REFUSED
        return self.unsettled(Outcome.REFUSED if firm else Outcome.UNKNOWN)

    def confirm(self) -> Flow[Event]:
        interval, wait = _FIRST_INTERVAL, self.progress.requested_wait or 0.0
        while self.progress.in_time(wait):
            if wait:
                requested = self.progress.requested_wait == wait
                yield from self.progress.pause(wait, REQUESTED if requested else VERIFY)
                if not self.progress.in_time():
                    break
            self.progress.cancel_wait = self.progress.status_wait = None
            reading = self.status_reply = yield from self.read()
            if reading.final:
                return self.ended(reading)
            if self.is_gone(reading):
                return self.removed(reading)
            unread = reading.state is None
            if (unread and not reading.repeat) or not (unread or self.call.policy.verify):
                # A 2xx for a job that does not exist is not an acceptance unless the vendor
                # documents it.
                vague = self.cancel_reply.undocumented and reading.outcome is Outcome.NOT_FOUND
                return self.unsettled(Outcome.UNKNOWN if vague else Outcome.CANCELLING)
            wait = max(interval, self.progress.requested_wait or 0.0)
            interval = min(2 * interval, _LONGEST_INTERVAL)
        return self.unsettled(Outcome.CANCELLING)

    def settled(self, reading: Reading) -> Event:
        self.last = reading
        return Event.SETTLED

    def removed(self, reading: Reading) -> Event:
        """Settle as cancelled: the job existed and has disappeared after our cancel."""
        return self.settled(evolve(reading, outcome=Outcome.CANCELLED))

    def ended(self, reading: Reading) -> Event:
        cancelled = reading.state is JobState.CANCELLED and self.ours
        forced = self.call.adapter.destroys_finished and not self.call.adapter.must_read_first(
            self.call.job
        )
        if cancelled and forced:
            # A finished job that our cancel deleted is reported as cancelled as well.
            self.status_reply = evolve(reading, state=JobState.UNKNOWN)
            accepted = self.cancel_reply.outcome in _ACCEPTANCES
            return self.unsettled(Outcome.CANCELLING if accepted else Outcome.UNKNOWN)
        outcome = Outcome.CANCELLED if cancelled else Outcome.ALREADY_TERMINAL
        return self.settled(evolve(reading, outcome=outcome))

    def unsettled(self, outcome: Outcome = Outcome.UNKNOWN) -> Event:
        """End with the last known reply, because no reply is conclusive."""
        refused = self.cancel_reply.outcome is Outcome.RATE_LIMITED and not self.maybe_applied
        last = evolve(
            self.cancel_reply,
            outcome=Outcome.RATE_LIMITED if refused else outcome,
            retry_after=self.progress.requested_wait,
        )
        if self.status_reply is not None:
            status = (
                f"its status could not be read: {self.status_reply.message}"
                if self.status_reply.state is None
                else f"its status is {self.status_reply.raw_state!r}"
            )
            last = evolve(
                last,
                message=f"{last.message}; {status}",
                state=self.status_reply.state,
                raw_state=self.status_reply.raw_state,
            )
        self.last = last
        return Event.EXHAUSTED

    def stop(self, why: str) -> None:
        """End with the last known reply, because nothing more may be sent."""
        accepted = self.cancel_reply.outcome in _ACCEPTANCES
        self.unsettled(Outcome.CANCELLING if accepted else Outcome.UNKNOWN)
        self.last = evolve(self.last, message=f"{self.last.message}; {why}")

    def result(self, last: Reading) -> CancelResult:
        return CancelResult(
            provider=self.call.job.provider,
            job_id=self.call.job.job_id,
            outcome=last.outcome or Outcome.UNKNOWN,
            state=last.state,
            raw_state=last.raw_state,
            verified=last.final,
            message=last.message,
            code=last.code,
            status_code=last.status_code,
            retry_after=last.retry_after,
            attempts=self.sent,
            elapsed=self.progress.elapsed,
            request_id=last.request_id,
            progress=last.progress,
            body=last.body,
            params=self.call.job.params,
            at=self.call.clock.now(),
        )


_ACCEPTANCES = frozenset({Outcome.CANCELLED, Outcome.CANCELLING})
_REQUEST_TIMEOUT = 408
_SERVER_ERROR = 500


def _may_have_been_applied(reading: Reading) -> bool:
    """Whether a cancel may have taken effect although its reply does not say so.

    It may after any server error, even one that the adapter interprets, and after any
    inconclusive reply except a 4xx other than a timeout (408).
    """
    code = reading.status_code
    if code is None:
        return True
    refused = code in range(400, 500) and code != _REQUEST_TIMEOUT
    return code >= _SERVER_ERROR or (reading.outcome is None and not refused)
