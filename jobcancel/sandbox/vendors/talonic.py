"""Talonic: document extraction. A cancelled job is reported as failed, "Cancelled via API"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel.models import JobState
from jobcancel.sandbox.checks import parse_json
from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    KeyStatus,
    Listing,
    RejectedSubmission,
    Submission,
    Vendor,
    as_uuid,
    cancels,
    iso,
    states,
)

if TYPE_CHECKING:
    from starlette.requests import Request


def _error(status: int, code: str, error: str, message: str, *, retryable: bool = False) -> Answer:
    return Answer(
        status,
        {
            "statusCode": status,
            "code": code,
            "error": error,
            "message": message,
            "retryable": retryable,
            "request_id": "{request_id}",
            "timestamp": "{now}",
            "path": "{path}",
        },
    )


def _time(moment: float) -> str:
    return iso(moment, "milliseconds").replace("+00:00", "Z")


async def _documents(request: Request) -> int:
    try:
        wanted = parse_json(await request.body())
    except ValueError:
        raise RejectedSubmission("The body must be JSON") from None
    if not isinstance(wanted, dict) or not isinstance(wanted.get("schema_id"), str):
        raise RejectedSubmission("schema_id is required and must be a string")
    documents = wanted.get("document_ids", [])
    if not isinstance(documents, list):
        raise RejectedSubmission("document_ids must be a list")
    return len(documents)


_NOT_FOUND = _error(
    404, "RESOURCE_NOT_FOUND", "Not Found", "There is no such job in your organization"
)
_FAILURE = ("INTERNAL_ERROR", "Internal Server Error", "The request could not be processed")

TALONIC = Vendor(
    name="talonic",
    family="talonic",
    key_env="TALONIC_API_KEY",
    url_env="TALONIC_BASE_URL",
    own_keys={
        KeyStatus.GOOD: "tlnc_sandbox_key",
        **{each: f"tlnc_{each}_key" for each in KeyStatus if each is not KeyStatus.GOOD},
    },
    cancel=Address("POST", "/v1/jobs/{job_id}/cancel"),
    status=Address("GET", "/v1/jobs/{job_id}"),
    submissions=(
        Submission(
            "/v1/jobs",
            _documents,
            Answer(201, {"id": "{id}", "status": "{word}", "message": "Job created"}),
        ),
    ),
    listing=Listing(
        "/v1/jobs",
        {"data": "{jobs}", "pagination": {"next_cursor": "{cursor}", "has_more": "{more}"}},
    ),
    new_id=as_uuid,
    seeded_ids_from=0,
    id_form=UUID,
    words=states(
        pending="pending",
        running="processing",
        succeeded="complete",
        failed="failed",
        cancelled="failed",
    ),
    # In the vendor's Node SDK, and in its examples.
    other_words=states(cancelled="cancelled", succeeded="completed"),
    job={
        "id": "{id}",
        "name": None,
        "status": "{word}",
        "progress": None,
        "estimated_seconds_remaining": None,
        "schema": {"id": "sch_sandbox", "name": "Sandbox"},
        "document_count": "{documents}",
        "completed_documents": "{done}",
        "grid_stats": None,
        "current_phase": None,
        "created_at": "{created}",
        "started_at": "{started}",
        "error": None,
        "completed_at": "{ended}",
    },
    extra={
        JobState.FAILED: {
            "error": {"code": "job_failed", "message": "No document could be read"},
        },
        JobState.CANCELLED: {"error": {"code": "job_failed", "message": "Cancelled via API"}},
    },
    time=_time,
    cancels=cancels(
        Answer(200, job=True),
        _error(409, "CONFLICT", "Conflict", "The job has ended and cannot be cancelled"),
        # The vendor has a short error format, too.
        failed=Answer(
            409, {"status": 409, "code": "conflict", "message": "Job has already failed"}
        ),
    ),
    unknown=_NOT_FOUND,
    foreign=_NOT_FOUND,
    denied=_error(403, "INSUFFICIENT_SCOPE", "Forbidden", "The API key lacks the scope jobs:write"),
    malformed=_error(400, "VALIDATION_ERROR", "Bad Request", "The job id must be a UUID"),
    wrong_key=_error(401, "UNAUTHORIZED", "Unauthorized", "The API key is missing or not valid"),
    limit=_error(429, "RATE_LIMITED", "Too Many Requests", "Too many requests", retryable=True),
    quota_headers={
        "X-RateLimit-Limit": "{limit}",
        "X-RateLimit-Remaining": "{remaining}",
        "X-RateLimit-Reset": "{reset}",
    },
    failure=_error(500, *_FAILURE, retryable=True),
    final_failure=_error(500, *_FAILURE),
    rejected=_error(400, "VALIDATION_ERROR", "Bad Request", "{problem}"),
    routing={
        404: _error(404, "RESOURCE_NOT_FOUND", "Not Found", "{problem}"),
        405: _error(405, "METHOD_NOT_ALLOWED", "Method Not Allowed", "{problem}"),
    },
    idempotency_header="idempotency-key",
)
