"""OpenAI, according to its API reference, and to third parties for finished batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcancel import config
from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.testing import contract, steps
from jobcancel.vendors.openai import OPENAI_BATCH, OPENAI_FINETUNE, OPENAI_RESPONSE
from tests.hand import ENDPOINT, LOST, play_cancel, reply

if TYPE_CHECKING:
    from jobcancel.adapter.http import HttpAdapter
    from jobcancel.testing.contract.inputs import Replies

JOB = Job("openai-batch", "batch_abc123")
ODD = "a b/ü:1"


def error(message: str, code: str | None = None) -> dict[str, Any]:
    return {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": None,
            "code": code,
        }
    }


ERRORS = {
    Outcome.UNAUTHORIZED: steps.reply(401, error("Incorrect API key", "invalid_api_key")),
    Outcome.NOT_FOUND: steps.reply(404, error("No such job")),
    Outcome.RATE_LIMITED: steps.reply(429, error("Slow down"), headers={"retry-after": "2"}),
}


def batch(status: str) -> steps.Step:
    counts = {"total": 100, "completed": 23, "failed": 1}
    body = {"id": JOB.job_id, "object": "batch", "status": status, "request_counts": counts}
    return steps.reply(200, body)


def over(status_code: int, status: str) -> steps.Step:
    return steps.reply(status_code, error(f"Cannot cancel a batch with status '{status}'."))


BATCH_STATES: dict[JobState, Replies] = {
    JobState.PENDING: batch("validating"),
    JobState.RUNNING: [batch("in_progress"), batch("finalizing")],
    JobState.CANCELLING: batch("cancelling"),
    JobState.CANCELLED: batch("cancelled"),
    JobState.SUCCEEDED: batch("completed"),
    JobState.FAILED: batch("failed"),
    JobState.EXPIRED: batch("expired"),
}


class TestOpenAIBatch(contract.AdapterContract):
    adapter = OPENAI_BATCH
    job_id = JOB.job_id
    replies = {
        Outcome.CANCELLING: batch("cancelling"),
        Outcome.ALREADY_TERMINAL: [over(409, "completed"), over(400, "failed"), batch("completed")],
        Outcome.UNKNOWN: steps.reply(400, error("Invalid batch id")),
        **ERRORS,
    }
    statuses = BATCH_STATES
    undocumented = [Outcome.FORBIDDEN]


def response(status: str) -> steps.Step:
    body = {"id": "resp_1", "object": "response", "background": True, "status": status}
    return steps.reply(200, {**body, "error": None})


def ended(status_code: int, kind: str) -> steps.Step:
    return steps.reply(status_code, error(f"Cannot cancel {kind} response."))


class TestOpenAIResponse(contract.AdapterContract):
    adapter = OPENAI_RESPONSE
    job_id = "resp_1"
    replies = {
        Outcome.CANCELLED: response("cancelled"),
        Outcome.ALREADY_TERMINAL: [
            ended(400, "a completed"),
            ended(400, "a failed"),
            ended(409, "an incomplete"),
        ],
        Outcome.UNKNOWN: [ended(400, "a synchronous"), ended(400, "an archived")],
        **ERRORS,
    }
    statuses = {
        JobState.PENDING: response("queued"),
        JobState.RUNNING: response("in_progress"),
        JobState.SUCCEEDED: response("completed"),
        JobState.FAILED: [response("failed"), response("incomplete")],
        JobState.CANCELLED: response("cancelled"),
    }
    undocumented = [Outcome.FORBIDDEN]


def tuning(status: str) -> steps.Step:
    return steps.reply(200, {"id": "ftjob-1", "object": "fine_tuning.job", "status": status})


class TestOpenAIFinetune(contract.AdapterContract):
    adapter = OPENAI_FINETUNE
    job_id = "ftjob-1"
    replies = {Outcome.CANCELLED: tuning("cancelled"), **ERRORS}
    statuses = {
        JobState.PENDING: [tuning("validating_files"), tuning("queued")],
        JobState.RUNNING: tuning("running"),
        JobState.SUCCEEDED: tuning("succeeded"),
        JobState.FAILED: tuning("failed"),
        JobState.CANCELLED: tuning("cancelled"),
    }
    undocumented = [Outcome.FORBIDDEN, Outcome.ALREADY_TERMINAL]


def test_verify_rereads_a_response_reported_as_cancelled() -> None:
    cancelled = reply(200, {"id": "resp_1", "status": "cancelled"})
    taken, _ = play_cancel(cancelled, adapter=OPENAI_RESPONSE, job_id="resp_1")
    assert (Outcome.CANCELLED, False) == (taken.outcome, taken.verified)
    completed = reply(200, {"id": "resp_1", "status": "completed"})
    result, _ = play_cancel(
        cancelled, completed, adapter=OPENAI_RESPONSE, job_id="resp_1", verify=True
    )
    assert (Outcome.ALREADY_TERMINAL, True) == (result.outcome, result.verified)


@pytest.mark.parametrize("verify", [False, True])
def test_a_refusal_naming_a_final_state_is_already_terminal(*, verify: bool) -> None:
    refusal = reply(400, error("Cannot cancel a completed response."))
    result, did = play_cancel(refusal, adapter=OPENAI_RESPONSE, job_id="resp_1", verify=verify)
    shown = (result.outcome, result.state, len(did))
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED, 1) == shown


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("completed", Outcome.ALREADY_TERMINAL), ("in_progress", Outcome.UNKNOWN)],
)
def test_after_a_refusal_of_a_synchronous_response_the_status_decides(
    status: str, outcome: Outcome
) -> None:
    refusal = reply(400, error("Cannot cancel a synchronous response."))
    read = reply(200, {"id": "resp_1", "status": status})
    result, did = play_cancel(refusal, read, adapter=OPENAI_RESPONSE, job_id="resp_1")
    assert (outcome, status, 2) == (result.outcome, result.raw_state, len(did))


@pytest.mark.parametrize("adapter", [OPENAI_BATCH, OPENAI_RESPONSE, OPENAI_FINETUNE])
def test_organization_and_project_come_from_the_sdks_variables(
    adapter: HttpAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_1")
    job = config.job(adapter, "x_1", {"project": "proj_2"})
    request = adapter.cancel_request(job, ENDPOINT, "unused")
    assert {"openai-organization": "org-1", "openai-project": "proj_2"} == request.headers


@pytest.mark.parametrize(
    ("adapter", "path"),
    [
        (OPENAI_BATCH, "/batches/a%20b%2F%C3%BC%3A1"),
        (OPENAI_RESPONSE, "/responses/a%20b%2F%C3%BC%3A1"),
        (OPENAI_FINETUNE, "/fine_tuning/jobs/a%20b%2F%C3%BC%3A1"),
    ],
)
def test_the_requests_are_a_post_without_a_body_and_a_get(adapter: HttpAdapter, path: str) -> None:
    job = Job(adapter.name, ODD)
    cancel = adapter.cancel_request(job, ENDPOINT, "unused")
    status = adapter.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}{path}"
    assert ("POST", f"{url}/cancel", {}, None) == (
        cancel.method,
        cancel.url,
        cancel.headers,
        cancel.content,
    )
    assert ("GET", url) == (status.method, status.url)
    assert "Bearer k" == cancel.credential.spell("k")


def test_the_base_url_ends_with_the_version_as_in_the_sdk() -> None:
    assert ("https://api.openai.com/v1", "OPENAI_BASE_URL") == (
        OPENAI_BATCH.default_url,
        OPENAI_BATCH.url_env,
    )


@pytest.mark.parametrize("adapter", [OPENAI_RESPONSE, OPENAI_FINETUNE])
def test_all_kinds_share_the_key_and_url_of_the_batches(adapter: HttpAdapter) -> None:
    assert "openai-batch" == adapter.credentials_of


@pytest.mark.parametrize("status_code", [400, 409])
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("completed", JobState.SUCCEEDED),
        ("failed", JobState.FAILED),
        ("expired", JobState.EXPIRED),
        ("cancelled", JobState.CANCELLED),
        ("cancelling", None),
        ("archived", None),
    ],
)
def test_a_refusal_that_names_the_status_is_read_as_that_status(
    status_code: int, status: str, state: JobState | None
) -> None:
    refusal = reply(status_code, error(f"Cannot cancel a batch with status '{status}'."))
    reading = OPENAI_BATCH.read_cancel(JOB, refusal)
    outcome = None if state is None else Outcome.ALREADY_TERMINAL
    assert (outcome, state) == (reading.outcome, reading.state)


@pytest.mark.parametrize("verify", [False, True])
def test_a_refusal_that_names_the_status_needs_no_status_read(*, verify: bool) -> None:
    refusal = reply(409, error("Cannot cancel a batch with status 'completed'."))
    result, did = play_cancel(refusal, adapter=OPENAI_BATCH, job_id=JOB.job_id, verify=verify)
    shown = (result.outcome, result.state, result.verified)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED, True) == shown
    assert ["POST /batches/batch_abc123/cancel"] == did


@pytest.mark.parametrize(
    ("status_code", "body"),
    [
        (400, error("Invalid batch id")),
        (409, error("Try again: Cannot cancel a batch with status 'completed'.")),
        (409, error("Cannot cancel a batch with status")),
        (409, {"error": {"message": ["Cannot cancel a batch with status 'completed'."]}}),
        (409, None),
        (500, error("Cannot cancel a batch with status 'completed'.")),
        (200, error("Cannot cancel a batch with status 'completed'.")),
    ],
)
def test_any_other_refusal_is_inconclusive(status_code: int, body: object) -> None:
    assert OPENAI_BATCH.read_cancel(JOB, reply(status_code, body)).outcome is None


def test_a_finalizing_batch_that_continues_is_refused() -> None:
    body = {"id": JOB.job_id, "status": "finalizing"}
    refusal = reply(409, error("Cannot cancel a batch with status 'finalizing'."))
    result, _ = play_cancel(refusal, reply(200, body), adapter=OPENAI_BATCH, job_id=JOB.job_id)
    assert (Outcome.REFUSED, JobState.RUNNING) == (result.outcome, result.state)


def test_the_status_of_a_refused_finalizing_batch_is_read() -> None:
    body = {"id": JOB.job_id, "status": "completed"}
    result, did = play_cancel(
        reply(409, error("Cannot cancel a batch with status 'finalizing'.")),
        reply(200, body),
        adapter=OPENAI_BATCH,
        job_id=JOB.job_id,
    )
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)
    assert ["POST /batches/batch_abc123/cancel", "GET /batches/batch_abc123"] == did


def test_a_batch_ended_by_a_lost_cancel_is_cancelled() -> None:
    active = {"id": JOB.job_id, "status": "in_progress"}
    result, _ = play_cancel(
        LOST,
        reply(200, active),
        reply(409, error("Cannot cancel a batch with status 'cancelled'.")),
        adapter=OPENAI_BATCH,
        job_id=JOB.job_id,
    )
    assert Outcome.CANCELLED is result.outcome


def test_the_completed_requests_of_a_batch_are_its_progress() -> None:
    body = {"id": JOB.job_id, "status": "cancelling"}
    counts = {"total": 100, "completed": 23, "failed": 1}
    reading = OPENAI_BATCH.read_cancel(JOB, reply(200, {**body, "request_counts": counts}))
    assert (Outcome.CANCELLING, Progress(23, 100)) == (reading.outcome, reading.progress)


@pytest.mark.parametrize(
    ("code", "expected"), [("invalid_api_key", "invalid_api_key"), (None, "invalid_request_error")]
)
def test_an_error_with_a_null_code_has_its_type_as_code(code: str | None, expected: str) -> None:
    reading = OPENAI_BATCH.read_cancel(JOB, reply(401, error("m", code)))
    assert (expected, "m") == (reading.code, reading.message)
