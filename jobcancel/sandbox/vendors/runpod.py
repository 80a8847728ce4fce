"""RunPod: serverless requests."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

RUNPOD = Vendor(
    name="runpod",
    family="runpod",
    key_env="RUNPOD_API_KEY",
    url_env="RUNPOD_ENDPOINT_BASE_URL",
    base="/v2",
    params={"endpoint": "abc"},
    cancel=Address("POST", "/{endpoint}/cancel/{job_id}"),
    status=Address("GET", "/{endpoint}/status/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="IN_QUEUE",
        running="IN_PROGRESS",
        cancelled="CANCELLED",
        succeeded="COMPLETED",
        failed="FAILED",
        expired="TIMED_OUT",
    ),
    job={"id": "{id}", "status": "{word}"},
    # The vendor documents the status code, but not when it is used.
    cancels=cancels(Answer(200, job=True), Answer(400, {"error": "job has already finished"})),
    unknown=Answer(404, {"error": "job not found"}),
    # Not documented.
    foreign=Answer(404, {"error": "job not found"}),
    wrong_key=Answer(401, {"error": "unauthorized"}),
    limit=Answer(429, {"error": "too many requests"}),
    tells_wait=False,
)
