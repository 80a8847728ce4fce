"""Runs a flow on scripted replies, without I/O or waiting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from attrs import define, field

from jobcancel import config
from jobcancel.adapter import Adapter, Endpoint, Response
from jobcancel.flow import Call, cancel, status
from jobcancel.flow.events import Flow, NoReply, NotSent, Pause, Reply, Send
from jobcancel.models import CancelResult, Job, JobReading
from jobcancel.retry import Clock, Policy
from jobcancel.secret import Secret
from jobcancel.vendors.pulse import PULSE

T = TypeVar("T")

LOST = NoReply("the connection broke")
REFUSED = NotSent("could not connect")
ENDPOINT = Endpoint(base_url="https://vendor.example", key=Secret("sk-very-secret-key"))


def reply(status_code: int, body: object = None, **headers: str) -> Response:
    """Return a vendor's reply; a 4xx has a message by default. Header names use underscores."""
    if body is None:
        body = {"message": "no"} if status_code in range(400, 500) else b""
    content = body if isinstance(body, bytes) else _json(body)
    return Response(
        status_code=status_code,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        content=content,
    )


def found(adapter: Adapter) -> Endpoint:
    """Return the endpoint that the environment configures."""
    key = cast("str", ENDPOINT.key)  # `config` expects a `Secret`
    return config.endpoint(
        adapter, api_keys={}, base_urls={}, api_key=key, base_url=None, allow_http=False
    )


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


@define
class Hand:
    """Answers the requests of a flow in order, and records requests and pauses.

    After `answers`, each request gets the reply that `then` has for its method.
    """

    answers: list[Reply]
    then: Mapping[str, Reply] = field(factory=dict)
    each_takes: float = 0.01
    chance: float = 0.5
    now: float = 1000.0
    did: list[str] = field(init=False, factory=list)
    sends: list[Send] = field(init=False, factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: self.now,
            wall=lambda: 1_700_000_000.0 + self.now - 1000.0,
            random=lambda: self.chance,
        )

    def play(self, flow: Flow[T]) -> T:
        answer: Reply | None = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as done:
                assert [] == self.answers, "the flow ended before it used these replies"
                return done.value  # type: ignore[no-any-return]
            answer = self._take(step)

    def _take(self, step: Send | Pause) -> Reply | None:
        if isinstance(step, Pause):
            self.now += step.seconds
            self.did.append(f"pause {step.seconds:g}")
            return None
        self.now += self.each_takes
        self.sends.append(step)
        self.did.append(f"{step.request.method} {urlsplit(step.request.url).path}")
        return self.answers.pop(0) if self.answers else self.then[step.request.method]


def play_cancel(
    *answers: Reply,
    adapter: Adapter = PULSE,
    job_id: str = "job-1",
    hand: Hand | None = None,
    then: Mapping[str, Reply] | None = None,
    **policy: Any,
) -> tuple[CancelResult, list[str]]:
    """Cancel a job with these replies; return the result, and the requests and pauses."""
    hand = hand or Hand(list(answers), then or {})
    job = Job(adapter.name, job_id)
    result = hand.play(cancel(Call(adapter, job, ENDPOINT, Policy(**policy), hand.clock)))
    return result, hand.did


def play_status(
    *answers: Reply,
    adapter: Adapter = PULSE,
    job_id: str = "job-1",
    then: Mapping[str, Reply] | None = None,
    **policy: Any,
) -> tuple[JobReading, list[str]]:
    """Get a job's status with these replies; return the reading, and the requests and pauses."""
    hand = Hand(list(answers), then or {})
    job = Job(adapter.name, job_id)
    reading = hand.play(status(Call(adapter, job, ENDPOINT, Policy(**policy), hand.clock)))
    return reading, hand.did
