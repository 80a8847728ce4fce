"""fal: queue requests."""

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

FAL = Vendor(
    name="fal",
    family="fal",
    key_env="FAL_KEY",
    url_env="FAL_BASE_URL",
    scheme="Key",
    params={"app": "fal-ai/flux"},
    cancel=Address("PUT", "/{app:path}/requests/{job_id}/cancel"),
    status=Address("GET", "/{app:path}/requests/{job_id}/status"),
    new_id=as_uuid,
    # There is no state for cancelled; that it is completed with this error is not documented.
    words=states(
        pending="IN_QUEUE",
        running="IN_PROGRESS",
        cancelled="COMPLETED",
        succeeded="COMPLETED",
        failed="COMPLETED",
    ),
    job={"request_id": "{id}", "status": "{word}"},
    extra={
        JobState.CANCELLED: {
            "error": "The request was cancelled",
            "error_type": "client_cancelled",
        },
        JobState.FAILED: {"error": "The app failed", "error_type": "internal_server_error"},
    },
    codes={JobState.PENDING: 202, JobState.RUNNING: 202},
    cancels=cancels(
        Answer(200, {"status": "OK"}),
        # Third parties report both 400 and 409; the word is documented.
        Answer(400, {"status": "ALREADY_COMPLETED"}),
        running=Answer(202, {"status": "CANCELLATION_REQUESTED"}),
    ),
    unknown=Answer(404, {"status": "NOT_FOUND"}),
    # Not documented, except for the status codes.
    foreign=Answer(404, {"status": "NOT_FOUND"}),
    wrong_key=Answer(401, {"detail": "Cannot access the application: invalid key"}),
    limit=Answer(429, {"detail": "Too many requests"}),
)
