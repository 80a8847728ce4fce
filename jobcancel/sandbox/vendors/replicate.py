"""Replicate: predictions."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    cancels,
    prefixed,
    states,
)


def _replicate(status: int, title: str, *, documented: bool = True) -> Answer:
    return Answer(
        status, {"title": title, "detail": f"{title}.", "status": status}, documented=documented
    )


REPLICATE = Vendor(
    name="replicate",
    family="replicate",
    key_env="REPLICATE_API_TOKEN",
    url_env="REPLICATE_BASE_URL",
    cancel=Address("POST", "/v1/predictions/{job_id}/cancel"),
    status=Address("GET", "/v1/predictions/{job_id}"),
    new_id=prefixed(""),
    words=states(
        pending="starting",
        running="processing",
        cancelled="canceled",
        succeeded="succeeded",
        failed="failed",
        expired="aborted",
    ),
    job={"id": "{id}", "status": "{word}", "created_at": "{created}", "error": None},
    # A third party's client has seen that a finished prediction is returned unchanged.
    cancels=cancels(Answer(200, job=True), Answer(200, job=True)),
    # Not documented.
    unknown=_replicate(404, "Not found", documented=False),
    foreign=_replicate(404, "Not found", documented=False),
    wrong_key=_replicate(401, "Unauthenticated"),
    limit=Answer(429, {"detail": "Request was throttled. Your rate limit resets in ~{wait}s."}),
)
