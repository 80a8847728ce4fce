"""Gemini: batches."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    cancels,
    prefixed,
    states,
)


def _google(code: int, status: str, message: str, **more: object) -> Answer:
    return Answer(code, {"error": {"code": code, "message": message, "status": status, **more}})


GEMINI_BATCH = Vendor(
    name="gemini-batch",
    family="gemini",
    key_env="GOOGLE_API_KEY",
    url_env="GOOGLE_GEMINI_BASE_URL",
    header="x-goog-api-key",
    scheme="",
    cancel=Address("POST", "/v1beta/batches/{job_id}:cancel"),
    status=Address("GET", "/v1beta/batches/{job_id}"),
    new_id=prefixed("batches/"),
    id_prefix="batches/",
    words=states(
        pending="BATCH_STATE_PENDING",
        running="BATCH_STATE_RUNNING",
        cancelled="BATCH_STATE_CANCELLED",
        succeeded="BATCH_STATE_SUCCEEDED",
        failed="BATCH_STATE_FAILED",
        expired="BATCH_STATE_EXPIRED",
    ),
    job={"name": "{id}", "metadata": {"name": "{id}", "state": "{word}"}},
    cancels=cancels(
        Answer(200, {}),
        # Not documented.
        _google(400, "FAILED_PRECONDITION", "The batch has ended"),
    ),
    unknown=_google(404, "NOT_FOUND", "Requested entity was not found."),
    foreign=_google(403, "PERMISSION_DENIED", "The caller does not have permission"),
    # Not documented, but recorded by several third parties.
    wrong_key=_google(
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
        details=[{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
    ),
    # Third parties have seen the wait here, and no Retry-After.
    limit=_google(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded",
        details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "{wait}s"}],
    ),
    tells_wait=False,
)
