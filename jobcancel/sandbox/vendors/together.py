"""Together: batches."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

TOGETHER_BATCH = Vendor(
    name="together-batch",
    family="together",
    key_env="TOGETHER_API_KEY",
    url_env="TOGETHER_BASE_URL",
    cancel=Address("POST", "/v1/batches/{job_id}/cancel"),
    status=Address("GET", "/v1/batches/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="VALIDATING",
        running="IN_PROGRESS",
        cancelled="CANCELLED",
        succeeded="COMPLETED",
        failed="FAILED",
        expired="EXPIRED",
    ),
    job={"id": "{id}", "status": "{word}"},
    cancels=cancels(
        Answer(200, job=True),
        # The vendor documents the status code, but not when it is used.
        Answer(400, {"error": "the batch cannot be cancelled"}),
    ),
    unknown=Answer(404, {"error": "batch not found"}),
    # Likewise.
    foreign=Answer(403, {"error": "forbidden"}),
    wrong_key=Answer(401, {"error": "invalid api key"}),
    # Not documented.
    limit=Answer(429, {"error": "rate limit exceeded"}),
)
