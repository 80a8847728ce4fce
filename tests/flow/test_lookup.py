"""The flow that reads a job's status, without a client, sockets or waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobcancel.models import JobReading, JobState, Outcome, Progress
from jobcancel.vendors.talonic import TALONIC
from tests.flow.test_cancellation import BLIND, GET, UUID, read
from tests.hand import LOST, play_status, reply

if TYPE_CHECKING:
    from jobcancel.flow.events import Reply


def test_status_sends_one_request() -> None:
    reading, did = play_status(read("processing"))
    assert (JobState.RUNNING, "processing", None, [GET]) == (
        reading.state,
        reading.raw_state,
        reading.problem,
        did,
    )


def test_status_keeps_an_unknown_word() -> None:
    reading, _ = play_status(read("archiving"))
    assert (JobState.UNKNOWN, "archiving", None) == (
        reading.state,
        reading.raw_state,
        reading.problem,
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (reply(401), Outcome.UNAUTHORIZED),
        (reply(403), Outcome.FORBIDDEN),
        (reply(404), Outcome.NOT_FOUND),
        (reply(418), Outcome.UNKNOWN),
        (reply(429, retry_after="3600"), Outcome.RATE_LIMITED),
    ],
)
def test_status_reports_why_it_could_not_be_read(answer: Reply, problem: Outcome) -> None:
    reading, did = play_status(answer)
    assert (None, problem, [GET]) == (reading.state, reading.problem, did)


def test_status_retries_inconclusive_replies() -> None:
    reading, did = play_status(LOST, reply(503), reply(200, b"[]"), read("completed"))
    assert (JobState.SUCCEEDED, 4) == (reading.state, reading.attempts)
    assert [GET, "pause 0.25", GET, "pause 0.5", GET, "pause 1", GET] == did


def test_status_of_an_invalid_id_sends_nothing() -> None:
    reading, did = play_status(job_id=" ")
    assert (Outcome.INVALID, 0, []) == (reading.problem, reading.attempts, did)


def test_status_without_a_status_request_returns_a_message() -> None:
    reading, did = play_status(adapter=BLIND)
    assert ("Blind has no status endpoint", []) == (reading.message, did)


def test_a_reading_has_every_field_of_the_reply() -> None:
    body = {
        "id": UUID,
        "status": "processing",
        "message": "halfway",
        "code": "OK",
        "completed_documents": 24,
        "document_count": 48,
    }
    reading, _ = play_status(
        LOST, reply(200, body, x_request_id="req_2", retry_after="3"), adapter=TALONIC, job_id=UUID
    )
    assert reading == JobReading(
        provider="talonic",
        job_id=UUID,
        state=JobState.RUNNING,
        raw_state="processing",
        message="halfway",
        code="OK",
        status_code=200,
        retry_after=3.0,
        attempts=2,
        elapsed=reading.elapsed,
        request_id="req_2",
        progress=Progress(24, 48),
        body=body,
    )
    assert 0.27 == pytest.approx(reading.elapsed)
