"""`HttpAdapter`: what is sent and how replies are read, beyond what the built-in vendors show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from jobcancel import Adapter, HttpAdapter, JobState, Outcome, get_adapter, providers
from jobcancel.adapter import BASIC, Credential, Param, Response, Route
from jobcancel.models import Job
from jobcancel.vendors.pulse import PULSE
from tests.hand import ENDPOINT, reply

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
def test_every_built_in_provider_is_an_adapter_of_its_own_name(name: str) -> None:
    adapter = get_adapter(name)
    assert isinstance(adapter, Adapter)
    assert name == adapter.name


@pytest.mark.parametrize("name", providers())
@settings(max_examples=30)  # for each of thirty providers that share most of the code
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
        assert isinstance(adapter, HttpAdapter)
        assert content is not None
        documented = status_code in adapter.empty_body_statuses and content in {b"", b"{}"}
        assert documented or any(
            word in content.lower()
            for word in (b'"canceled"', b'"cancelled"', b"via api", b"cancelled successfully")
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


# What other vendors need


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
def test_a_verdict_or_a_documented_empty_body_settles(
    response: Response, outcome: Outcome | None
) -> None:
    assert outcome is VERDICTS.read_cancel(JOB, response).outcome


def test_a_wait_in_the_body_and_a_request_id_by_another_header_are_read() -> None:
    reading = VERDICTS.read_cancel(JOB, reply(429, {"wait": 2.5}, request_id="r"))
    assert (2.5, "r") == (reading.retry_after, reading.request_id)


@pytest.mark.parametrize("wait", [-1, True, "2", 1e12, None])
def test_a_wait_in_the_body_that_is_none_is_left_out(wait: object) -> None:
    assert VERDICTS.read_cancel(JOB, reply(429, {"wait": wait})).retry_after is None


def test_an_adapters_own_functions_come_first() -> None:
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


def test_of_what_an_adapters_own_function_finds_only_a_refusal_counts_for_a_status() -> None:
    def own(response: Response) -> Outcome | None:
        found = {400: Outcome.UNAUTHORIZED, 404: Outcome.ALREADY_TERMINAL}
        return found.get(response.status_code)

    adapter: HttpAdapter = evolve(PULSE, outcome_hook=own)
    read = {code: adapter.read_status(JOB, reply(code)).outcome for code in (400, 404, 409)}
    assert {400: Outcome.UNAUTHORIZED, 404: Outcome.NOT_FOUND, 409: None} == read


def test_a_prefix_that_ids_may_have_is_left_out_of_the_address_and_of_comparisons() -> None:
    adapter: HttpAdapter = evolve(PULSE, id_prefix="jobs/")
    for job_id in ("1", "jobs/1"):
        job = Job("pulse", job_id)
        assert adapter.cancel_request(job, ENDPOINT, "k").url.endswith("/job/1")
        same = reply(200, {"job_id": "jobs/1", "status": "canceled"})
        assert Outcome.CANCELLED is adapter.read_cancel(job, same).outcome


def test_an_id_that_is_not_of_the_vendors_form_is_refused() -> None:
    adapter: HttpAdapter = evolve(PULSE, id_pattern="[0-9]+")
    assert adapter.refuse(Job("pulse", "12")) is None
    assert "is not of the vendor's form, [0-9]+" in str(adapter.refuse(Job("pulse", "12a")))


def test_a_body_and_fixed_headers_are_sent() -> None:
    adapter: HttpAdapter = evolve(
        PULSE,
        headers={"acme-version": "7"},
        cancel=Route("POST", "/cancel", body={"run_id": "{id:int}"}),
        idempotency_header="once",
    )
    request = adapter.cancel_request(Job("pulse", "12"), ENDPOINT, "k")
    assert b'{"run_id": 12}' == request.content
    sent = {"acme-version": "7", "content-type": "application/json", "once": "k"}
    assert sent == request.headers
    assert "not a whole number" in str(adapter.refuse(JOB))


def test_a_header_has_its_param_or_is_left_out() -> None:
    adapter: HttpAdapter = evolve(
        PULSE,
        params={"project": Param("whose the job is", optional=True)},
        headers={"acme-version": "7", "acme-project": "project-{project}"},
    )
    given = [Job("pulse", "12"), Job("pulse", "12", {"project": "p"})]
    version = {"acme-version": "7"}
    sent = [adapter.cancel_request(job, ENDPOINT, "k").headers for job in given]
    assert [version, {**version, "acme-project": "project-p"}] == sent
    read = adapter.status_request(given[1], ENDPOINT)
    assert read is not None
    assert sent[1] == read.headers
    broken = Job("pulse", "12", {"project": "p\r\nx: y"})
    assert "has a control character" in str(adapter.refuse(broken))


@pytest.mark.parametrize(
    ("credential", "value"),
    [
        (Credential(header="x-key", scheme=""), "a key"),
        (Credential(scheme="Key"), "Key a key"),
        (BASIC, "Basic YSBrZXk6"),
    ],
)
def test_a_key_is_spelled_as_the_vendor_wants(credential: Credential, value: str) -> None:
    assert value == credential.spell("a key")


def test_a_user_and_a_password_are_one_key() -> None:
    assert "Basic dXNlcjpwYXNz" == BASIC.spell("user:pass")


def test_the_state_and_the_id_are_read_where_they_are_found_first() -> None:
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
def test_a_verdict_where_the_state_is_in_other_replies_is_no_state(
    word: object, outcome: Outcome | None, state: JobState | None, raw_state: str | None
) -> None:
    adapter = evolve(VERDICTS, verdict="status")
    reading = adapter.read_cancel(JOB, reply(200, {"status": word}))
    assert (outcome, state, raw_state) == (reading.outcome, reading.state, reading.raw_state)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [(Outcome.NOT_FOUND, Outcome.NOT_FOUND), (Outcome.ALREADY_TERMINAL, None)],
)
def test_a_refusal_that_an_adapters_own_function_finds_counts_for_a_status_read(
    found: Outcome, outcome: Outcome | None
) -> None:
    adapter = evolve(PULSE, outcome_hook=lambda _: found)
    assert outcome is adapter.read_status(JOB, reply(400)).outcome
