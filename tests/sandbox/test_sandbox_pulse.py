"""Pulse's endpoints behave as documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from jobcancel.models import JobState
from jobcancel.sandbox import CancelPolicy, Sandbox

if TYPE_CHECKING:
    import httpx


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


def error_code(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


def test_an_async_form_submission_is_accepted(pulse: httpx.Client, sandbox: Sandbox) -> None:
    reply = pulse.post("/extract", data={"fileUrl": "https://x.test/a.pdf", "async": "true"})
    assert reply.status_code == 200
    assert reply.json()["status"] == "pending"
    assert sandbox.job("pulse", reply.json()["job_id"]).state is JobState.PENDING


def test_an_async_multipart_submission_is_accepted(pulse: httpx.Client) -> None:
    reply = pulse.post("/extract", data={"async": "true"}, files={"file": ("a.pdf", b"%PDF")})
    assert reply.status_code == 200


@pytest.mark.parametrize("body", [b'{"async": false}', b"[true]"])
def test_a_json_submission_that_is_not_async_is_refused(pulse: httpx.Client, body: bytes) -> None:
    reply = pulse.post("/extract", content=body, headers={"content-type": "application/json"})
    assert (reply.status_code, error_code(reply)) == (400, "GENERAL_003")
    assert "async" in reply.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[" * 200_000])
def test_a_submission_with_invalid_json_is_refused(pulse: httpx.Client, body: bytes) -> None:
    reply = pulse.post("/extract", content=body, headers={"content-type": "application/json"})
    message = "The body is not valid JSON"
    assert reply.status_code == 400
    assert reply.json() == {"error": {"code": "GENERAL_003", "message": message}}


@pytest.mark.parametrize("media_type", ["Application/JSON", "application/json ; charset=utf-8"])
def test_a_media_type_may_be_written_in_any_case(pulse: httpx.Client, media_type: str) -> None:
    headers = {"content-type": media_type}
    reply = pulse.post("/extract", content=b'{"async": true}', headers=headers)
    assert reply.status_code == 200


def test_the_key_is_checked_before_the_submission(pulse: httpx.Client) -> None:
    headers = {"content-type": "application/json", "x-api-key": "wrong"}
    assert pulse.post("/extract", content=b"{", headers=headers).status_code == 401


def test_a_form_submission_that_is_not_async_is_refused(pulse: httpx.Client) -> None:
    assert pulse.post("/extract", data={"fileUrl": "https://x.test/a.pdf"}).status_code == 400


def test_a_file_is_not_a_value_of_async(pulse: httpx.Client) -> None:
    assert pulse.post("/extract", files={"async": ("a.pdf", b"true")}).status_code == 400


def test_a_broken_form_is_refused_in_the_envelope(pulse: httpx.Client) -> None:
    reply = pulse.post("/extract", content=b"x", headers={"content-type": "multipart/form-data"})
    assert (reply.status_code, error_code(reply)) == (400, "GENERAL_002")


def test_extract_async_needs_no_flag(pulse: httpx.Client) -> None:
    assert pulse.post("/extract_async", data={"fileUrl": "x"}).json()["status"] == "pending"


def test_times_are_iso_8601(pulse: httpx.Client, sandbox: Sandbox) -> None:
    body = pulse.get(f"/job/{sandbox.submit('pulse')}").json()
    assert body["created_at"] == body["updated_at"] == "2023-11-14T22:13:20.000000+00:00"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/job/"), ("POST", "/cancel/")])
def test_an_active_job_is_cancelled(
    pulse: httpx.Client, sandbox: Sandbox, method: str, path: str
) -> None:
    reply = pulse.request(method, f"{path}sandbox-processing")
    assert reply.json() == {
        "job_id": "sandbox-processing",
        "message": "Job cancelled successfully",
    }
    assert sandbox.job("pulse", "sandbox-processing").state is JobState.CANCELLED
    assert pulse.get("/job/sandbox-processing").json()["status"] == "canceled"


def test_a_finished_job_answers_500_and_stays(pulse: httpx.Client, sandbox: Sandbox) -> None:
    reply = pulse.delete("/job/sandbox-completed")
    assert (reply.status_code, error_code(reply)) == (500, "JOB_002")
    assert sandbox.job("pulse", "sandbox-completed").state is JobState.SUCCEEDED


def test_a_job_may_succeed_after_its_cancel_was_accepted(
    pulse: httpx.Client, sandbox: Sandbox, clock: Clock
) -> None:
    assert pulse.delete("/job/sandbox-completes-anyway").status_code == 200
    assert sandbox.job("pulse", "sandbox-completes-anyway").state is JobState.RUNNING
    clock.advance(0.3)
    assert sandbox.job("pulse", "sandbox-completes-anyway").state is JobState.SUCCEEDED


def test_a_job_that_ends_before_its_cancel_takes_effect_is_not_cancelled(
    pulse: httpx.Client, sandbox: Sandbox, clock: Clock
) -> None:
    job_id = sandbox.submit("pulse", pending=0, running=1, on_cancel=CancelPolicy(after=2))
    pulse.delete(f"/job/{job_id}")
    clock.advance(5)
    assert sandbox.job("pulse", job_id).state is JobState.SUCCEEDED


def test_an_encoded_id_is_one_path_segment(pulse: httpx.Client) -> None:
    reply = pulse.delete("/job/sandbox%2F50%25%20done%3F")
    assert reply.json()["job_id"] == "sandbox/50% done?"


def test_an_id_with_a_bare_slash_is_not_found(pulse: httpx.Client) -> None:
    assert error_code(pulse.delete("/job/sandbox/50%25%20done%3F")) == "GENERAL_002"


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("", 401, "AUTH_001"),
        ("sandbox-pulse-wrong-key", 401, "AUTH_002"),
        ("sandbox-pulse-expired-key", 401, "AUTH_003"),
        ("sandbox-pulse-limited-key", 403, "AUTH_004"),
    ],
)
def test_keys_are_checked(pulse: httpx.Client, key: str, status: int, code: str) -> None:
    reply = pulse.delete("/job/sandbox-pending", headers={"x-api-key": key})
    assert (reply.status_code, error_code(reply)) == (status, code)


def test_a_spent_quota_says_how_long_to_wait(pulse: httpx.Client, clock: Clock) -> None:
    headers = {"x-api-key": "sandbox-pulse-other-key"}
    replies = [pulse.get("/job/sandbox-foreign", headers=headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].headers["retry-after"] == "2"
    clock.advance(2)
    assert pulse.get("/job/sandbox-foreign", headers=headers).status_code == 200


def test_an_unknown_path_is_answered_in_the_envelope(pulse: httpx.Client) -> None:
    reply = pulse.get("/jobs")
    assert (reply.status_code, error_code(reply)) == (404, "GENERAL_002")


def test_an_unsupported_method_is_answered_in_the_envelope(pulse: httpx.Client) -> None:
    reply = pulse.put("/job/sandbox-pending")
    assert (reply.status_code, error_code(reply)) == (405, "GENERAL_002")


def test_a_trailing_slash_is_not_redirected(pulse: httpx.Client) -> None:
    assert pulse.delete("/job/sandbox-pending/").status_code == 404


def test_request_ids_are_counted(pulse: httpx.Client) -> None:
    ids = [pulse.get("/job/sandbox-pending").headers["x-request-id"] for _ in range(2)]
    assert ids == ["req_000001", "req_000002"]
