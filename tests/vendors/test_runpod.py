"""RunPod, according to its operation reference."""

from __future__ import annotations

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.runpod import RUNPOD
from tests.hand import ENDPOINT

ID = "c80ffee4-f315-4e25-a146-0f3d98cf024b-u1"


class TestRunPod(AdapterContract):
    adapter = RUNPOD
    job_id = ID
    params = {"endpoint": "vllm-b08abqhf"}
    replies = {
        Outcome.CANCELLED: answer(200, {"id": ID, "status": "CANCELLED"}),
        Outcome.UNAUTHORIZED: answer(401, {"error": "m"}),
        Outcome.NOT_FOUND: answer(404, {"error": "job not found"}),
        Outcome.RATE_LIMITED: answer(429),
        # Documented as an error without a cause.
        Outcome.UNKNOWN: answer(400, {"error": "bad request"}),
    }
    statuses = {
        JobState.PENDING: answer(200, {"id": ID, "status": "IN_QUEUE"}),
        JobState.RUNNING: [
            answer(200, {"id": ID, "status": word}) for word in ("IN_PROGRESS", "RUNNING")
        ],
        JobState.SUCCEEDED: answer(200, {"id": ID, "status": "COMPLETED", "output": {}}),
        JobState.FAILED: answer(200, {"id": ID, "status": "FAILED", "error": "out of memory"}),
        JobState.CANCELLED: answer(200, {"id": ID, "status": "CANCELLED"}),
        JobState.EXPIRED: answer(200, {"id": ID, "status": "TIMED_OUT"}),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.FORBIDDEN]


def test_both_requests_contain_the_endpoint_and_the_job() -> None:
    job = Job("runpod", "j/1", {"endpoint": "e/1"})
    cancel = RUNPOD.cancel_request(job, ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/e%2F1/cancel/j%2F1", {}, None) == (
        cancel.method,
        cancel.url,
        cancel.headers,
        cancel.content,
    )
    status = RUNPOD.status_request(job, ENDPOINT)
    assert status is not None
    assert "https://vendor.example/e%2F1/status/j%2F1" == status.url
    assert "https://api.runpod.ai/v2" == RUNPOD.default_url
