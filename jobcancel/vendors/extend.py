"""Extend: runs that extract, parse, classify and split documents, and runs of workflows.

Sources: the vendor's Python SDK extend-ai 1.20.0 (addresses, the version header, states, the
declared errors, the reasons of a failure, which runs can be cancelled), its page on error codes,
and its CLI of May 2026 on parse runs. No source says with which code a run that cannot be cancelled
is refused, or how a parse run reads that was cancelled: neither the SDK's states nor its filters
and webhooks have a word for that. So each declared error that can be about the run's status counts
as a refusal, and the run is read.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import ANY, BEARER, HttpAdapter, Override, Param, Route
from jobcancel.models import JobState, Outcome

EXTEND_EXTRACT = HttpAdapter(
    name="extend-extract",
    title="Extend extract run",
    docs="docs.extend.ai, API reference, cancel an extract run",
    family="documents",
    notes=(
        "Only a run that is `PROCESSING` can be cancelled: a pending one is refused, too, which "
        "is `refused`. With which code is not documented. Other regions have "
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
            "the workspace, which a key of a whole organization needs", optional=True
        )
    },
    cancel=Route("POST", "/extract_runs/{id}/cancel"),
    status=Route("GET", "/extract_runs/{id}"),
    # What a reply means
    replies={
        (400, ANY): Outcome.REFUSED,
        (422, ANY): Outcome.REFUSED,
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
    overrides=(
        # The SDK: "the run was aborted by the user".
        Override(
            where={"status": "FAILED", "failureReason": "ABORTED"},
            state=JobState.CANCELLED,
        ),
    ),
    # Where in a body
    job_id="id",
    message=("message", "failureMessage"),
    code=("code",),
    retry_flag="retryable",
    request_id=("requestId",),
)

EXTEND_PARSE = evolve(
    EXTEND_EXTRACT,
    name="extend-parse",
    title="Extend parse run",
    docs="docs.extend.ai, API reference, cancel a parse run",
    notes=(
        "Only a run that is `PROCESSING` can be cancelled, says the SDK; the vendor's CLI refuses "
        "to cancel any parse run, since the API would. A run that goes on after a refusal "
        "is `refused`. Not documented: the code of a refusal, and how a cancelled parse run reads; "
        "only `FAILED` with the reason `ABORTED` is taken for it. Other regions have base URLs of "
        "their own."
    ),
    credentials_of="extend-extract",
    cancel=Route("POST", "/parse_runs/{id}/cancel"),
    status=Route("GET", "/parse_runs/{id}"),
    states={
        word: state
        for word, state in EXTEND_EXTRACT.states.items()
        if state is not JobState.CANCELLED
    },
)

EXTEND_CLASSIFY = evolve(
    EXTEND_EXTRACT,
    name="extend-classify",
    title="Extend classify run",
    docs="docs.extend.ai, API reference, cancel a classify run",
    credentials_of="extend-extract",
    cancel=Route("POST", "/classify_runs/{id}/cancel"),
    status=Route("GET", "/classify_runs/{id}"),
)

EXTEND_SPLIT = evolve(
    EXTEND_EXTRACT,
    name="extend-split",
    title="Extend split run",
    docs="docs.extend.ai, API reference, cancel a split run",
    credentials_of="extend-extract",
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
        "is `refused`. With which code is not documented."
    ),
    credentials_of="extend-extract",
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
