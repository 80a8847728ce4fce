"""Extend: extract, parse, classify, split and workflow runs."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Template,
    Vendor,
    cancels,
    prefixed,
    states,
)

_UPPER = states(
    pending="PENDING",
    running="RUNNING",
    cancelled="CANCELLED",
    succeeded="COMPLETED",
    failed="FAILED",
)

_FLAT: Template = {"id": "{id}", "status": "{word}"}


def _extend(status: int, code: str, message: str, *, stops: bool = True) -> Answer:
    body = {"code": code, "message": message, "retryable": False, "requestId": "req_sandbox"}
    return Answer(status, body, stops=stops)


# The refusal is documented, its status code is not.
_NOT_PROCESSING = _extend(400, "INVALID_REQUEST", "The run is not PROCESSING", stops=False)

EXTEND_EXTRACT = Vendor(
    name="extend-extract",
    family="extend",
    key_env="EXTEND_API_KEY",
    url_env="EXTEND_BASE_URL",
    needs_headers=("x-extend-api-version",),
    cancel=Address("POST", "/extract_runs/{job_id}/cancel"),
    status=Address("GET", "/extract_runs/{job_id}"),
    new_id=prefixed("exr_"),
    words={**_UPPER, JobState.RUNNING: "PROCESSING", JobState.SUCCEEDED: "PROCESSED"},
    job={"object": "extract_run", **_FLAT},
    cancels=cancels(Answer(200, job=True), _NOT_PROCESSING, pending=_NOT_PROCESSING),
    unknown=_extend(404, "NOT_FOUND", "No run {id}"),
    # Not documented.
    foreign=_extend(404, "NOT_FOUND", "No run {id}"),
    denied=_extend(403, "FORBIDDEN", "The API key may not do this"),
    wrong_key=_extend(401, "UNAUTHORIZED", "The API key is not valid"),
    limit=Answer(
        429,
        {"code": "RATE_LIMIT_EXCEEDED", "message": "Too many requests", "retryable": True},
    ),
    tells_wait=False,
    incomplete=_extend(400, "INVALID_REQUEST", "x-extend-api-version is required"),
)


def _extend_runs(kind: str, prefix: str) -> Vendor:
    return evolve(
        EXTEND_EXTRACT,
        name=f"extend-{kind}",
        cancel=Address("POST", f"/{kind}_runs/{{job_id}}/cancel"),
        status=Address("GET", f"/{kind}_runs/{{job_id}}"),
        new_id=prefixed(prefix),
        job={"object": f"{kind}_run", **_FLAT},
    )


EXTEND_PARSE = evolve(
    _extend_runs("parse", "pr_"),
    # How a cancelled run reads is not documented; here it has what other kinds of runs had.
    words={**EXTEND_EXTRACT.words, JobState.CANCELLED: "FAILED"},
    extra={
        JobState.CANCELLED: {"failureReason": "ABORTED", "failureMessage": "Aborted"},
        JobState.FAILED: {"failureReason": "CORRUPT_FILE", "failureMessage": "Corrupt"},
    },
)

EXTEND_WORKFLOW = evolve(
    _extend_runs("workflow", "workflow_run_"),
    words={**EXTEND_EXTRACT.words, JobState.CANCELLING: "CANCELLING"},
    cancels=cancels(Answer(200, job=True, shows=JobState.CANCELLING), _NOT_PROCESSING),
)

EXTEND_CLASSIFY = _extend_runs("classify", "cl_")
EXTEND_SPLIT = _extend_runs("split", "spl_")
