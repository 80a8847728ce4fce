"""Pulse, according to its pages."""

from __future__ import annotations

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.vendors.pulse import PULSE, PULSE_LEGACY
from tests.hand import ENDPOINT, reply

JOB = Job("pulse", "abc123-def456-ghi789")
SUCCESS = {"job_id": "abc123-def456-ghi789", "message": "Job cancelled successfully"}


def test_the_cancel_request_is_a_delete_with_the_key_in_x_api_key() -> None:
    request = PULSE.cancel_request(JOB, ENDPOINT, "unused")
    assert ("DELETE", "https://vendor.example/job/abc123-def456-ghi789", {}, None) == (
        request.method,
        request.url,
        request.headers,
        request.content,
    )
    assert ("x-api-key", "") == (request.credential.header, request.credential.scheme)


def test_the_legacy_cancel_request_is_a_post() -> None:
    request = PULSE_LEGACY.cancel_request(JOB, ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/cancel/abc123-def456-ghi789") == (
        request.method,
        request.url,
    )
    assert PULSE.status_request(JOB, ENDPOINT) == PULSE_LEGACY.status_request(JOB, ENDPOINT)
    assert ("pulse", "pulse") == (PULSE_LEGACY.deprecated, PULSE_LEGACY.credentials_of)


@pytest.mark.parametrize(
    ("status_code", "code", "outcome"),
    [
        (401, "AUTH_001", Outcome.UNAUTHORIZED),
        (401, "AUTH_002", Outcome.UNAUTHORIZED),
        (401, "AUTH_003", Outcome.UNAUTHORIZED),
        (401, "AUTH_005", Outcome.UNAUTHORIZED),
        (403, "AUTH_004", Outcome.FORBIDDEN),
        (403, "AUTH_006", Outcome.FORBIDDEN),
        (404, "JOB_001", Outcome.NOT_FOUND),
        (429, "GENERAL_001", Outcome.RATE_LIMITED),
        (500, "GENERAL_002", None),
        (409, "JOB_002", None),
        (400, None, None),
    ],
)
def test_documented_errors_are_read_by_status_code(
    status_code: int, code: str | None, outcome: Outcome | None
) -> None:
    reading = PULSE.read_cancel(JOB, reply(status_code, {"error": {"code": code, "message": "m"}}))
    assert (outcome, code, "m") == (reading.outcome, reading.code, reading.message)


def test_the_documented_success_is_cancelled() -> None:
    assert Outcome.CANCELLED is PULSE.read_cancel(JOB, reply(200, SUCCESS)).outcome


@pytest.mark.parametrize(
    "body",
    [
        {**SUCCESS, "message": "Job is already completed"},
        {**SUCCESS, "message": None},
        {**SUCCESS, "job_id": "another"},
        {**SUCCESS, "status": "archiving"},
        {},
        [],
        b"Job cancelled successfully",
    ],
)
def test_any_other_success_is_inconclusive(body: object) -> None:
    assert PULSE.read_cancel(JOB, reply(200, body)).outcome is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("canceled", Outcome.CANCELLED),
        ("completed", Outcome.ALREADY_TERMINAL),
        ("processing", Outcome.CANCELLING),
    ],
)
def test_a_state_in_the_reply_outranks_its_message(status: str, outcome: Outcome) -> None:
    assert outcome is PULSE.read_cancel(JOB, reply(200, {**SUCCESS, "status": status})).outcome


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("pending", JobState.PENDING),
        ("processing", JobState.RUNNING),
        ("completed", JobState.SUCCEEDED),
        ("failed", JobState.FAILED),
        ("canceled", JobState.CANCELLED),
        ("cancelled", JobState.CANCELLED),
        ("expired", JobState.EXPIRED),
        ("COMPLETED", JobState.UNKNOWN),
    ],
)
def test_status_words(word: str, state: JobState) -> None:
    reading = PULSE.read_status(JOB, reply(200, {"job_id": JOB.job_id, "status": word}))
    assert (state, word) == (reading.state, reading.raw_state)


def test_a_failed_jobs_error_is_a_plain_string() -> None:
    body = {"job_id": JOB.job_id, "status": "failed", "error": "the file is encrypted"}
    assert "the file is encrypted" == PULSE.read_status(JOB, reply(200, body)).message


def test_a_status_of_another_job_is_ignored() -> None:
    reading = PULSE.read_status(JOB, reply(200, {"job_id": "another", "status": "completed"}))
    assert (None, None) == (reading.state, reading.outcome)
    assert "the reply is about another job, 'another'" == reading.message
