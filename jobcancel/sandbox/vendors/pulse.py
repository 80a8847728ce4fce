"""Pulse: document extraction, cancelled by DELETE or by the older POST."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobcancel.models import JobState, Outcome
from jobcancel.sandbox.checks import is_json, parse_json
from jobcancel.sandbox.jobs import DOCUMENTS
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    RejectedSubmission,
    Submission,
    Vendor,
    cancels,
    iso,
    states,
)

if TYPE_CHECKING:
    from starlette.requests import Request

_TRUE = frozenset({"true", "1"})


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def _new_id(number: int) -> str:
    digits = f"{number % 16**18:018x}"
    return "-".join((digits[:6], digits[6:12], digits[12:]))


async def _asynchronous(request: Request) -> int:
    """Accept a submission, in whichever format it comes, only if it asks for an async job."""
    if is_json(request):
        try:
            sent = parse_json(await request.body())
        except ValueError:
            raise RejectedSubmission("The body is not valid JSON") from None
        asynchronous = isinstance(sent, dict) and sent.get("async") is True
    else:
        async with request.form() as form:
            value = form.get("async", "")
        asynchronous = isinstance(value, str) and value.lower() in _TRUE
    if not asynchronous:
        raise RejectedSubmission("The sandbox runs async jobs only: send async=true")
    return DOCUMENTS


async def _anything(_: Request) -> int:
    """Accept any submission."""
    return DOCUMENTS


_SUBMITTED = Answer(
    200, {"job_id": "{id}", "status": "{word}", "message": "Job accepted for processing"}
)

PULSE = Vendor(
    name="pulse",
    family="pulse",
    key_env="PULSE_API_KEY",
    url_env="PULSE_BASE_URL",
    header="x-api-key",
    scheme="",
    cancel=Address("DELETE", "/job/{job_id}"),
    other_cancels={"pulse-legacy": Address("POST", "/cancel/{job_id}")},
    status=Address("GET", "/job/{job_id}"),
    submissions=(
        Submission("/extract", _asynchronous, _SUBMITTED),
        Submission("/extract_async", _anything, _SUBMITTED),
    ),
    new_id=_new_id,
    words=states(
        pending="pending",
        running="processing",
        succeeded="completed",
        failed="failed",
        cancelled="canceled",
        expired="expired",
    ),
    other_words=states(cancelled="cancelled"),
    job={
        "job_id": "{id}",
        "status": "{word}",
        "created_at": "{created}",
        "updated_at": "{changed}",
    },
    extra={
        JobState.SUCCEEDED: {"result": {"markdown": "# Sandbox document", "page_count": 1}},
        JobState.FAILED: {"error": "The document could not be read"},
    },
    time=partial(iso, timespec="microseconds"),
    cancels=cancels(
        Answer(
            200,
            {"job_id": "{id}", "message": "Job cancelled successfully"},
            means=Outcome.CANCELLED,
        ),
        # Not documented.
        _error(500, "JOB_002", "Job could not be cancelled"),
    ),
    unknown=_error(404, "JOB_001", "Job not found"),
    foreign=_error(403, "AUTH_004", "You do not have access to this job"),
    denied=_error(403, "AUTH_004", "API key lacks the permission"),
    expired=_error(401, "AUTH_003", "API key has expired"),
    no_key=_error(401, "AUTH_001", "API key is missing"),
    wrong_key=_error(401, "AUTH_002", "API key is invalid"),
    limit=_error(429, "GENERAL_004", "Rate limit exceeded"),
    failure=_error(500, "GENERAL_001", "Internal server error"),
    rejected=_error(400, "GENERAL_003", "{problem}"),
    routing={code: _error(code, "GENERAL_002", "{problem}") for code in (400, 404, 405)},
)
