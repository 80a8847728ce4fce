"""Mistral, according to its OpenAPI document and its SDK."""

from __future__ import annotations

import pytest

from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.testing import contract, steps
from jobcancel.vendors.mistral import MISTRAL_BATCH
from tests.hand import ENDPOINT, play_cancel, reply

JOB = Job("mistral-batch", "0c6f7b6e-2d5f-4c4e-9d3c-6a1f0a9b8c7d")


def batch(status: str) -> steps.Step:
    counts = {"total_requests": 100, "completed_requests": 23}
    return steps.reply(200, {"id": JOB.job_id, "object": "batch", "status": status, **counts})


class TestMistralBatch(contract.AdapterContract):
    adapter = MISTRAL_BATCH
    job_id = JOB.job_id
    replies = {Outcome.CANCELLING: batch("CANCELLATION_REQUESTED")}
    statuses = {
        JobState.PENDING: batch("QUEUED"),
        JobState.RUNNING: batch("RUNNING"),
        JobState.CANCELLING: batch("CANCELLATION_REQUESTED"),
        JobState.CANCELLED: batch("CANCELLED"),
        JobState.SUCCEEDED: batch("SUCCESS"),
        JobState.FAILED: batch("FAILED"),
        JobState.EXPIRED: batch("TIMEOUT_EXCEEDED"),
    }
    # Only the success is documented.
    undocumented = [
        Outcome.ALREADY_TERMINAL,
        Outcome.FORBIDDEN,
        Outcome.NOT_FOUND,
        Outcome.RATE_LIMITED,
        Outcome.UNAUTHORIZED,
    ]


def test_the_requests_are_a_post_without_a_body_and_a_get() -> None:
    job = Job("mistral-batch", "a b/ü:1")
    cancel = MISTRAL_BATCH.cancel_request(job, ENDPOINT, "unused")
    status = MISTRAL_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}/v1/batch/jobs/a%20b%2F%C3%BC%3A1"
    assert ("POST", f"{url}/cancel", None) == (cancel.method, cancel.url, cancel.content)
    assert ("GET", url) == (status.method, status.url)
    assert "Bearer k" == cancel.credential.spell("k")


@pytest.mark.parametrize("status_code", [400, 403, 404, 409, 422])
def test_after_an_undocumented_refusal_the_status_decides(status_code: int) -> None:
    result, did = play_cancel(
        reply(status_code, b"no"),
        reply(200, {"id": JOB.job_id, "status": "SUCCESS"}),
        adapter=MISTRAL_BATCH,
        job_id=JOB.job_id,
    )
    assert (Outcome.ALREADY_TERMINAL, 2) == (result.outcome, len(did))


def test_a_job_that_cannot_be_cancelled_or_read_is_unknown() -> None:
    result, did = play_cancel(reply(404), reply(404), adapter=MISTRAL_BATCH, job_id=JOB.job_id)
    assert (Outcome.UNKNOWN, 2) == (result.outcome, len(did))


def test_the_completed_requests_of_a_batch_are_its_progress() -> None:
    counts = {"total_requests": 100, "completed_requests": 23}
    body = {"id": JOB.job_id, "status": "CANCELLATION_REQUESTED", **counts}
    assert Progress(23, 100) == MISTRAL_BATCH.read_cancel(JOB, reply(200, body)).progress
