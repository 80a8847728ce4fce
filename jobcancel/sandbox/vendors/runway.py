"""Runway: tasks."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

RUNWAY = Vendor(
    name="runway",
    family="runway",
    key_env="RUNWAYML_API_SECRET",
    url_env="RUNWAYML_BASE_URL",
    needs_headers=("x-runway-version",),
    cancel=Address("DELETE", "/v1/tasks/{job_id}"),
    status=Address("GET", "/v1/tasks/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="PENDING",
        running="RUNNING",
        cancelled="CANCELLED",
        succeeded="SUCCEEDED",
        failed="FAILED",
    ),
    job={"id": "{id}", "status": "{word}", "createdAt": "{created}"},
    cancels=cancels(Answer(204), Answer(204)),
    deletes_finished=True,
    hides_cancelled=True,
    unknown=Answer(404, {"error": "Task not found"}),
    # Not documented.
    foreign=Answer(404, {"error": "Task not found"}),
    id_form=UUID,
    malformed=Answer(400, {"error": "The task id is not a UUID"}),
    wrong_key=Answer(401, {"error": "The API key is invalid"}),
    limit=Answer(429, {"error": "Too many requests"}),
    tells_wait=False,
    incomplete=Answer(400, {"error": "X-Runway-Version is required"}),
)
