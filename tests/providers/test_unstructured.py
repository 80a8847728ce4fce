"""Unstructured, of whose cancel only the request is documented."""

from __future__ import annotations

from typing import Any

from jobcancel.models import Job, JobState, Outcome
from jobcancel.providers.unstructured import UNSTRUCTURED
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from tests.hand import ENDPOINT, play_cancel, reply

ID = "fcdc4994-eea5-425c-91fa-e03f2bd8030d"


def job(status: str) -> dict[str, Any]:
    return {"id": ID, "workflow_id": "w", "workflow_name": "n", "status": status}


class TestUnstructured(AdapterContract):
    adapter = UNSTRUCTURED
    job_id = ID
    replies = {
        Outcome.INVALID: answer(422, {"detail": [{"loc": ["path"], "msg": "m", "type": "t"}]}),
        Outcome.CANCELLING: [answer(200, {}), answer(200, {"message": "ok"})],
        Outcome.UNKNOWN: answer(422, {"detail": "the job has ended"}),
        Outcome.RATE_LIMITED: answer(429),
    }
    statuses = {
        JobState.PENDING: answer(200, job("SCHEDULED")),
        JobState.RUNNING: answer(200, job("IN_PROGRESS")),
        JobState.SUCCEEDED: answer(200, job("COMPLETED")),
        JobState.FAILED: answer(200, job("FAILED")),
        JobState.CANCELLED: answer(200, job("STOPPED")),
    }
    undocumented = [
        Outcome.ALREADY_TERMINAL,
        *(Outcome.NOT_FOUND, Outcome.FORBIDDEN, Outcome.UNAUTHORIZED),
    ]


def test_the_cancel_request_is_an_empty_post_with_the_key_in_its_own_header() -> None:
    request = UNSTRUCTURED.cancel_request(Job("unstructured", "a/b"), ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/api/v1/jobs/a%2Fb/cancel", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert ("unstructured-api-key", "k") == (
        request.credential.header,
        request.credential.spell("k"),
    )


def test_an_accepted_cancel_is_cancelled_when_the_job_reads_as_stopped() -> None:
    result, did = play_cancel(
        *(reply(200, {}), reply(200, job("STOPPED"))), adapter=UNSTRUCTURED, job_id=ID
    )
    assert (Outcome.CANCELLED, "STOPPED", True, 2) == (
        result.outcome,
        result.raw_state,
        result.verified,
        len(did),
    )
