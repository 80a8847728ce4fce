"""Talonic: document extraction. A cancelled job is reported as failed, "Cancelled via API".

Sources: the vendor's pages "Cancel Job", "Authentication", "Error codes" and "Rate limits", and
its Node SDK for the state `cancelled`.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Override, Route
from jobcancel.models import JobState, Outcome

TALONIC = HttpAdapter(
    name="talonic",
    title="Talonic",
    docs='API reference, page "Cancel Job"',
    family="documents",
    notes=(
        "Cancelling is best effort. Documents that were finished before the cancel stay available "
        "in the job's results. Quotas are per calendar day, so the wait after a rate limit can be "
        "hours."
    ),
    # Endpoint
    default_url="https://api.talonic.com",
    key_env="TALONIC_API_KEY",
    url_env="TALONIC_BASE_URL",
    credential=BEARER,
    # Requests
    cancel=Route("POST", "/v1/jobs/{id}/cancel"),
    status=Route("GET", "/v1/jobs/{id}"),
    idempotency_header="idempotency-key",
    # Replies
    accepted=Outcome.CANCELLED,
    replies={
        400: Outcome.INVALID,
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        409: Outcome.ALREADY_TERMINAL,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "pending": JobState.PENDING,
        "queued": JobState.PENDING,
        "processing": JobState.RUNNING,
        "complete": JobState.SUCCEEDED,
        # Observed in addition to "complete".
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
        # The spelling of other vendors, as a precaution.
        "canceled": JobState.CANCELLED,
    },
    overrides=(
        Override(
            where={"status": "failed", "error.message": "Cancelled via API"},
            state=JobState.CANCELLED,
        ),
    ),
    # Fields of a body
    job_id="id",
    message=("message", "error.message"),
    code=("code", "error.code"),
    retry_flag="retryable",
    request_id=("request_id",),
    progress=("completed_documents", "document_count"),
)
