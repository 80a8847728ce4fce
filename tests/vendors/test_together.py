"""Together, according to its OpenAPI document and its SDK."""

from __future__ import annotations

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import contract, steps
from jobcancel.vendors.together import TOGETHER_BATCH
from tests.hand import ENDPOINT, reply

JOB = Job("together-batch", "0c6f7b6e-2d5f-4c4e-9d3c-6a1f0a9b8c7d")


def batch(status: str) -> steps.Step:
    return steps.reply(200, {"id": JOB.job_id, "status": status, "progress": 12.5})


class TestTogetherBatch(contract.AdapterContract):
    adapter = TOGETHER_BATCH
    job_id = JOB.job_id
    replies = {
        Outcome.CANCELLED: batch("CANCELLED"),
        Outcome.UNAUTHORIZED: steps.reply(401, {"error": "m"}),
        Outcome.FORBIDDEN: steps.reply(403, {"error": "m"}),
        Outcome.NOT_FOUND: steps.reply(404, {"error": "m"}),
        Outcome.UNKNOWN: [steps.reply(400, {"error": "m"}), steps.reply(500, {"error": "m"})],
    }
    statuses = {
        JobState.PENDING: batch("VALIDATING"),
        JobState.RUNNING: batch("IN_PROGRESS"),
        JobState.CANCELLED: batch("CANCELLED"),
        JobState.SUCCEEDED: batch("COMPLETED"),
        JobState.FAILED: batch("FAILED"),
        JobState.EXPIRED: batch("EXPIRED"),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.RATE_LIMITED]


def test_the_requests_are_a_post_without_a_body_and_a_get() -> None:
    job = Job("together-batch", "a b/ü:1")
    cancel = TOGETHER_BATCH.cancel_request(job, ENDPOINT, "unused")
    status = TOGETHER_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}/v1/batches/a%20b%2F%C3%BC%3A1"
    assert ("POST", f"{url}/cancel", None) == (cancel.method, cancel.url, cancel.content)
    assert ("GET", url) == (status.method, status.url)
    assert "Bearer k" == cancel.credential.spell("k")


def test_a_batch_returned_as_completed_is_already_terminal() -> None:
    body = {"id": JOB.job_id.upper(), "status": "COMPLETED"}
    assert Outcome.ALREADY_TERMINAL is TOGETHER_BATCH.read_cancel(JOB, reply(200, body)).outcome


def test_an_error_is_a_string_or_an_object() -> None:
    for body in ({"error": "no such batch"}, {"error": {"message": "no such batch"}}):
        reading = TOGETHER_BATCH.read_cancel(JOB, reply(404, body))
        assert (Outcome.NOT_FOUND, "no such batch") == (reading.outcome, reading.message)
