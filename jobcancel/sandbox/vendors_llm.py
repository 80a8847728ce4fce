"""The other vendors of LLM jobs, declared from their documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    prefixed,
)

if TYPE_CHECKING:
    from jobcancel.sandbox.vendors.declaration import Template


def _anthropic(kind: str, message: str) -> Template:
    return {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_sandbox",
    }


_ANTHROPIC_ENDS = {
    JobState.CANCELLED: "canceled",
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "errored",
    JobState.EXPIRED: "expired",
}
_COUNTERS = ("processing", "succeeded", "errored", "canceled", "expired")
_BEGUN: dict[str, Any] = {"cancel_initiated_at": "{created}"}


def _counts(name: str) -> dict[str, object]:
    return {"request_counts": {each: 12 if each == name else 0 for each in _COUNTERS}}


_ANTHROPIC_BATCH = Vendor(
    name="anthropic-batch",
    family="anthropic",
    key_env="ANTHROPIC_API_KEY",
    url_env="ANTHROPIC_BASE_URL",
    header="x-api-key",
    scheme="",
    needs_headers=("anthropic-version",),
    cancel=Address("POST", "/v1/messages/batches/{job_id}/cancel"),
    status=Address("GET", "/v1/messages/batches/{job_id}"),
    new_id=prefixed("msgbatch_"),
    words={
        JobState.PENDING: "in_progress",
        JobState.RUNNING: "in_progress",
        JobState.CANCELLING: "canceling",
        **dict.fromkeys(_ANTHROPIC_ENDS, "ended"),
    },
    job={
        "id": "{id}",
        "type": "message_batch",
        "processing_status": "{word}",
        "cancel_initiated_at": None,
        **_counts("processing"),
    },
    extra={
        **{state: _counts(name) for state, name in _ANTHROPIC_ENDS.items()},
        JobState.CANCELLING: _BEGUN,
        JobState.CANCELLED: {**_BEGUN, **_counts("canceled")},
    },
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        # Ours.
        Answer(400, _anthropic("invalid_request_error", "The batch has ended")),
    ),
    unknown=Answer(404, _anthropic("not_found_error", "There is no batch {id}")),
    # Ours.
    foreign=Answer(404, _anthropic("not_found_error", "There is no batch {id}")),
    denied=Answer(403, _anthropic("permission_error", "The API key may not use this resource")),
    wrong_key=Answer(401, _anthropic("authentication_error", "invalid x-api-key")),
    limit=Answer(429, _anthropic("rate_limit_error", "Number of requests has exceeded your limit")),
    incomplete=Answer(
        400, _anthropic("invalid_request_error", "anthropic-version: header is required")
    ),
)

_MISTRAL_BATCH = Vendor(
    name="mistral-batch",
    family="mistral",
    key_env="MISTRAL_API_KEY",
    url_env="MISTRAL_BASE_URL",
    cancel=Address("POST", "/v1/batch/jobs/{job_id}/cancel"),
    status=Address("GET", "/v1/batch/jobs/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "QUEUED",
        JobState.RUNNING: "RUNNING",
        JobState.CANCELLING: "CANCELLATION_REQUESTED",
        JobState.CANCELLED: "CANCELLED",
        JobState.SUCCEEDED: "SUCCESS",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "TIMEOUT_EXCEEDED",
    },
    job={
        "id": "{id}",
        "object": "batch",
        "status": "{word}",
        "total_requests": "{documents}",
        "completed_requests": "{done}",
    },
    # The vendor documents no error: all of them are ours.
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        Answer(400, {"detail": "The job has ended"}),
    ),
    unknown=Answer(404, {"detail": "Not found"}),
    foreign=Answer(404, {"detail": "Not found"}),
    wrong_key=Answer(401, {"detail": "Unauthorized"}),
    limit=Answer(429, {"message": "Requests rate limit exceeded"}),
)


def _google(code: int, status: str, message: str, **more: object) -> Answer:
    return Answer(code, {"error": {"code": code, "message": message, "status": status, **more}})


_GEMINI_BATCH = Vendor(
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
    words={
        JobState.PENDING: "BATCH_STATE_PENDING",
        JobState.RUNNING: "BATCH_STATE_RUNNING",
        JobState.CANCELLED: "BATCH_STATE_CANCELLED",
        JobState.SUCCEEDED: "BATCH_STATE_SUCCEEDED",
        JobState.FAILED: "BATCH_STATE_FAILED",
        JobState.EXPIRED: "BATCH_STATE_EXPIRED",
    },
    job={"name": "{id}", "metadata": {"name": "{id}", "state": "{word}"}},
    cancels=cancels(
        Answer(200, {}),
        # Ours.
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
    # Third parties have seen the wait here, and no header.
    limit=_google(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded",
        details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "{wait}s"}],
    ),
    tells_wait=False,
)

_COHERE_BATCH = Vendor(
    name="cohere-batch",
    family="cohere",
    key_env="CO_API_KEY",
    url_env="CO_API_URL",
    cancel=Address("POST", "/v2/batches/{job_id}:cancel"),
    status=Address("GET", "/v2/batches/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "BATCH_STATUS_QUEUED",
        JobState.RUNNING: "BATCH_STATUS_IN_PROGRESS",
        JobState.CANCELLING: "BATCH_STATUS_CANCELING",
        JobState.CANCELLED: "BATCH_STATUS_CANCELED",
        JobState.SUCCEEDED: "BATCH_STATUS_COMPLETED",
        JobState.FAILED: "BATCH_STATUS_FAILED",
    },
    job={"batch": {"id": "{id}", "status": "{word}"}},
    cancels=cancels(
        Answer(200, {}),
        # Ours, with one of the status codes that are documented.
        Answer(400, {"message": "the batch is finished"}),
    ),
    unknown=Answer(404, {"message": "batch not found"}),
    foreign=Answer(403, {"message": "access to the batch is denied"}),
    wrong_key=Answer(401, {"message": "invalid api token"}),
    # Ours.
    limit=Answer(429, {"message": "too many requests"}),
)

_TOGETHER_BATCH = Vendor(
    name="together-batch",
    family="together",
    key_env="TOGETHER_API_KEY",
    url_env="TOGETHER_BASE_URL",
    cancel=Address("POST", "/v1/batches/{job_id}/cancel"),
    status=Address("GET", "/v1/batches/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "VALIDATING",
        JobState.RUNNING: "IN_PROGRESS",
        JobState.CANCELLED: "CANCELLED",
        JobState.SUCCEEDED: "COMPLETED",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "EXPIRED",
    },
    job={"id": "{id}", "status": "{word}"},
    cancels=cancels(
        Answer(200, job=True),
        # Ours, with one of the status codes that are documented.
        Answer(400, {"error": "the batch cannot be cancelled"}),
    ),
    unknown=Answer(404, {"error": "batch not found"}),
    # Ours, likewise.
    foreign=Answer(403, {"error": "forbidden"}),
    wrong_key=Answer(401, {"error": "invalid api key"}),
    # Ours.
    limit=Answer(429, {"error": "rate limit exceeded"}),
)

LLM_VENDORS = (*(_ANTHROPIC_BATCH, _MISTRAL_BATCH, _GEMINI_BATCH, _COHERE_BATCH, _TOGETHER_BATCH),)
