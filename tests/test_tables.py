"""`HttpAdapter`: what is sent and how replies are read, beyond what the built-in vendors show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from jobcancel import Adapter, HttpAdapter, JobState, Outcome, get_adapter, providers
from jobcancel.adapter import Response
from jobcancel.models import Job
from jobcancel.providers.pulse import PULSE
from jobcancel.tables import Route
from tests.hand import ENDPOINT, reply

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
def test_every_built_in_provider_is_an_adapter_of_its_own_name(name: str) -> None:
    adapter = get_adapter(name)
    assert isinstance(adapter, Adapter)
    assert name == adapter.name


@pytest.mark.parametrize("name", providers())
@given(
    status_code=st.integers(200, 599),
    content=BODIES | LIKELY | st.none(),
    headers=st.dictionaries(st.sampled_from(["retry-after", "x-request-id"]), st.text()),
)
def test_no_reply_raises_or_is_cancelled_without_evidence(
    name: str, status_code: int, content: bytes | None, headers: dict[str, str]
) -> None:
    adapter = get_adapter(name)
    response = Response(status_code=status_code, headers=headers, content=content)
    reading = adapter.read_cancel(JOB, response)
    adapter.read_status(JOB, response)
    if reading.outcome is Outcome.CANCELLED:
        assert 200 <= status_code < 300
        assert content is not None
        assert any(
            word in content
            for word in (b'"canceled"', b'"cancelled"', b"via API", b"cancelled successfully")
        )


def test_params_are_filled_in_as_single_segments() -> None:
    adapter = evolve(
        PULSE, cancel=Route("POST", "/v2/{endpoint}/cancel/{id}"), params={"endpoint": "its id"}
    )
    job = Job("pulse", "a/b", {"endpoint": "e 1"})
    assert ("https://vendor.example/v2/e%201/cancel/a%2Fb") == adapter.cancel_request(
        job, ENDPOINT, "k"
    ).url


def test_a_param_that_cannot_be_a_segment_is_refused() -> None:
    refusal = PULSE.refuse(Job("pulse", "1", {"endpoint": ".."}))
    assert "the param 'endpoint' is '..', which would change the path" in str(refusal)


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ({(400, "GONE"): Outcome.NOT_FOUND, "GONE": Outcome.INVALID}, Outcome.NOT_FOUND),
        ({"GONE": Outcome.NOT_FOUND, 400: Outcome.INVALID}, Outcome.NOT_FOUND),
        ({400: Outcome.INVALID}, Outcome.INVALID),
        ({(401, "GONE"): Outcome.UNAUTHORIZED}, None),
    ],
)
def test_the_most_specific_rule_for_an_error_counts(
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
        (reply(200, {"status": "failed"}), "the vendor reads the job as 'failed'"),
    ],
)
def test_a_reply_without_a_message_is_described(response: Response, message: str) -> None:
    assert message == PULSE.read_cancel(JOB, response).message


def test_a_long_message_and_code_are_cut() -> None:
    long = {"error": {"message": "x" * 10_000, "code": "y" * 10_000}}
    reading = PULSE.read_cancel(JOB, reply(500, long))
    assert ("x" * 500, "y" * 500) == (reading.message, reading.code)


def test_a_lone_surrogate_in_a_message_is_replaced() -> None:
    answer = reply(404, b'{"error": {"message": "bad \\ud800"}}')
    assert "bad ?" == PULSE.read_cancel(JOB, answer).message


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 65 + b"[]" + b"}" * 65, b'{"a": NaN}', b'{"a": -Infinity}'],
)
def test_json_that_is_nested_without_end_or_no_json_is_no_object(body: bytes) -> None:
    assert reply(200, body).body is None


def test_json_that_is_nested_within_reason_is_read() -> None:
    assert reply(200, b'{"a":' * 60 + b"[]" + b"}" * 60).body is not None


def test_the_header_with_the_request_id_comes_first() -> None:
    response = reply(500, {"request_id": "in the body"}, x_request_id="in the header")
    assert "in the header" == PULSE.read_cancel(JOB, response).request_id


def test_a_field_without_a_name_is_no_progress() -> None:
    assert PULSE.read_cancel(JOB, reply(500, {"": 5})).progress is None


def test_an_acceptance_whose_job_goes_on_is_cancelling() -> None:
    adapter = evolve(PULSE, accepted=Outcome.CANCELLING)
    success = {"job_id": "job-1", "message": "Job cancelled successfully"}
    assert Outcome.CANCELLING is adapter.read_cancel(JOB, reply(200, success)).outcome


def test_an_override_needs_all_its_values() -> None:
    talonic = get_adapter("talonic")
    other = {"id": "job-1", "status": "queued", "error": {"message": "Cancelled via API"}}
    assert JobState.PENDING is talonic.read_status(JOB, reply(200, other)).state
