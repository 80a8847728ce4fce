"""How `HttpAdapter` interprets replies, beyond those of the built-in vendors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from jobcancel import HttpAdapter, JobState, Outcome, get_adapter, providers
from jobcancel.adapter import Response
from jobcancel.models import Job
from jobcancel.vendors.pulse import PULSE
from tests.hand import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB = Job("pulse", "job-1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


WORDS = st.sampled_from(["canceled", "cancelled", "completed", "failed", "Cancelled via API"])


BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode())


LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("job-1") | JSON,
        "job_id": st.just("job-1") | JSON,
        "status": WORDS | JSON,
        "message": st.just("Job cancelled successfully") | JSON,
        "error": st.fixed_dictionaries({"code": JSON, "message": WORDS | JSON}) | JSON,
    },
).map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("name", providers())
@settings(max_examples=30)  # per provider; the thirty providers share most of the code
@given(
    status_code=st.integers(200, 599),
    content=BODIES | LIKELY | st.none(),
    headers=st.dictionaries(st.sampled_from(["retry-after", "x-request-id"]), st.text()),
)
def test_no_reply_raises_or_reads_as_cancelled_without_evidence(
    name: str, status_code: int, content: bytes | None, headers: dict[str, str]
) -> None:
    adapter = get_adapter(name)
    response = Response(status_code=status_code, headers=headers, content=content)
    reading = adapter.read_cancel(JOB, response)
    adapter.read_status(JOB, response)
    if reading.outcome is Outcome.CANCELLED:
        assert 200 <= status_code < 300
        assert isinstance(adapter, HttpAdapter)
        assert content is not None
        documented = status_code in adapter.empty_body_statuses and content in {b"", b"{}"}
        assert documented or any(
            word in content.lower()
            for word in (b'"canceled"', b'"cancelled"', b"via api", b"cancelled successfully")
        )


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ({(400, "GONE"): Outcome.NOT_FOUND, "GONE": Outcome.INVALID}, Outcome.NOT_FOUND),
        ({"GONE": Outcome.NOT_FOUND, 400: Outcome.INVALID}, Outcome.NOT_FOUND),
        ({400: Outcome.INVALID}, Outcome.INVALID),
        ({(401, "GONE"): Outcome.UNAUTHORIZED}, None),
    ],
)
def test_the_most_specific_error_rule_wins(
    replies: dict[Any, Outcome], outcome: Outcome | None
) -> None:
    adapter: HttpAdapter = evolve(PULSE, replies=replies)
    reading = adapter.read_cancel(JOB, reply(400, {"error": {"code": "GONE"}}))
    assert outcome is reading.outcome


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (reply(307), "HTTP 307: a redirect, which is never followed"),
        (reply(204), "HTTP 204 with an empty body"),
        (reply(502, b"<html>"), "HTTP 502 whose body is not a JSON object"),
        (reply(418, {}), "HTTP 418 without a message"),
        (Response(status_code=200, content=None, problem="too large"), "HTTP 200: too large"),
        (reply(200, {"status": "failed"}), "the vendor reports status 'failed'"),
    ],
)
def test_a_reply_without_a_message_is_described(response: Response, message: str) -> None:
    assert message == PULSE.read_cancel(JOB, response).message


def test_a_long_message_and_code_are_truncated() -> None:
    long = {"error": {"message": "x" * 10_000, "code": "y" * 10_000}}
    reading = PULSE.read_cancel(JOB, reply(500, long))
    assert ("x" * 500, "y" * 500) == (reading.message, reading.code)


def test_a_lone_surrogate_in_a_message_is_replaced() -> None:
    answer = reply(404, b'{"error": {"message": "bad \\ud800"}}')
    assert "bad ?" == PULSE.read_cancel(JOB, answer).message


def test_the_request_id_header_takes_precedence_over_the_body() -> None:
    response = reply(500, {"request_id": "in the body"}, x_request_id="in the header")
    assert "in the header" == PULSE.read_cancel(JOB, response).request_id


def test_a_field_with_an_empty_name_is_not_progress() -> None:
    assert PULSE.read_cancel(JOB, reply(500, {"": 5})).progress is None


def test_success_is_cancelling_if_the_job_is_declared_to_keep_running() -> None:
    adapter = evolve(PULSE, accepted=Outcome.CANCELLING)
    success = {"job_id": "job-1", "message": "Job cancelled successfully"}
    assert Outcome.CANCELLING is adapter.read_cancel(JOB, reply(200, success)).outcome


def test_an_override_applies_only_if_all_its_fields_match() -> None:
    talonic = get_adapter("talonic")
    other = {"id": "job-1", "status": "queued", "error": {"message": "Cancelled via API"}}
    assert JobState.PENDING is talonic.read_status(JOB, reply(200, other)).state


VERDICTS: HttpAdapter = evolve(
    PULSE,
    name="verdicts",
    verdict="said",
    verdicts={
        "OK": Outcome.CANCELLED,
        "REQUESTED": Outcome.CANCELLING,
        "TOO_LATE": Outcome.ALREADY_TERMINAL,
        False: Outcome.ALREADY_TERMINAL,
    },
    empty_body_statuses=frozenset({202, 204}),
    retry_after=("wait",),
    request_id_header="request-id",
)


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (reply(200, {"said": "OK"}), Outcome.CANCELLED),
        (reply(202, {"said": "REQUESTED"}), Outcome.CANCELLING),
        (reply(400, {"said": "TOO_LATE"}), Outcome.ALREADY_TERMINAL),
        (reply(200, {"said": False}), Outcome.ALREADY_TERMINAL),
        (reply(200, {"said": True}), None),
        (reply(200, {"said": ["OK"]}), None),
        (reply(404, {"said": "?"}), Outcome.NOT_FOUND),
        (reply(200, {"said": "OK", "job_id": "another"}), None),
        (reply(204), Outcome.CANCELLED),
        (reply(202, {}), Outcome.CANCELLED),
        (reply(202, b"[]"), None),
        (reply(200), None),
        (reply(200, {}), None),
        (Response(status_code=204, content=None, problem="cut short"), None),
    ],
)
def test_a_verdict_or_a_documented_empty_body_is_conclusive(
    response: Response, outcome: Outcome | None
) -> None:
    assert outcome is VERDICTS.read_cancel(JOB, response).outcome


def test_retry_after_in_the_body_and_a_custom_request_id_header_are_read() -> None:
    reading = VERDICTS.read_cancel(JOB, reply(429, {"wait": 2.5}, request_id="r"))
    assert (2.5, "r") == (reading.retry_after, reading.request_id)


@pytest.mark.parametrize("wait", [-1, True, "2", 1e12, None])
def test_an_invalid_wait_in_the_body_is_ignored(wait: object) -> None:
    assert VERDICTS.read_cancel(JOB, reply(429, {"wait": wait})).retry_after is None


def test_hooks_take_precedence_over_the_declaration() -> None:
    def counted(body: Mapping[str, Any]) -> JobState | None:
        return JobState.CANCELLED if body.get("canceled") else None

    def too_late(response: Response) -> Outcome | None:
        return Outcome.ALREADY_TERMINAL if response.status_code == 404 else None

    adapter: HttpAdapter = evolve(VERDICTS, state_hook=counted, outcome_hook=too_late)
    ended = {"status": "completed", "canceled": 3}
    assert JobState.CANCELLED is adapter.read_status(JOB, reply(200, ended)).state
    assert JobState.SUCCEEDED is adapter.read_status(JOB, reply(200, {"status": "completed"})).state
    assert Outcome.ALREADY_TERMINAL is adapter.read_cancel(JOB, reply(404)).outcome
    assert Outcome.CANCELLED is adapter.read_cancel(JOB, reply(200, {"said": "OK"})).outcome


def test_outcome_hook_on_a_status_read_may_only_return_refusals() -> None:
    def own(response: Response) -> Outcome | None:
        found = {400: Outcome.UNAUTHORIZED, 404: Outcome.ALREADY_TERMINAL}
        return found.get(response.status_code)

    adapter: HttpAdapter = evolve(PULSE, outcome_hook=own)
    read = {code: adapter.read_status(JOB, reply(code)).outcome for code in (400, 404, 409)}
    assert {400: Outcome.UNAUTHORIZED, 404: Outcome.NOT_FOUND, 409: None} == read


def test_state_and_id_are_read_from_the_first_path_that_exists() -> None:
    adapter: HttpAdapter = evolve(
        PULSE, state=("job.status", "status"), job_id=("job.id", "id"), success={}
    )
    nested = {"job": {"id": "job-1", "status": "processing"}}
    assert JobState.RUNNING is adapter.read_status(JOB, reply(200, nested)).state
    flat = {"id": "job-1", "status": "canceled"}
    assert Outcome.CANCELLED is adapter.read_cancel(JOB, reply(200, flat)).outcome
    assert adapter.read_cancel(JOB, reply(200, {**flat, "id": "another"})).outcome is None


@pytest.mark.parametrize(
    ("word", "outcome", "state", "raw_state"),
    [
        ("OK", Outcome.CANCELLED, None, None),
        ("completed", Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED, "completed"),
        ("?", None, JobState.UNKNOWN, "?"),
        (["OK"], None, None, None),
    ],
)
def test_a_verdict_in_the_state_field_is_not_a_state(
    word: object, outcome: Outcome | None, state: JobState | None, raw_state: str | None
) -> None:
    adapter = evolve(VERDICTS, verdict="status")
    reading = adapter.read_cancel(JOB, reply(200, {"status": word}))
    assert (outcome, state, raw_state) == (reading.outcome, reading.state, reading.raw_state)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [(Outcome.NOT_FOUND, Outcome.NOT_FOUND), (Outcome.ALREADY_TERMINAL, None)],
)
def test_outcome_hook_not_found_applies_to_a_status_read(
    found: Outcome, outcome: Outcome | None
) -> None:
    adapter = evolve(PULSE, outcome_hook=lambda _: found)
    assert outcome is adapter.read_status(JOB, reply(400)).outcome
