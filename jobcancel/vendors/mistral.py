"""Mistral: batch jobs.

Sources: the vendor's OpenAPI document and its Python SDK mistralai 3.7.0, which only document the
success and the states. Errors are not documented: only those that HTTP itself defines are
interpreted (401 and 429), and the replies for an unknown or a finished job are not known. An error
must have a `message` or FastAPI's `detail`, like the SDK's only error, to count as the vendor's.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

MISTRAL_BATCH = HttpAdapter(
    name="mistral-batch",
    title="Mistral batch jobs",
    docs='docs.mistral.ai, API reference, page "Cancel Batch Job"',
    family="LLM batches",
    notes=(
        "The vendor doesn't document errors, so its replies for a job that is unknown, finished "
        "or someone else's are not known. jobcancel reads the status; if that fails, the outcome "
        "is `unknown`. Regional base URLs are `https://api.eu.mistral.ai` and "
        "`https://api.us.mistral.ai`."
    ),
    # Endpoint
    default_url="https://api.mistral.ai",
    key_env="MISTRAL_API_KEY",
    url_env="MISTRAL_BASE_URL",
    credential=BEARER,
    # Requests
    cancel=Route("POST", "/v1/batch/jobs/{id}/cancel"),
    status=Route("GET", "/v1/batch/jobs/{id}"),
    # Replies
    accepted=Outcome.CANCELLING,
    replies={
        # RFC 9110, section 15.5.2, and RFC 6585, section 4.
        401: Outcome.UNAUTHORIZED,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "QUEUED": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "CANCELLATION_REQUESTED": JobState.CANCELLING,
        "CANCELLED": JobState.CANCELLED,
        "SUCCESS": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "TIMEOUT_EXCEEDED": JobState.EXPIRED,
    },
    # Fields of a body
    message=("message", "error.message", "detail.*.msg", "detail"),
    progress=("completed_requests", "total_requests"),
)
