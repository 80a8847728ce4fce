"""The vendors of generative media and compute, declared from their documentation."""

from __future__ import annotations

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    prefixed,
)


def _replicate(status: int, title: str) -> Answer:
    return Answer(status, {"title": title, "detail": f"{title}.", "status": status})


_REPLICATE = Vendor(
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

_FAL = Vendor(
    name="fal",
    family="fal",
    key_env="FAL_KEY",
    url_env="FAL_BASE_URL",
    scheme="Key",
    cancel=Address("PUT", "/{app:path}/requests/{job_id}/cancel"),
    status=Address("GET", "/{app:path}/requests/{job_id}/status"),
    new_id=as_uuid,
    # Ours is that a cancelled request is completed with that error: there is no cancelled state.
    words={
        JobState.PENDING: "IN_QUEUE",
        JobState.RUNNING: "IN_PROGRESS",
        JobState.CANCELLED: "COMPLETED",
        JobState.SUCCEEDED: "COMPLETED",
        JobState.FAILED: "COMPLETED",
    },
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
    # Ours, but for the status codes.
    foreign=Answer(404, {"status": "NOT_FOUND"}),
    wrong_key=Answer(401, {"detail": "Cannot access the application: invalid key"}),
    limit=Answer(429, {"detail": "Too many requests"}),
)

# It covers what runs and what has ended alike.
_STARTED = Answer(400, {"detail": "The request has already started"}, stops=False)

_HIGGSFIELD = Vendor(
    name="higgsfield",
    family="higgsfield",
    key_env="HF_KEY",
    url_env="HIGGSFIELD_BASE_URL",
    scheme="Key",
    cancel=Address("POST", "/requests/{job_id}/cancel"),
    status=Address("GET", "/requests/{job_id}/status"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "queued",
        JobState.RUNNING: "in_progress",
        JobState.CANCELLED: "canceled",
        JobState.SUCCEEDED: "completed",
        JobState.FAILED: "failed",
    },
    job={"request_id": "{id}", "status": "{word}"},
    cancels=cancels(Answer(202), _STARTED, running=_STARTED),
    unknown=Answer(404, {"detail": "Request not found"}),
    foreign=Answer(404, {"detail": "Request not found"}),
    wrong_key=Answer(401, {"detail": "Invalid credentials"}),
    # Ours.
    limit=Answer(429, {"detail": "Too many requests"}),
)

_RUNPOD = Vendor(
    name="runpod",
    family="runpod",
    key_env="RUNPOD_API_KEY",
    url_env="RUNPOD_ENDPOINT_BASE_URL",
    base="/v2",
    cancel=Address("POST", "/{endpoint}/cancel/{job_id}"),
    status=Address("GET", "/{endpoint}/status/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "IN_QUEUE",
        JobState.RUNNING: "IN_PROGRESS",
        JobState.CANCELLED: "CANCELLED",
        JobState.SUCCEEDED: "COMPLETED",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "TIMED_OUT",
    },
    job={"id": "{id}", "status": "{word}"},
    # Ours, with one of the status codes that are documented.
    cancels=cancels(Answer(200, job=True), Answer(400, {"error": "job has already finished"})),
    unknown=Answer(404, {"error": "job not found"}),
    # Ours.
    foreign=Answer(404, {"error": "job not found"}),
    wrong_key=Answer(401, {"error": "unauthorized"}),
    limit=Answer(429, {"error": "too many requests"}),
    tells_wait=False,
)

_NOT_QUEUED = Answer(
    200,
    {"request_id": "{id}", "canceled": False, "message": "The request is not in the queue"},
    stops=False,
)


def _baseten(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": message, "error_code": code, "detail": None})


_BASETEN = Vendor(
    name="baseten",
    family="baseten",
    key_env="BASETEN_API_KEY",
    url_env="BASETEN_BASE_URL",
    cancel=Address("DELETE", "/async_request/{job_id}"),
    status=Address("GET", "/async_request/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "QUEUED",
        JobState.RUNNING: "IN_PROGRESS",
        JobState.CANCELLED: "CANCELED",
        JobState.SUCCEEDED: "SUCCEEDED",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "EXPIRED",
    },
    job={"request_id": "{id}", "status": "{word}"},
    cancels=cancels(
        Answer(200, {"request_id": "{id}", "canceled": True, "message": "Canceled"}),
        _NOT_QUEUED,
        running=_NOT_QUEUED,
    ),
    # Ours.
    unknown=_baseten(404, "client_error", "no such request"),
    foreign=_baseten(404, "client_error", "no such request"),
    wrong_key=_baseten(401, "unauthorized", "invalid API key"),
    limit=_baseten(429, "rate_limited", "too many requests"),
    tells_wait=False,
)

_RUNWAY = Vendor(
    name="runway",
    family="runway",
    key_env="RUNWAYML_API_SECRET",
    url_env="RUNWAYML_BASE_URL",
    needs_headers=("x-runway-version",),
    cancel=Address("DELETE", "/v1/tasks/{job_id}"),
    status=Address("GET", "/v1/tasks/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "PENDING",
        JobState.RUNNING: "RUNNING",
        JobState.CANCELLED: "CANCELLED",
        JobState.SUCCEEDED: "SUCCEEDED",
        JobState.FAILED: "FAILED",
    },
    job={"id": "{id}", "status": "{word}", "createdAt": "{created}"},
    cancels=cancels(Answer(204), Answer(204)),
    deletes_finished=True,
    hides_cancelled=True,
    unknown=Answer(404, {"error": "Task not found"}),
    # Ours.
    foreign=Answer(404, {"error": "Task not found"}),
    id_form=UUID,
    malformed=Answer(400, {"error": "The task id is not a UUID"}),
    wrong_key=Answer(401, {"error": "The API key is invalid"}),
    limit=Answer(429, {"error": "Too many requests"}),
    tells_wait=False,
    incomplete=Answer(400, {"error": "X-Runway-Version is required"}),
)

MEDIA_VENDORS = (_REPLICATE, _FAL, _HIGGSFIELD, _RUNPOD, _BASETEN, _RUNWAY)
