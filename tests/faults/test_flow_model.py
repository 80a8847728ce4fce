"""The flow against a model of a vendor, under random interleavings of faults, races and time.

The model knows the truth: the state of the job, and whether our request ended it. After any run,
the flow's result must agree with it; where the replies leave only one conclusion, the flow must
have reached it. No I/O and no waiting: thousands of runs in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from jobcancel.flow import Call, cancel
from jobcancel.flow.events import NoReply, NotSent, Pause, Reply, Send
from jobcancel.models import CancelResult, Job, JobState, Outcome
from jobcancel.retry import Clock, Policy
from jobcancel.vendors.pulse import PULSE
from jobcancel.vendors.talonic import TALONIC
from tests.hand import ENDPOINT, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.adapter import Response

JOB_ID = "00000000-0000-4000-8000-000000000001"
WORDS = {
    "pulse": {
        JobState.RUNNING: "processing",
        JobState.SUCCEEDED: "completed",
        JobState.FAILED: "failed",
        JobState.CANCELLED: "canceled",
    },
    "talonic": {
        JobState.RUNNING: "processing",
        JobState.SUCCEEDED: "complete",
        JobState.FAILED: "failed",
        JobState.CANCELLED: "cancelled",
    },
}
ADAPTERS = {"pulse": PULSE, "talonic": TALONIC}

REFUSALS = (Outcome.UNAUTHORIZED, Outcome.FORBIDDEN, Outcome.NOT_FOUND)
SECONDS = st.sampled_from([0.01, 0.5, 3.0, 9.9])
WAITS = st.sampled_from([None, 0.0, 0.4, 2.0, 25.0, 3600.0])
GARBAGE = st.sampled_from([b"", b"<html>", b"[]", b"null", b'{"message": "ok"}', b'{"status": 7}'])


CALL: dict[str, Any] = {
    "provider": st.sampled_from(["pulse", "talonic"]),
    "verify": st.booleans(),
    "deadline": st.sampled_from([1.0, 30.0]),
    "chance": st.sampled_from([0.0, 0.5, 0.99]),
}


class Vendor:
    """One job at one vendor, in its true state."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.state = JobState.RUNNING
        self.requests_on_the_way = 0
        self.cancelled_by_others = False

    def end(self, state: JobState) -> None:
        if not self.state.final:
            self.state = state

    def body(self) -> dict[str, object]:
        return {"id": JOB_ID, "job_id": JOB_ID, "status": WORDS[self.provider][self.state]}

    def cancel(self) -> Response:
        """Carry out a cancel request and answer it as documented."""
        if self.state.final:
            if self.provider == "talonic":
                return reply(409, {"statusCode": 409, "code": "CONFLICT", "message": "over"})
            return reply(500, {"error": {"code": "JOB_002", "message": "could not be cancelled"}})
        self.end(JobState.CANCELLED)
        if self.provider == "talonic":
            return reply(200, self.body())
        return reply(200, {"job_id": JOB_ID, "message": "Job cancelled successfully"})


