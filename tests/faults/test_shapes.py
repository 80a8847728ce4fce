"""The flow against simulated vendors of every declarable kind, under random faults.

A vendor knows its job; requests and replies are lost, refused or garbled, and the job ends by
itself or is cancelled by someone else. Whatever happens, the outcome is true.
`test_flow_model` does more of that for Pulse and Talonic alone. No I/O and no waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from jobcancel import HttpAdapter
from jobcancel.adapter import Response, Route
from jobcancel.flow import Call, cancel
from jobcancel.flow.events import Pause, Send
from jobcancel.models import CancelResult, Job, JobState, Outcome
from jobcancel.retry import Policy
from tests.hand import ENDPOINT, LOST, REFUSED, Hand, reply

if TYPE_CHECKING:
    from jobcancel.flow.events import Reply

RUN, STOPPING, STOPPED, DONE, ABSENT = "run", "stopping", "stopped", "done", "absent"

PLAIN = HttpAdapter(
    name="plain",
    title="Plain",
    docs="none",
    default_url="https://vendor.example",
    key_env="PLAIN_KEY",
    url_env="PLAIN_URL",
    cancel=Route("POST", "/jobs/{id}/cancel"),
    status=Route("GET", "/jobs/{id}"),
    replies={404: Outcome.NOT_FOUND, 409: Outcome.ALREADY_TERMINAL, 429: Outcome.RATE_LIMITED},
    states={
        RUN: JobState.RUNNING,
        STOPPING: JobState.CANCELLING,
        STOPPED: JobState.CANCELLED,
        DONE: JobState.SUCCEEDED,
    },
)


@define
class Shape:
    """How a vendor replies to a cancel that reached it."""

    adapter: HttpAdapter
    accepted: Callable[[str], Response]
    too_late: Response = field(factory=lambda: reply(409))
    destroys: bool = False


SHAPES = {
    "the reply shows the job": Shape(PLAIN, lambda now: reply(200, {"status": now})),
    "the reply is a receipt": Shape(
        evolve(PLAIN, receipt_only=True), lambda _: reply(200, {"status": STOPPED})
    ),
    "the reply is not documented": Shape(
        evolve(PLAIN, any_body_statuses=frozenset({200}), accepted=Outcome.CANCELLING),
        lambda _: reply(200, ["whatever"]),
    ),
    "the reply is a verdict": Shape(
        evolve(PLAIN, verdict="done", verdicts={True: Outcome.CANCELLED, False: Outcome.REFUSED}),
        lambda _: reply(200, {"done": True}),
        too_late=reply(200, {"done": False}),
    ),
    "the cancel destroys what has ended": Shape(
        evolve(PLAIN, destroys_finished=True, empty_body_statuses=frozenset({204})),
        lambda _: reply(204),
        too_late=reply(204),
        destroys=True,
    ),
}


@define
class Vendor:
    """One job, and the replies to requests for it."""

    shape: Shape
    chance: Random
    slow: bool
    job: str
    ours: bool = field(init=False, default=False)
    destroyed: bool = field(init=False, default=False)
    unheard: bool = field(init=False, default=False)
    """Whether a cancel may have been applied although its reply did not say so."""

    def time_passes(self) -> None:
        if self.job == RUN and self.chance.random() < 0.2:
            self.job = self.chance.choice([DONE, DONE, STOPPED])
        if self.job == STOPPING and self.chance.random() < 0.5:
            self.job = STOPPED

    def answer(self, call: str) -> Reply:
        self.time_passes()
        trouble = self.chance.random()
        before: list[Reply] = [REFUSED, LOST, reply(429, retry_after="1"), reply(503)]
        if trouble < 0.3:
            met = before[int(trouble / 0.3 * len(before))]
            self.unheard |= call == "cancel" and met in (LOST, before[-1])
            return met
        done = self.cancel() if call == "cancel" else self.read()
        self.unheard |= call == "cancel" and trouble < 0.5
        after: list[Reply] = [LOST, reply(502, b"<html>")]
        return after[int((trouble - 0.3) / 0.2 * len(after))] if trouble < 0.5 else done

    def read(self) -> Response:
        return reply(404) if self.job == ABSENT else reply(200, {"status": self.job})

    def cancel(self) -> Response:
        if self.job == ABSENT:
            return reply(404)
        if self.job in {RUN, STOPPING}:
            self.ours = self.ours or self.job == RUN
            self.job = STOPPING if self.slow or self.job == STOPPING else STOPPED
            return self.shape.accepted(self.job)
        if self.shape.destroys:
            self.job, self.destroyed = ABSENT, True
        return self.shape.too_late


def play(vendor: Vendor, policy: Policy, chance: float) -> tuple[CancelResult, float]:
    hand = Hand([], chance=chance)
    job = Job(vendor.shape.adapter.name, "job-1")
    flow = cancel(Call(vendor.shape.adapter, job, ENDPOINT, policy, hand.clock))
    answer: Reply | None = None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as done:
            return done.value, hand.now - 1000.0
        hand.now += step.seconds if isinstance(step, Pause) else 0.01
        answer = vendor.answer(step.call) if isinstance(step, Send) else None


@pytest.mark.parametrize("name", SHAPES)
@given(
    chance=st.randoms(use_true_random=True),
    job=st.sampled_from([RUN, RUN, RUN, DONE, STOPPED, ABSENT]),
    slow=st.booleans(),
    verify=st.booleans(),
    deadline=st.sampled_from([3.0, 30.0]),
)
@settings(max_examples=2_000)
def test_no_outcome_contradicts_the_job(
    name: str, *, chance: Random, job: str, slow: bool, verify: bool, deadline: float
) -> None:
    vendor = Vendor(SHAPES[name], chance, slow, job)
    policy = Policy(verify=verify, deadline=deadline)
    result, took = play(vendor, policy, chance.random())
    truth = {
        # If a job ends between the status read and a destructive cancel, nobody can tell.
        Outcome.CANCELLED: vendor.destroyed
        or (vendor.job in {STOPPING, STOPPED} and (vendor.ours or vendor.unheard)),
        Outcome.CANCELLING: vendor.ours or vendor.destroyed,
        Outcome.ALREADY_TERMINAL: vendor.job in {DONE, STOPPED} and not vendor.ours,
        Outcome.NOT_FOUND: job == ABSENT,
    }
    assert truth.get(result.outcome, True), (result, vendor)
    assert not result.verified or (result.state is not None and result.state.final)
    assert took <= deadline + policy.timeout
