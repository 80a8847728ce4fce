"""Replicate, according to its recorded replies and its pages."""

from __future__ import annotations

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.replicate import REPLICATE
from tests.hand import ENDPOINT, play_cancel, reply

ID = "ufawqhfynnddngldkgtslldrkq"
JOB = Job("replicate", ID)
PROBLEM = {"title": "Unauthenticated", "detail": "You did not pass a valid token", "status": 401}


class TestReplicate(AdapterContract):
    adapter = REPLICATE
    job_id = ID
    replies = {
        Outcome.CANCELLED: answer(
            200, {"id": ID, "status": "canceled", "completed_at": "2024-04-22T00:00:00Z"}
        ),
        Outcome.UNAUTHORIZED: answer(401, PROBLEM),
        Outcome.RATE_LIMITED: answer(429, {"detail": "Request was throttled. Resets in ~30s."}),
    }
    statuses = {
        JobState.PENDING: answer(200, {"id": ID, "status": "starting"}),
        JobState.RUNNING: answer(200, {"id": ID, "status": "processing"}),
        JobState.SUCCEEDED: answer(200, {"id": ID, "status": "succeeded", "output": ["a"]}),
        JobState.FAILED: answer(200, {"id": ID, "status": "failed", "error": "CUDA"}),
        JobState.CANCELLED: answer(200, {"id": ID, "status": "canceled"}),
        JobState.EXPIRED: answer(200, {"id": ID, "status": "aborted"}),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.NOT_FOUND, Outcome.FORBIDDEN]


def test_the_cancel_request_is_an_empty_post_with_a_bearer_key() -> None:
    request = REPLICATE.cancel_request(JOB, ENDPOINT, "unused")
    assert ("POST", f"https://vendor.example/v1/predictions/{ID}/cancel", {}, None) == (
        request.method,
        request.url,
        request.headers,
        request.content,
    )
    assert ("authorization", "Bearer") == (request.credential.header, request.credential.scheme)


@pytest.mark.parametrize(("word", "state"), [("succeeded", JobState.SUCCEEDED)])
def test_a_prediction_returned_unchanged_is_already_terminal(word: str, state: JobState) -> None:
    result, did = play_cancel(reply(200, {"id": ID, "status": word}), adapter=REPLICATE, job_id=ID)
    assert (Outcome.ALREADY_TERMINAL, state, 1) == (result.outcome, result.state, len(did))


def test_the_message_of_a_problem_is_its_detail() -> None:
    reading = REPLICATE.read_cancel(JOB, reply(401, PROBLEM))
    assert ("You did not pass a valid token", None) == (reading.message, reading.code)
