"""Cohere, according to its OpenAPI document and its SDK."""

from __future__ import annotations

import pytest

from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.testing import contract, steps
from jobcancel.vendors.cohere import COHERE_BATCH
from tests.hand import ENDPOINT, reply

JOB = Job("cohere-batch", "batch-1")


def batch(state: str) -> steps.Step:
    return steps.reply(200, {"batch": {"id": JOB.job_id, "status": f"BATCH_STATUS_{state}"}})


class TestCohereBatch(contract.AdapterContract):
    adapter = COHERE_BATCH
    job_id = JOB.job_id
    replies = {
        Outcome.CANCELLING: steps.reply(200, {}),
        Outcome.UNAUTHORIZED: [
            steps.reply(401, {"message": "m"}),
            steps.reply(403, {"message": "The API token is invalid"}),
        ],
        Outcome.FORBIDDEN: steps.reply(403, {"message": "m"}),
        Outcome.NOT_FOUND: steps.reply(404, {"message": "m"}),
        Outcome.UNKNOWN: [
            steps.reply(400, {"message": "m"}),
            steps.reply(500, {"message": "m"}),
            steps.reply(503, {"message": "m"}),
        ],
    }
    statuses = {
        JobState.PENDING: batch("QUEUED"),
        JobState.RUNNING: batch("IN_PROGRESS"),
        JobState.CANCELLING: batch("CANCELING"),
        JobState.CANCELLED: batch("CANCELED"),
        JobState.SUCCEEDED: batch("COMPLETED"),
        JobState.FAILED: batch("FAILED"),
        JobState.UNKNOWN: batch("UNSPECIFIED"),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.RATE_LIMITED]


def test_the_verb_follows_the_id() -> None:
    job = Job("cohere-batch", "a b/ü:1")
    cancel = COHERE_BATCH.cancel_request(job, ENDPOINT, "unused")
    status = COHERE_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}/v2/batches/a%20b%2F%C3%BC%3A1"
    assert ("POST", f"{url}:cancel", None) == (cancel.method, cancel.url, cancel.content)
    assert ("GET", url) == (status.method, status.url)
    assert "Bearer k" == cancel.credential.spell("k")


@pytest.mark.parametrize(
    ("status_code", "body", "outcome"),
    [
        (403, {"message": "invalid api token"}, Outcome.UNAUTHORIZED),
        (403, {"message": "token invalid"}, Outcome.UNAUTHORIZED),
        (403, {"message": "no permission"}, Outcome.FORBIDDEN),
        (403, {"message": ["invalid token"]}, Outcome.FORBIDDEN),
        (403, None, Outcome.FORBIDDEN),
        (400, {"message": "invalid token"}, None),
    ],
)
def test_a_403_is_unauthorized_only_if_its_message_says_so(
    status_code: int, body: object, outcome: Outcome | None
) -> None:
    answer = reply(status_code, body)
    assert outcome is COHERE_BATCH.read_cancel(JOB, answer).outcome
    assert outcome is COHERE_BATCH.read_status(JOB, answer).outcome


def test_the_completed_records_of_a_batch_are_its_progress() -> None:
    counts = {"num_records": 100, "num_successful_records": 23, "num_failed_records": 1}
    body = {"batch": {"id": JOB.job_id, "status": "BATCH_STATUS_CANCELING", **counts}}
    reading = COHERE_BATCH.read_status(JOB, reply(200, body))
    assert (JobState.CANCELLING, Progress(23, 100)) == (reading.state, reading.progress)
