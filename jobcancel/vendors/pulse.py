"""Pulse: document extraction. `pulse` cancels with DELETE, `pulse-legacy` with the older POST.

Sources: the vendor's pages "Cancel Job" and "Cancel Job (Deprecated)" with their OpenAPI
documents (docs.runpulse.com), and its Python SDK pulse-python-sdk 1.0.17 for the job states.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import Credential, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

PULSE = HttpAdapter(
    name="pulse",
    title="Pulse",
    docs='docs.runpulse.com, page "Cancel Job"',
    family="documents",
    notes=(
        "Cancelling is best effort: a running job may still complete. Pages that were processed "
        "before the cancel are billed. The vendor doesn't document its reply for a finished job, "
        "so jobcancel reads the status."
    ),
    # Endpoint
    default_url="https://api.runpulse.com",
    key_env="PULSE_API_KEY",
    url_env="PULSE_BASE_URL",
    credential=Credential(header="x-api-key", scheme=""),
    # Requests
    cancel=Route("DELETE", "/job/{id}"),
    status=Route("GET", "/job/{id}"),
    # Replies
    accepted=Outcome.CANCELLED,
    success={"message": "Job cancelled successfully"},
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "pending": JobState.PENDING,
        "processing": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELLED,
        # The spelling of older documents and servers.
        "cancelled": JobState.CANCELLED,
        # The retention period has ended, and the output was deleted.
        "expired": JobState.EXPIRED,
    },
    # Fields of a body
    job_id="job_id",
    message=("error.message", "message", "error"),
    code=("error.code",),
)

PULSE_LEGACY = evolve(
    PULSE,
    name="pulse-legacy",
    title="Pulse (deprecated POST)",
    docs='docs.runpulse.com, page "Cancel Job (Deprecated)"',
    deprecated="pulse",
    credentials_of="pulse",
    cancel=Route("POST", "/cancel/{id}"),
)
