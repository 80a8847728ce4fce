"""Extend: runs that extract, parse, classify and split documents, and runs of workflows.

Sources: the vendor's Python SDK extend-ai 1.20.0 (URLs, the version header, states, the declared
errors, the reasons for a failure, which runs can be cancelled), its page on error codes, and its
CLI of May 2026 for parse runs. Not documented: the error code for a run that cannot be cancelled,
and the state of a cancelled parse run, for which neither the SDK's states nor its filters and
webhooks have a word. Therefore every declared error that may be about the run's status is a
refusal, and the status is read.
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
        "Only a run that is `PROCESSING` can be cancelled; even a pending run is `refused`. The "
        "vendor doesn't document the error code for that. Other regions have different base URLs."
    ),
    # Endpoint
    default_url="https://api.extend.ai",
    key_env="EXTEND_API_KEY",
    url_env="EXTEND_BASE_URL",
    credential=BEARER,
    # Requests; without a version, the vendor refuses them or replies like an older API
    headers={
        "x-extend-api-version": "2026-02-09",
        "x-extend-workspace-id": "{workspace_id}",
    },
    params={
        "workspace_id": Param(
            "the workspace; required if the key belongs to a whole organization", optional=True
        )
    },
    cancel=Route("POST", "/extract_runs/{id}/cancel"),
    status=Route("GET", "/extract_runs/{id}"),
    # Replies
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
        # The SDK's description: "the run was aborted by the user".
        Override(
            where={"status": "FAILED", "failureReason": "ABORTED"},
            state=JobState.CANCELLED,
        ),
    ),
    # Fields of a body
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
        "According to the SDK, only a run that is `PROCESSING` can be cancelled; the vendor's CLI "
        "doesn't cancel any parse run, because the API would refuse. A run that keeps running "
        "after a refusal is `refused`. The vendor documents neither the error code nor the state "
        "of a cancelled parse run; jobcancel takes only `FAILED` with the reason `ABORTED` for "
        "cancelled. Other regions have different base URLs."
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
        "A run that is `PENDING` or `PROCESSING` can be cancelled; a run in review is `refused`. "
        "The vendor doesn't document the error code for that."
    ),
    credentials_of="extend-extract",
    cancel=Route("POST", "/workflow_runs/{id}/cancel"),
    status=Route("GET", "/workflow_runs/{id}"),
    states={
        **EXTEND_EXTRACT.states,
        "CANCELLING": JobState.CANCELLING,
        # The run waits for a person, and may continue.
        "NEEDS_REVIEW": JobState.RUNNING,
        "REJECTED": JobState.FAILED,
    },
)
