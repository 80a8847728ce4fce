"""What Talonic's replies look like: jobs, results and errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from jobcancel.models import JobState
from jobcancel.sandbox.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from jobcancel.sandbox.jobs import SandboxJob

_ERRORS = {
    JobState.FAILED: {"code": "job_failed", "message": "No document could be read"},
    JobState.CANCELLED: {"code": "job_failed", "message": "Cancelled via API"},
}
_CODES = {
    400: ("VALIDATION_ERROR", "Bad Request"),
    401: ("UNAUTHORIZED", "Unauthorized"),
    403: ("INSUFFICIENT_SCOPE", "Forbidden"),
    404: ("RESOURCE_NOT_FOUND", "Not Found"),
    405: ("METHOD_NOT_ALLOWED", "Method Not Allowed"),
    409: ("CONFLICT", "Conflict"),
    429: ("RATE_LIMITED", "Too Many Requests"),
}


class TalonicError(Exception):
    """An answer in Talonic's long error envelope."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self._status = status
        self._headers = headers

    def response(self, request: Request) -> Response:
        """Return the answer to `request`."""
        code, error = _CODES[self._status]
        body = {
            "statusCode": self._status,
            "code": code,
            "error": error,
            "message": str(self),
            "retryable": self._status == 429,  # noqa: PLR2004 - HTTP's own number
            "request_id": request.state.request_id,
            "timestamp": iso(request.state.received_at),
            "path": request.state.vendor_path,
        }
        return JSONResponse(body, self._status, self._headers)


def iso(moment: float) -> str:
    """Return seconds since the epoch as Talonic writes times."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def word(job: SandboxJob) -> str:
    """Return Talonic's word for the job's state."""
    return job.word(WORDS["talonic"])


def links(job: SandboxJob) -> dict[str, str]:
    """Return the job's links; `cancel` is among them only while it can be cancelled."""
    path = f"/v1/jobs/{job.job_id}"
    found = {
        "self": path,
        "results": f"{path}/results",
        "dashboard": f"https://app.talonic.com/jobs/{job.job_id}",
    }
    return found if job.state.final else {**found, "cancel": f"{path}/cancel"}


def job_body(job: SandboxJob) -> dict[str, object]:
    """Return the job as the status, the list and the cancel show it."""
    ended = iso(job.ending.at) if job.state.final else None
    node_dialect = JobState.CANCELLED in job.words and job.state is JobState.CANCELLED
    how: dict[str, object] = (
        {"error": None, "completed_at": None, "cancelled_at": ended}
        if node_dialect
        else {"error": _ERRORS.get(job.state), "completed_at": ended}
    )
    return {
        "id": job.job_id,
        "name": None,
        "status": word(job),
        "progress": None,
        "estimated_seconds_remaining": None,
        "schema": {"id": "sch_sandbox", "name": "Sandbox"},
        "document_count": job.documents,
        "completed_documents": job.done,
        "grid_stats": None,
        "current_phase": None,
        "created_at": iso(job.created),
        "started_at": None if job.changed < job.started else iso(job.started),
        **how,
        "links": links(job),
    }


def results_body(job: SandboxJob) -> dict[str, object]:
    """Return one row for each document that was finished."""
    rows = [{"document": number, "fields": {}} for number in range(1, job.done + 1)]
    return {"job_id": job.job_id, "data": rows}
