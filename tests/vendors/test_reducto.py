"""Reducto, which documents only the request of a cancel."""

from __future__ import annotations

from typing import Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.reducto import REDUCTO
from tests.hand import ENDPOINT, play_cancel, reply

ID = "4a8f5b1e-0001-4000-8000-000000000001"
ACCEPTED = reply(200, {})
CANCELLED = {"status": "Failed", "error": {"code": 409, "name": "JOB_CANCELLED", "message": "m"}}


class TestReducto(AdapterContract):
    adapter = REDUCTO
    job_id = ID
    replies = {
        Outcome.INVALID: answer(422, {"detail": [{"loc": ["path"], "msg": "m", "type": "t"}]}),
        Outcome.CANCELLING: [answer(200, {}), answer(200), answer(200, {"status": "Completed"})],
        Outcome.UNKNOWN: [
            answer(422, {"detail": "the job has completed"}),
            answer(403, {"detail": "the file cannot be read"}),
            answer(404, {"detail": "the file is not there"}),
        ],
        Outcome.UNAUTHORIZED: answer(401, {"detail": "m"}),
        Outcome.RATE_LIMITED: answer(429),
    }
    statuses = {
        JobState.PENDING: answer(200, {"status": "Pending", "progress": 0.5}),
        # The meaning is not documented.
        JobState.UNKNOWN: answer(200, {"status": "Idle"}),
        JobState.SUCCEEDED: answer(200, {"status": "Completed", "result": {}}),
        JobState.FAILED: answer(200, {"status": "Failed", "reason": "unreadable"}),
        JobState.RUNNING: [answer(200, {"status": s}) for s in ("InProgress", "Completing")],
        JobState.CANCELLED: [answer(200, CANCELLED), answer(200, {"status": "Cancelled"})],
    }
    undocumented = [Outcome.FORBIDDEN, Outcome.NOT_FOUND, Outcome.ALREADY_TERMINAL]


def test_the_cancel_request_is_an_empty_post_and_not_the_erasing_delete() -> None:
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
def test_after_an_accepted_cancel_the_status_decides(
    body: dict[str, Any], outcome: Outcome, state: JobState
) -> None:
    result, did = play_cancel(ACCEPTED, reply(200, body), adapter=REDUCTO, job_id=ID)
    assert (outcome, state, 2) == (result.outcome, result.state, len(did))


def test_an_accepted_cancel_is_cancelling_while_the_job_reads_as_pending() -> None:
    answers = [ACCEPTED, reply(200, {"status": "Pending"})]
    result, did = play_cancel(*answers, adapter=REDUCTO, job_id=ID)
    assert (Outcome.CANCELLING, JobState.PENDING, "Pending", False, 2) == (
        result.outcome,
        result.state,
        result.raw_state,
        result.stopped,
        len(did),
    )


def test_the_message_says_what_is_wrong_with_an_id() -> None:
    problem = {"loc": ["path", "job_id"], "msg": "not a UUID", "type": "uuid_parsing"}
    reading = REDUCTO.read_cancel(Job("reducto", ID), reply(422, {"detail": [problem]}))
    assert ("not a UUID", "uuid_parsing") == (reading.message, reading.code)


def test_a_state_in_an_undocumented_reply_is_ignored() -> None:
    answers = [reply(200, {"status": "Completed"}), reply(200, {"status": "InProgress"})]
    result, _ = play_cancel(*answers, adapter=REDUCTO, job_id=ID)
    assert (Outcome.CANCELLING, JobState.RUNNING) == (result.outcome, result.state)
