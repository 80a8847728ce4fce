"""Cohere: batches."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

COHERE_BATCH = Vendor(
    name="cohere-batch",
    family="cohere",
    key_env="CO_API_KEY",
    url_env="CO_API_URL",
    cancel=Address("POST", "/v2/batches/{job_id}:cancel"),
    status=Address("GET", "/v2/batches/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="BATCH_STATUS_QUEUED",
        running="BATCH_STATUS_IN_PROGRESS",
        cancelling="BATCH_STATUS_CANCELING",
        cancelled="BATCH_STATUS_CANCELED",
        succeeded="BATCH_STATUS_COMPLETED",
        failed="BATCH_STATUS_FAILED",
    ),
    job={"batch": {"id": "{id}", "status": "{word}"}},
    cancels=cancels(
        Answer(200, {}),
        # The vendor documents the status code, but not when it is used.
        Answer(400, {"message": "the batch is finished"}),
    ),
    unknown=Answer(404, {"message": "batch not found"}),
    foreign=Answer(403, {"message": "access to the batch is denied"}),
    wrong_key=Answer(401, {"message": "invalid api token"}),
    # Not documented.
    limit=Answer(429, {"message": "too many requests"}),
)
