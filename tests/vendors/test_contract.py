"""The built-in providers pass the contract with the replies that their vendors document."""

from __future__ import annotations

import pytest

from jobcancel import JobState, Outcome
from jobcancel.testing.contract import AdapterContract
from jobcancel.testing.steps import reply
from jobcancel.vendors.pulse import PULSE, PULSE_LEGACY
from jobcancel.vendors.talonic import TALONIC

JOB = "0c6f7b6e-2d5f-4c4e-9d3c-6a1f0a9b8c7d"


class TestPulse(AdapterContract):
    adapter = PULSE
    job_id = JOB
    replies = {
        Outcome.CANCELLED: reply(200, {"job_id": JOB, "message": "Job cancelled successfully"}),
        Outcome.UNAUTHORIZED: reply(401, {"error": {"code": "AUTH_002", "message": "invalid"}}),
        Outcome.FORBIDDEN: reply(403, {"error": {"code": "AUTH_004", "message": "not yours"}}),
        Outcome.NOT_FOUND: reply(404, {"error": {"code": "JOB_001", "message": "no such job"}}),
        Outcome.RATE_LIMITED: reply(429, headers={"retry-after-ms": "1500"}),
        Outcome.UNKNOWN: [
            reply(500, {"error": {"code": "GENERAL_001", "message": "could not be cancelled"}}),
            reply(200, {"job_id": JOB, "message": "Job remains unchanged"}),
        ],
    }
    statuses = {
        JobState.PENDING: reply(200, {"job_id": JOB, "status": "pending"}),
        JobState.RUNNING: reply(200, {"job_id": JOB, "status": "processing"}),
        JobState.SUCCEEDED: reply(200, {"job_id": JOB, "status": "completed", "result": {"a": 1}}),
        JobState.FAILED: reply(200, {"job_id": JOB, "status": "failed", "error": "bad file"}),
        JobState.CANCELLED: [
            reply(200, {"job_id": JOB, "status": "canceled"}),
            reply(200, {"job_id": JOB, "status": "cancelled"}),
        ],
        JobState.EXPIRED: reply(200, {"job_id": JOB, "status": "expired"}),
    }
    # The documentation of a finished job says no more than "remains unchanged".
    undocumented = [Outcome.ALREADY_TERMINAL]


@pytest.mark.filterwarnings("ignore:provider 'pulse-legacy':DeprecationWarning")
class TestPulseLegacy(TestPulse):
    adapter = PULSE_LEGACY


CANCELLED = {"id": JOB, "status": "cancelled", "cancelled_at": "2026-01-01T00:00:00Z"}
FAILED = {"id": JOB, "status": "failed"}
VIA_API = {**FAILED, "error": {"code": "job_failed", "message": "Cancelled via API"}}


class TestTalonic(AdapterContract):
    adapter = TALONIC
    job_id = JOB
    replies = {
        Outcome.CANCELLED: [reply(200, CANCELLED), reply(200, VIA_API)],
        Outcome.ALREADY_TERMINAL: reply(
            409, {"status": 409, "code": "conflict", "message": "over"}
        ),
        Outcome.INVALID: reply(400, {"status": 400, "code": "validation_error"}),
        Outcome.UNAUTHORIZED: reply(401, {"statusCode": 401, "code": "UNAUTHORIZED"}),
        Outcome.FORBIDDEN: reply(403, {"status": 403, "code": "insufficient_scope"}),
        Outcome.NOT_FOUND: reply(404, {"statusCode": 404, "code": "RESOURCE_NOT_FOUND"}),
        Outcome.RATE_LIMITED: reply(429, headers={"x-ratelimit-reset": "2026-01-02T00:00:00Z"}),
    }
    statuses = {
        JobState.PENDING: [reply(200, {"id": JOB, "status": s}) for s in ("pending", "queued")],
        JobState.RUNNING: reply(200, {"id": JOB, "status": "processing"}),
        JobState.SUCCEEDED: [
            reply(200, {"id": JOB, "status": status}) for status in ("complete", "completed")
        ],
        JobState.FAILED: reply(200, {**FAILED, "error": {"code": "x", "message": "unreadable"}}),
        JobState.CANCELLED: [reply(200, CANCELLED), reply(200, VIA_API)],
    }
