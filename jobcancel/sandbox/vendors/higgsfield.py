"""Higgsfield: generation requests."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

# The same answer for a running and a finished request.
_STARTED = Answer(400, {"detail": "The request has already started"}, stops=False)

HIGGSFIELD = Vendor(
    name="higgsfield",
    family="higgsfield",
    key_env="HF_KEY",
    url_env="HIGGSFIELD_BASE_URL",
    scheme="Key",
    cancel=Address("POST", "/requests/{job_id}/cancel"),
    status=Address("GET", "/requests/{job_id}/status"),
    new_id=as_uuid,
    words=states(
        pending="queued",
        running="in_progress",
        cancelled="canceled",
        succeeded="completed",
        failed="failed",
    ),
    job={"request_id": "{id}", "status": "{word}"},
    cancels=cancels(Answer(202), _STARTED, running=_STARTED),
    unknown=Answer(404, {"detail": "Request not found"}),
    foreign=Answer(404, {"detail": "Request not found"}),
    wrong_key=Answer(401, {"detail": "Invalid credentials"}),
    # Not documented.
    limit=Answer(429, {"detail": "Too many requests"}),
)
