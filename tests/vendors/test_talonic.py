"""Talonic, according to its pages and its SDK."""

from __future__ import annotations

from typing import Any

import pytest

from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.vendors.talonic import TALONIC
from tests.hand import ENDPOINT, reply

JOB = Job("talonic", "a1b2c3d4-e5f6-7890-abcd-ef1234567890")


def body(**fields: Any) -> dict[str, Any]:
    return {"id": JOB.job_id, "document_count": 48, "completed_documents": 12, **fields}


VIA_API = {"code": "job_failed", "message": "Cancelled via API"}


def test_the_cancel_request_is_a_post_with_an_idempotency_key() -> None:
    request = TALONIC.cancel_request(JOB, ENDPOINT, "key-1")
    assert ("POST", f"https://vendor.example/v1/jobs/{JOB.job_id}/cancel", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert {"idempotency-key": "key-1"} == request.headers
    assert ("authorization", "Bearer") == (request.credential.header, request.credential.scheme)


def test_a_status_read_has_no_idempotency_key() -> None:
    request = TALONIC.status_request(JOB, ENDPOINT)
    assert request is not None
    assert ("GET", f"https://vendor.example/v1/jobs/{JOB.job_id}", {}) == (
        request.method,
        request.url,
        request.headers,
    )


@pytest.mark.parametrize(
    ("fields", "outcome", "state"),
    [
        ({"status": "failed", "error": VIA_API}, Outcome.CANCELLED, JobState.CANCELLED),
        ({"status": "cancelled", "cancelled_at": "2026"}, Outcome.CANCELLED, JobState.CANCELLED),
        (
            {"status": "failed", "error": {"code": "job_failed", "message": "Bad schema"}},
            Outcome.ALREADY_TERMINAL,
            JobState.FAILED,
        ),
        ({"status": "failed", "error": None}, Outcome.ALREADY_TERMINAL, JobState.FAILED),
        ({"status": "complete"}, Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED),
        ({"status": "completed"}, Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED),
        ({"status": "processing"}, None, JobState.RUNNING),
        ({"status": "queued"}, None, JobState.PENDING),
        ({"status": "paused"}, None, JobState.UNKNOWN),
        ({"status": 200}, None, None),
        ({}, None, None),
    ],
)
def test_a_success_is_read_by_the_jobs_state(
    fields: dict[str, Any], outcome: Outcome | None, state: JobState | None
) -> None:
    reading = TALONIC.read_cancel(JOB, reply(200, body(**fields)))
    assert (outcome, state) == (reading.outcome, reading.state)
    assert Progress(12, 48) == reading.progress


def test_ids_are_compared_case_insensitively() -> None:
    capitals = {**body(status="cancelled"), "id": JOB.job_id.upper()}
    assert Outcome.CANCELLED is TALONIC.read_cancel(JOB, reply(200, capitals)).outcome


@pytest.mark.parametrize(
    ("status_code", "long", "short", "outcome"),
    [
        (400, "VALIDATION_ERROR", "validation_error", Outcome.INVALID),
        (401, "UNAUTHORIZED", "unauthorized", Outcome.UNAUTHORIZED),
        (403, "INSUFFICIENT_SCOPE", "insufficient_scope", Outcome.FORBIDDEN),
        (404, "RESOURCE_NOT_FOUND", "not_found", Outcome.NOT_FOUND),
        (409, "CONFLICT", "conflict", Outcome.ALREADY_TERMINAL),
        (429, "RATE_LIMITED", "rate_limited", Outcome.RATE_LIMITED),
        (500, "INTERNAL_ERROR", "internal_error", None),
    ],
)
def test_both_envelopes_are_read(
    status_code: int, long: str, short: str, outcome: Outcome | None
) -> None:
    for envelope, code in (
        ({"statusCode": status_code, "code": long, "message": "m", "request_id": "r1"}, long),
        ({"status": status_code, "code": short, "message": "m", "request_id": "r1"}, short),
    ):
        reading = TALONIC.read_cancel(JOB, reply(status_code, envelope))
        assert (outcome, code, "m", "r1") == (
            reading.outcome,
            reading.code,
            reading.message,
            reading.request_id,
        )


@pytest.mark.parametrize(("retryable", "repeat"), [(True, True), (False, False), (None, True)])
def test_the_retryable_flag_of_a_server_error_is_respected(retryable: object, repeat: bool) -> None:
    answer = reply(500, {"statusCode": 500, "code": "INTERNAL_ERROR", "retryable": retryable})
    assert repeat is TALONIC.read_cancel(JOB, answer).repeat


def test_a_conflict_on_a_status_read_is_inconclusive() -> None:
    assert TALONIC.read_status(JOB, reply(409, {"code": "CONFLICT"})).outcome is None