class Cancelling(RuleBasedStateMachine):
    """Every rule is an event that can happen next, to which the flow reacts."""

    @initialize(**CALL)
    def a_call(self, provider: str, verify: bool, deadline: float, chance: float) -> None:
        self.begin(provider, verify, deadline, chance)

    @precondition(lambda self: self.result is not None)
    @rule(**CALL)
    def another_call(self, provider: str, verify: bool, deadline: float, chance: float) -> None:
        self.begin(provider, verify, deadline, chance)

    def begin(self, provider: str, verify: bool, deadline: float, chance: float) -> None:
        self.vendor = Vendor(provider)
        self.now = 0.0
        self.policy = Policy(timeout=10.0, deadline=deadline, verify=verify)
        self.result: CancelResult | None = None
        self.settled = False
        self.accepted = False
        self.doubted = False
        self.not_before = {"cancel": 0.0, "status": 0.0}
        clock = Clock(
            monotonic=lambda: self.now,
            wall=lambda: 1_700_000_000.0 + self.now,
            random=lambda: chance,
        )
        job = Job(provider, JOB_ID)
        self.flow = cancel(Call(ADAPTERS[provider], job, ENDPOINT, self.policy, clock))
        self.step: Send | Pause | None = None
        self.resume(None)

    def resume(self, answer: Reply | None) -> None:
        try:
            self.step = self.flow.send(answer)
        except StopIteration as done:
            self.step, self.result = None, done.value
            self.check(done.value)
            return
        if isinstance(self.step, Send):
            assert not self.settled, "a request after a conclusive reply"
            assert self.now < self.policy.deadline, "a request after the deadline"
            assert self.now >= self.not_before[self.step.call], "sooner than the vendor asked"

    def is_sending(self, *calls: str) -> bool:
        return isinstance(self.step, Send) and self.step.call in calls

    def exchange(self, seconds: float, happen: Callable[[], Reply]) -> None:
        answer = happen()
        self.now += seconds
        self.resume(answer)

    # Time, the job, and other callers

    @precondition(lambda self: isinstance(self.step, Pause))
    @rule()
    def the_wait_passes(self) -> None:
        assert isinstance(self.step, Pause)
        assert self.step.seconds >= 0
        self.now += self.step.seconds
        self.resume(None)

    @precondition(lambda self: self.result is None)
    @rule(state=st.sampled_from([JobState.SUCCEEDED, JobState.FAILED]))
    def the_job_ends_by_itself(self, state: JobState) -> None:
        self.vendor.end(state)

    @precondition(lambda self: self.result is None)
    @rule()
    def someone_else_cancels(self) -> None:
        if not self.vendor.state.final:
            self.vendor.cancelled_by_others = True
        self.vendor.end(JobState.CANCELLED)

    @precondition(lambda self: self.result is None and self.vendor.requests_on_the_way > 0)
    @rule()
    def a_lost_request_arrives_late(self) -> None:
        self.vendor.requests_on_the_way -= 1
        self.vendor.cancel()

    # Replies and faults of a cancel request

    @precondition(lambda self: self.is_sending("cancel"))
    @rule(seconds=SECONDS)
    def the_cancel_is_answered(self, seconds: float) -> None:
        def happen() -> Reply:
            answer = self.vendor.cancel()
            accepted = answer.status_code == 200
            self.doubted = self.doubted or answer.status_code == 500
            self.accepted = self.accepted or accepted
            self.doubted = self.doubted or (accepted and self.policy.verify)
            shown = accepted and self.vendor.provider == "talonic"
            self.settled = shown or (accepted and not self.policy.verify)
            return answer

        self.exchange(seconds, happen)

    @precondition(lambda self: self.is_sending("cancel"))
    @rule(seconds=SECONDS, arrives=st.sampled_from(["now", "later", "never"]))
    def the_reply_is_lost(self, seconds: float, arrives: str) -> None:
        self.doubted = True
        if arrives == "now":
            self.vendor.cancel()
        elif arrives == "later":
            self.vendor.requests_on_the_way += 1
        self.exchange(seconds, lambda: NoReply("lost"))

    @precondition(lambda self: self.is_sending("cancel"))
    @rule(
        seconds=SECONDS,
        status_code=st.sampled_from([500, 502, 503]),
        applied=st.booleans(),
        wait=WAITS,
    )
    def the_server_fails(
        self, seconds: float, status_code: int, applied: bool, wait: float | None
    ) -> None:
        self.doubted = True
        if applied:
            self.vendor.cancel()
        self.exchange(seconds, lambda: self.asking(status_code, wait, seconds, "cancel"))

    @precondition(lambda self: self.is_sending("cancel"))
    @rule(seconds=SECONDS, body=GARBAGE, applied=st.booleans())
    def the_success_is_garbled(self, seconds: float, body: bytes, applied: bool) -> None:
        self.doubted = True
        if applied:
            self.vendor.cancel()
        self.exchange(seconds, lambda: reply(200, body))

    @precondition(lambda self: self.is_sending("cancel"))
    @rule(seconds=SECONDS, status_code=st.sampled_from([401, 403, 404]))
    def the_vendor_refuses(self, seconds: float, status_code: int) -> None:
        self.exchange(seconds, lambda: reply(status_code, {"message": "no", "code": "NO"}))

    # Replies and faults of a status read

    @precondition(lambda self: self.is_sending("status"))
    @rule(seconds=SECONDS)
    def the_status_is_answered(self, seconds: float) -> None:
        def happen() -> Reply:
            self.settled = self.vendor.state.final
            return reply(200, self.vendor.body())

        self.exchange(seconds, happen)

    @precondition(lambda self: self.is_sending("status"))
    @rule(seconds=SECONDS, status_code=st.sampled_from([404, 500, 503]), wait=WAITS)
    def the_status_read_fails(self, seconds: float, status_code: int, wait: float | None) -> None:
        self.exchange(seconds, lambda: self.asking(status_code, wait, seconds, "status"))

    @precondition(lambda self: self.is_sending("status"))
    @rule(seconds=SECONDS, body=GARBAGE | st.just(b'{"status": "archiving"}'))
    def the_status_is_garbled(self, seconds: float, body: bytes) -> None:
        self.exchange(seconds, lambda: reply(200, body))

    # Replies and faults of either

    @precondition(lambda self: self.is_sending("cancel", "status"))
    @rule(
        seconds=SECONDS,
        status_code=st.sampled_from([302, 303, 400, 401, 403, 404, 409, 410]),
        applied=st.booleans(),
    )
    def a_proxy_answers(self, seconds: float, status_code: int, applied: bool) -> None:
        assert isinstance(self.step, Send)
        if self.step.call == "cancel":
            self.doubted = True
            if applied and status_code < 400:
                self.vendor.cancel()
        self.exchange(seconds, lambda: reply(status_code, b"<html>"))

    @precondition(lambda self: self.is_sending("cancel", "status"))
    @rule(seconds=SECONDS)
    def there_is_no_connection(self, seconds: float) -> None:
        self.exchange(seconds, lambda: NotSent("refused"))

    @precondition(lambda self: self.is_sending("cancel", "status"))
    @rule(seconds=SECONDS, wait=WAITS)
    def the_vendor_limits_the_rate(self, seconds: float, wait: float | None) -> None:
        assert isinstance(self.step, Send)
        call = self.step.call
        self.exchange(seconds, lambda: self.asking(429, wait, seconds, call))

    def asking(self, status_code: int, wait: float | None, seconds: float, call: str) -> Response:
        if wait is None:
            return reply(status_code)
        until = self.now + seconds + wait
        self.not_before[call] = until
        return reply(status_code, retry_after=str(wait))

    # Comparing with the truth

    def is_ours(self) -> bool:
        """Whether the job was cancelled by a request of ours."""
        return self.vendor.state is JobState.CANCELLED and not self.vendor.cancelled_by_others

    def check(self, result: CancelResult) -> None:
        """Compare the flow's result with the model."""
        state, outcome = self.vendor.state, result.outcome
        truth = {
            Outcome.CANCELLED: state is JobState.CANCELLED,
            # "Already over" would be false if our own request cancelled the job.
            Outcome.ALREADY_TERMINAL: state.final
            and (state is not JobState.CANCELLED or self.vendor.cancelled_by_others),
            Outcome.CANCELLING: self.accepted and self.policy.verify,
            Outcome.RATE_LIMITED: True,
            Outcome.UNKNOWN: True,
            **dict.fromkeys(REFUSALS, not self.is_ours()),
        }
        assert truth.get(outcome, False), f"{outcome} of a job that is {state}"
        if self.settled:
            assert outcome in {Outcome.CANCELLED, Outcome.ALREADY_TERMINAL}
        if outcome is Outcome.CANCELLED and self.vendor.cancelled_by_others:
            assert self.doubted, "it was over before our first request"
        if outcome is Outcome.RATE_LIMITED:
            assert not self.is_ours()
        assert result.verified is (result.state is not None and result.state.final)
        if result.verified:
            assert result.state is state
        assert self.now <= self.policy.deadline + self.policy.timeout
        assert result.elapsed == self.now


TestCancelling = Cancelling.TestCase
TestCancelling.settings = settings(max_examples=1000, stateful_step_count=40)
