"""The sandbox's control over HTTP: what it does, what it refuses, and its error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcancel.models import JobState

if TYPE_CHECKING:
    import httpx

    from jobcancel.sandbox import Sandbox

JOB = "sandbox-processing"
PATH = f"/job/{JOB}"
TALONIC = "00000000-0000-4000-8000-000000000002"
JSON = {"content-type": "application/json"}


def state(sandbox: Sandbox) -> JobState:
    return sandbox.job("pulse", JOB).state


def fault_text(client: httpx.Client, fields: str) -> httpx.Response:
    body = f'{{"provider": "pulse", "job_id": "{JOB}", {fields}}}'
    return client.post("/_sandbox/faults", content=body, headers=JSON)


def test_a_fault_can_be_injected_over_http(
    pulse: httpx.Client, outside: httpx.Client, sandbox: Sandbox
) -> None:
    fault = {"status": 500, "body": {"a": 1}, "apply": True, "finish_after": None, "stall": 0}
    fault = {"provider": "pulse", "job_id": JOB, "on": "cancel", "times": None, **fault}
    assert outside.post("/_sandbox/faults", json=fault).status_code == 204
    assert pulse.delete(PATH).json() == {"a": 1}
    assert state(sandbox) is JobState.CANCELLED


def test_a_race_can_be_injected_over_http(
    pulse: httpx.Client, outside: httpx.Client, sandbox: Sandbox
) -> None:
    outside.post("/_sandbox/faults", json={"provider": "pulse", "job_id": JOB, "finish": "failed"})
    pulse.delete(PATH)
    assert state(sandbox) is JobState.FAILED


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"provider": None}, "provider must be a string"),
        ({"provider": "nobody", "finish": "failed"}, "no provider 'nobody'"),
        ({"raw": "x"}, "no field 'raw'"),
        ({"status": "500"}, "status must be a whole number"),
        ({"status": True}, "status must be a whole number"),
        ({"headers": {"a": 1}}, "headers must be"),
        ({"finish": "gone"}, "finish must be succeeded, failed, cancelled, expired or null"),
        ({"finish_after": "running"}, "finish_after must be succeeded, failed, cancelled,"),
        ({"times": 0}, "times must be a whole number, 1 or more, or null"),
        ({"times": True}, "times must be a whole number"),
        ({"stall": "1"}, "stall must be seconds"),
    ],
)
def test_an_invalid_fault_over_http_is_explained(
    outside: httpx.Client, change: dict[str, Any], problem: str
) -> None:
    fault = {"provider": "pulse", "job_id": JOB, **change}
    reply = outside.post("/_sandbox/faults", json=fault)
    assert reply.status_code == 422
    assert problem in reply.json()["error"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"{", "must be JSON"), (b"[]", "a JSON object"), (b"{}", "provider is required")],
)
def test_a_fault_that_is_not_an_object_is_explained(
    outside: httpx.Client, body: bytes, problem: str
) -> None:
    reply = outside.post("/_sandbox/faults", content=body, headers=JSON)
    assert reply.status_code == 422
    assert problem in reply.json()["error"]


def test_a_fault_nested_too_deeply_is_refused(outside: httpx.Client) -> None:
    reply = outside.post("/_sandbox/faults", content=b"[" * 200_000, headers=JSON)
    assert (reply.status_code, reply.json()) == (422, {"error": "the body must be JSON"})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (f'"stall": 1{"0" * 400}', "expected seconds"),
        ('"stall": 1e999', "expected seconds"),
        ('"stall": NaN', "expected seconds"),
        ('"status": 200, "headers": {"x-odd": "\\u20ac"}', "cannot be sent"),
        ('"status": 200, "headers": {"x-odd": "a\\r\\nb: c"}', "cannot be sent"),
        ('"status": 200, "headers": {"x odd": "a"}', "cannot be sent"),
        ('"status": 200, "headers": {"": "a"}', "cannot be sent"),
        ('"status": 200, "headers": {"transfer-encoding": "gzip"}', "cannot be sent"),
        ('"status": 200, "headers": {"a": "1", "A": "2"}', "duplicate header"),
        ('"status": 200, "body": "x", "headers": {"Content-Length": "2"}', "content-length"),
        ('"status": 200, "headers": {"content-length": "1"}', "content-length"),
        ('"status": 200, "body": "\\ud800"', "surrogate"),
        ('"status": 200, "body": {"a": "\\ud800"}', "surrogate"),
        ('"status": 200, "body": {"a": NaN}', "as JSON"),
        ('"status": 200, "body": {"a": 1e999}', "as JSON"),
    ],
)
def test_a_fault_that_cannot_be_sent_is_refused(
    pulse: httpx.Client, outside: httpx.Client, fields: str, problem: str
) -> None:
    reply = fault_text(outside, fields)
    assert reply.status_code == 422
    assert problem in reply.json()["error"]
    assert pulse.delete(PATH).json()["message"] == "Job cancelled successfully"


def test_a_correct_content_length_and_latin_1_headers_are_sent(
    pulse: httpx.Client, outside: httpx.Client
) -> None:
    fields = '"status": 503, "body": "\u00e9", "headers": {"content-length": "2", "x-a": "\u00e9"}'
    assert fault_text(outside, fields).status_code == 204
    reply = pulse.delete(PATH)
    assert (reply.status_code, reply.text, reply.headers["x-a"]) == (503, "\u00e9", "\u00e9")


@pytest.mark.parametrize("path", ["/_sandbox/reset", "/_sandbox/faults"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": "null"},
        {"origin": "http://[x"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"},
    ],
)
def test_a_page_of_another_site_can_change_nothing(
    pulse: httpx.Client,
    outside: httpx.Client,
    sandbox: Sandbox,
    path: str,
    headers: dict[str, str],
) -> None:
    pulse.delete(PATH)
    fault = {"provider": "pulse", "job_id": "sandbox-pending", "status": 418}
    assert outside.post(path, json=fault, headers=headers).status_code == 403
    assert state(sandbox) is JobState.CANCELLED
    assert pulse.delete("/job/sandbox-pending").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:{port}", "http://localhost:{port}", "http://[::1]:{port}"]
)
def test_the_sandboxs_own_page_may_reset(
    pulse: httpx.Client, outside: httpx.Client, sandbox: Sandbox, origin: str
) -> None:
    pulse.delete(PATH)
    headers = {
        "origin": origin.format(port=outside.base_url.port),
        "sec-fetch-site": "same-origin",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert outside.post("/_sandbox/reset", headers=headers).status_code == 303
    assert state(sandbox) is JobState.RUNNING


def test_another_site_may_link_to_the_page(outside: httpx.Client) -> None:
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert outside.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_fault_must_have_the_content_type_json(
    pulse: httpx.Client, outside: httpx.Client, media_type: str
) -> None:
    fault = f'{{"provider": "pulse", "job_id": "{JOB}", "status": 418}}'
    headers = {"content-type": media_type}
    reply = outside.post("/_sandbox/faults", content=fault, headers=headers)
    assert reply.status_code == 415
    assert reply.json() == {"error": "the content-type must be application/json"}
    assert pulse.delete(PATH).status_code == 200


def test_the_content_type_may_have_a_charset(outside: httpx.Client) -> None:
    fault = f'{{"provider": "pulse", "job_id": "{JOB}", "status": 418}}'
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert outside.post("/_sandbox/faults", content=fault, headers=headers).status_code == 204


def test_a_job_can_be_submitted_over_http(outside: httpx.Client, sandbox: Sandbox) -> None:
    wanted = {"provider": "openai-batch", "pending": 0, "running": 60, "ends_as": "failed"}
    made = outside.post("/_sandbox/jobs", json=wanted)
    assert made.status_code == 201
    assert JobState.RUNNING is sandbox.job("openai-batch", made.json()["job_id"]).state
    named = outside.post("/_sandbox/jobs", json={"provider": "fal", "job_id": "mine"}).json()
    assert {"provider": "fal", "job_id": "mine"} == named


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({}, "provider is required"),
        ({"provider": "nobody"}, "no provider 'nobody'"),
        ({"provider": "fal", "job_id": 7}, "job_id must be a string"),
        ({"provider": "fal", "running": "long"}, "running must be seconds"),
        ({"provider": "fal", "ends_as": "gone"}, "expected succeeded or failed"),
        ({"provider": "fal", "key": "nobody's"}, "'fal' has no such key here"),
        ({"provider": "fal", "drop": True}, "no field 'drop': expected one of provider, job_id"),
    ],
)
def test_an_invalid_job_is_refused(
    outside: httpx.Client, wanted: dict[str, Any], problem: str
) -> None:
    refused = outside.post("/_sandbox/jobs", json=wanted)
    assert refused.status_code == 422
    assert problem in refused.json()["error"]


def test_a_job_must_have_the_content_type_json(outside: httpx.Client) -> None:
    assert outside.post("/_sandbox/jobs", content=b"{}").status_code == 415
