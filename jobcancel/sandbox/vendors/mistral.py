"""Mistral: batch jobs."""

from __future__ import annotations

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

MISTRAL_BATCH = Vendor(
    name="mistral-batch",
    family="mistral",
    key_env="MISTRAL_API_KEY",
    url_env="MISTRAL_BASE_URL",
    cancel=Address("POST", "/v1/batch/jobs/{job_id}/cancel"),
    status=Address("GET", "/v1/batch/jobs/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="QUEUED",
        running="RUNNING",
        cancelling="CANCELLATION_REQUESTED",
        cancelled="CANCELLED",
        succeeded="SUCCESS",
        failed="FAILED",
        expired="TIMEOUT_EXCEEDED",
    ),
    job={
        "id": "{id}",
        "object": "batch",
        "status": "{word}",
        "total_requests": "{documents}",
        "completed_requests": "{done}",
    },
    # The vendor documents no errors.
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        Answer(400, {"detail": "The job has ended"}),
    ),
    unknown=Answer(404, {"detail": "Not found"}, documented=False),
    foreign=Answer(404, {"detail": "Not found"}, documented=False),
    wrong_key=Answer(401, {"detail": "Unauthorized"}),
    limit=Answer(429, {"message": "Requests rate limit exceeded"}),
)
