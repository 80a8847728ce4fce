"""Google Gemini, according to its page and its SDK."""

from __future__ import annotations

from typing import Any

import pytest

from jobcancel import Outcome, cancel, config
from jobcancel.models import Job, JobState
from jobcancel.testing import contract, scripted, steps
from jobcancel.vendors.gemini import GEMINI_BATCH
from tests.hand import ENDPOINT, reply

VERSION = {"api_version": "v1beta"}
JOB = Job("gemini-batch", "batches/abc123", VERSION)
INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


def batch(state: str, kind: str = "BATCH") -> steps.Step:
    return steps.reply(200, {"name": JOB.job_id, "metadata": {"state": f"{kind}_STATE_{state}"}})


def error(code: int, status: str, *details: object) -> dict[str, Any]:
    body = {"code": code, "message": "m", "status": status}
    return {"error": {**body, "details": [*details]} if details else body}


class TestGeminiBatch(contract.AdapterContract):
    adapter = GEMINI_BATCH
    job_id = JOB.job_id
    params = VERSION
    replies = {
        Outcome.CANCELLING: steps.reply(200, {}),
        Outcome.UNAUTHORIZED: [
            steps.reply(400, error(400, "INVALID_ARGUMENT", INFO)),
            steps.reply(401, error(401, "UNAUTHENTICATED")),
        ],
        Outcome.FORBIDDEN: steps.reply(403, error(403, "PERMISSION_DENIED")),
        Outcome.NOT_FOUND: steps.reply(404, error(404, "NOT_FOUND")),
        Outcome.RATE_LIMITED: steps.reply(429, error(429, "RESOURCE_EXHAUSTED")),
        Outcome.UNKNOWN: [
            steps.reply(501, error(501, "UNIMPLEMENTED")),
            steps.reply(503, error(503, "UNAVAILABLE")),
        ],
    }
    statuses = {
        JobState.PENDING: batch("PENDING"),
        JobState.RUNNING: batch("RUNNING"),
        JobState.CANCELLING: batch("CANCELLING", "JOB"),
        JobState.SUCCEEDED: batch("SUCCEEDED"),
        JobState.FAILED: batch("FAILED"),
        JobState.CANCELLED: batch("CANCELLED"),
        JobState.EXPIRED: batch("EXPIRED"),
    }
    undocumented = [Outcome.ALREADY_TERMINAL]


@pytest.mark.parametrize("job_id", ["a b/ü:1", "batches/a b/ü:1"])
def test_the_verb_follows_the_id_with_or_without_its_prefix(job_id: str) -> None:
    job = Job("gemini-batch", job_id, {"api_version": "v1"})
    request = GEMINI_BATCH.cancel_request(job, ENDPOINT, "unused")
    status = GEMINI_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}/v1/batches/a%20b%2F%C3%BC%3A1"
    assert ("POST", f"{url}:cancel", {}, None) == (
        request.method,
        request.url,
        request.headers,
        request.content,
    )
    assert ("GET", url) == (status.method, status.url)
    assert ("x-goog-api-key", "k") == (request.credential.header, request.credential.spell("k"))


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("QUEUED", JobState.PENDING),
        ("PENDING", JobState.PENDING),
        ("PAUSED", JobState.PENDING),
        ("RUNNING", JobState.RUNNING),
        ("UPDATING", JobState.RUNNING),
        ("CANCELLING", JobState.CANCELLING),
        ("CANCELLED", JobState.CANCELLED),
        ("SUCCEEDED", JobState.SUCCEEDED),
        ("PARTIALLY_SUCCEEDED", JobState.SUCCEEDED),
        ("FAILED", JobState.FAILED),
        ("EXPIRED", JobState.EXPIRED),
        ("UNSPECIFIED", JobState.UNKNOWN),
    ],
)
def test_the_job_states_of_the_sdk_are_known(word: str, state: JobState) -> None:
    answer = reply(200, {"name": JOB.job_id, "metadata": {"state": f"JOB_STATE_{word}"}})
    assert state is GEMINI_BATCH.read_status(JOB, answer).state


def test_the_version_may_come_from_the_sdks_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v1")
    assert {"api_version": "v1"} == config.job(GEMINI_BATCH, "abc123", None).params


def test_the_default_version_is_the_documented_one() -> None:
    running = {"name": "batches/abc123", "metadata": {"state": "BATCH_STATE_RUNNING"}}
    with scripted(steps.reply(200, {}), steps.reply(200, running)) as script:
        result = cancel("gemini-batch", "abc123")
    assert Outcome.CANCELLING is result.outcome
    paths = ["/v1beta/batches/abc123:cancel", "/v1beta/batches/abc123"]
    assert paths == [request.path for request in script.requests]


def test_a_prefix_alone_is_not_an_id() -> None:
    assert "the job id is empty" in str(
        GEMINI_BATCH.refuse(Job("gemini-batch", "batches/", VERSION))
    )


def test_a_batch_is_the_same_with_or_without_its_prefix() -> None:
    body = {"name": "batches/abc123", "metadata": {"state": "BATCH_STATE_CANCELLED"}}
    reading = GEMINI_BATCH.read_status(Job("gemini-batch", "abc123", VERSION), reply(200, body))
    assert JobState.CANCELLED is reading.state


def test_a_wrong_key_is_unauthorized_in_a_status_read() -> None:
    answer = reply(400, error(400, "INVALID_ARGUMENT", {"@type": "other"}, INFO))
    assert Outcome.UNAUTHORIZED is GEMINI_BATCH.read_cancel(JOB, answer).outcome
    assert Outcome.UNAUTHORIZED is GEMINI_BATCH.read_status(JOB, answer).outcome


@pytest.mark.parametrize(
    "body",
    [
        error(400, "FAILED_PRECONDITION"),
        error(400, "INVALID_ARGUMENT"),
        error(400, "INVALID_ARGUMENT", {"reason": "FIELD_INVALID"}, "API_KEY_INVALID"),
        {"error": {"details": INFO}},
    ],
)
def test_any_other_400_is_inconclusive(body: object) -> None:
    assert GEMINI_BATCH.read_cancel(JOB, reply(400, body)).outcome is None


def test_the_reason_counts_only_in_a_400() -> None:
    answer = reply(500, error(500, "INTERNAL", INFO))
    assert GEMINI_BATCH.read_cancel(JOB, answer).outcome is None


@pytest.mark.parametrize(("delay", "wait"), [("30s", 30.0), ("1.5s", 1.5), ("soon", None)])
def test_the_wait_is_read_from_the_error_details(delay: str, wait: float | None) -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    refusal = reply(429, error(429, "RESOURCE_EXHAUSTED", {"@type": "other"}, retry))
    reading = GEMINI_BATCH.read_cancel(JOB, refusal)
    assert (Outcome.RATE_LIMITED, wait) == (reading.outcome, reading.retry_after)


def test_only_the_beginning_of_a_long_list_is_read() -> None:
    details: list[object] = [0] * 100
    far = reply(400, error(400, "INVALID_ARGUMENT", *details, INFO))
    near = reply(400, error(400, "INVALID_ARGUMENT", *details[1:], INFO))
    found = [GEMINI_BATCH.read_cancel(JOB, answer).outcome for answer in (far, near)]
    assert [None, Outcome.UNAUTHORIZED] == found


def test_the_code_of_an_error_is_its_status_word() -> None:
    reading = GEMINI_BATCH.read_cancel(JOB, reply(404, error(404, "NOT_FOUND")))
    assert ("NOT_FOUND", "m") == (reading.code, reading.message)
