"""Replicate: predictions."""

from __future__ import annotations

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    cancels,
    prefixed,
)


def _replicate(status: int, title: str) -> Answer:
    return Answer(status, {"title": title, "detail": f"{title}.", "status": status})


REPLICATE = Vendor(
    name="replicate",
    family="replicate",
    key_env="REPLICATE_API_TOKEN",
    url_env="REPLICATE_BASE_URL",
    cancel=Address("POST", "/v1/predictions/{job_id}/cancel"),
    status=Address("GET", "/v1/predictions/{job_id}"),
    new_id=prefixed(""),
    words={
        JobState.PENDING: "starting",
        JobState.RUNNING: "processing",
        JobState.CANCELLED: "canceled",
        JobState.SUCCEEDED: "succeeded",
        JobState.FAILED: "failed",
        JobState.EXPIRED: "aborted",
    },
    job={"id": "{id}", "status": "{word}", "created_at": "{created}", "error": None},
    # A third party's client has seen a finished prediction come back unchanged.
    cancels=cancels(Answer(200, job=True), Answer(200, job=True)),
    # Ours.
    unknown=_replicate(404, "Not found"),
    foreign=_replicate(404, "Not found"),
    wrong_key=_replicate(401, "Unauthenticated"),
    limit=Answer(429, {"detail": "Request was throttled. Your rate limit resets in ~30s."}),
)
