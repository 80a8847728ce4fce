"""Reducto, of whose cancel only the request is documented."""

from __future__ import annotations

from typing import Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.providers.reducto import REDUCTO
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from tests.hand import ENDPOINT, play_cancel, reply

ID = "4a8f5b1e-0001-4000-8000-000000000001"
ACCEPTED = reply(200, {})
CANCELLED = {"status": "Failed", "error": {"code": 409, "name": "JOB_CANCELLED", "message": "m"}}


class TestReducto(AdapterContract):
    adapter = REDUCTO
    job_id = ID
    replies = {
        Outcome.INVALID: answer(422, {"detail": [{"loc": ["path"], "msg": "m", "type": "t"}]}),
        Outcome.UNKNOWN: [answer(200, {}), answer(200), answer(200, {"status": "cancelled"})],
        Outcome.UNAUTHORIZED: answer(401),
        Outcome.FORBIDDEN: answer(403),
        Outcome.NOT_FOUND: answer(404),
        Outcome.RATE_LIMITED: answer(429),
    }
    statuses = {
        JobState.PENDING: answer(200, {"status": "Pending", "progress": 0.5}),
        # What it means is not documented.
        JobState.UNKNOWN: answer(200, {"status": "Idle"}),
        JobState.SUCCEEDED: answer(200, {"status": "Completed", "result": {}}),
        JobState.FAILED: answer(200, {"status": "Failed", "reason": "unreadable"}),
        JobState.CANCELLED: answer(200, CANCELLED),
    }
    undocumented = [Outcome.CANCELLED, Outcome.ALREADY_TERMINAL, JobState.RUNNING]


def test_the_cancel_request_is_an_empty_post_and_not_the_delete_that_erases() -> None:
    request = REDUCTO.cancel_request(Job("reducto", "a/b"), ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/cancel/a%2Fb", None) == (
        request.method,
        request.url,
        request.content,
    )


@pytest.mark.parametrize(
    ("body", "outcome", "state"),
    [
        ({"status": "Completed"}, Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED),
        ({"status": "Failed"}, Outcome.ALREADY_TERMINAL, JobState.FAILED),
        (CANCELLED, Outcome.CANCELLED, JobState.CANCELLED),
    ],
)
def test_an_accepted_cancel_is_settled_by_how_the_job_reads(
    body: dict[str, Any], outcome: Outcome, state: JobState
) -> None:
    result, did = play_cancel(ACCEPTED, reply(200, body), adapter=REDUCTO, job_id=ID)
    assert (outcome, state, 2) == (result.outcome, result.state, len(did))


def test_an_accepted_cancel_of_a_job_that_reads_on_as_pending_is_unknown() -> None:
    answers = [ACCEPTED, reply(200, {"status": "Pending"})] * 5
    result, _ = play_cancel(*answers, adapter=REDUCTO, job_id=ID)
    assert (Outcome.UNKNOWN, JobState.PENDING, "Pending", False) == (
        result.outcome,
        result.state,
        result.raw_state,
        result.stopped,
    )
