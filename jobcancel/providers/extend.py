"""Extend: runs that extract, parse, classify and split documents, and runs of workflows.

Sources: the vendor's Python SDK extend-ai 1.20.0 (addresses, the version header, states, the
declared errors, which runs can be cancelled) and its page on error codes. The SDK does not say
with which code a run that cannot be cancelled is refused: its status is read.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import BEARER
from jobcancel.models import JobState, Outcome
from jobcancel.routes import Param, Route
from jobcancel.tables import HttpAdapter

EXTEND_EXTRACT = HttpAdapter(
    name="extend-extract",
    title="Extend extract run",
    docs="docs.extend.ai, API reference, cancel an extract run",
    family="documents",
    notes=(
        "Only a run that is `PROCESSING` can be cancelled: a pending one is refused, too, which "
        "ends as `unknown` with its state. With which code is not documented. Other regions have "
        "base URLs of their own."
    ),
    # Where
    default_url="https://api.extend.ai",
    key_env="EXTEND_API_KEY",
    url_env="EXTEND_BASE_URL",
    credential=BEARER,
    # What to send; without a version the vendor refuses, or answers as an older API did
    headers={
        "x-extend-api-version": "2026-02-09",
        "x-extend-workspace-id": "{workspace_id}",
    },
    params={
        "workspace_id": Param(
            "the workspace, which a key of a whole organisation needs", optional=True
        )
    },
    cancel=Route("POST", "/extract_runs/{id}/cancel"),
    status=Route("GET", "/extract_runs/{id}"),
    # What a reply means
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "PENDING": JobState.PENDING,
        "PROCESSING": JobState.RUNNING,
        "PROCESSED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    },
    # Where in a body
    job_id="id",
    message=("message", "failureMessage"),
    code=("code",),
    retryable="retryable",
    request_id=("requestId",),
)

EXTEND_PARSE = evolve(
    EXTEND_EXTRACT,
    name="extend-parse",
    title="Extend parse run",
    docs="docs.extend.ai, API reference, cancel a parse run",
    shares="extend-extract",
    cancel=Route("POST", "/parse_runs/{id}/cancel"),
    status=Route("GET", "/parse_runs/{id}"),
)

EXTEND_CLASSIFY = evolve(
    EXTEND_EXTRACT,
    name="extend-classify",
    title="Extend classify run",
    docs="docs.extend.ai, API reference, cancel a classify run",
    shares="extend-extract",
    cancel=Route("POST", "/classify_runs/{id}/cancel"),
    status=Route("GET", "/classify_runs/{id}"),
)

EXTEND_SPLIT = evolve(
    EXTEND_EXTRACT,
    name="extend-split",
    title="Extend split run",
    docs="docs.extend.ai, API reference, cancel a split run",
    shares="extend-extract",
    cancel=Route("POST", "/split_runs/{id}/cancel"),
    status=Route("GET", "/split_runs/{id}"),
)

EXTEND_WORKFLOW = evolve(
    EXTEND_EXTRACT,
    name="extend-workflow",
    title="Extend workflow run",
    docs="docs.extend.ai, API reference, cancel a workflow run",
    notes=(
        "A run that is `PENDING` or `PROCESSING` can be cancelled, one in review cannot, which "
        "ends as `unknown` with its state. With which code it is refused is not documented."
    ),
    shares="extend-extract",
    cancel=Route("POST", "/workflow_runs/{id}/cancel"),
    status=Route("GET", "/workflow_runs/{id}"),
    states={
        **EXTEND_EXTRACT.states,
        "CANCELLING": JobState.CANCELLING,
        # It waits for a person, who may go on with it.
        "NEEDS_REVIEW": JobState.RUNNING,
        "REJECTED": JobState.FAILED,
    },
)
