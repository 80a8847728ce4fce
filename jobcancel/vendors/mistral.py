"""Mistral: batch jobs.

Sources: the vendor's OpenAPI document and its Python SDK mistralai 3.7.0, which name the success
and the states alone. Of errors nothing is documented: what a refusal means is known here where
HTTP itself says so (401 and 429); how an unknown or a finished job answers is not known. Their body
is taken for the vendor's if it has a `message` or FastAPI's `detail`, as the SDK's one error has.
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
        "The vendor documents no error, so how an unknown, a finished or another's job answers is "
        "not known: the job's status is read, and where it cannot be read the outcome is unknown. "
        "Servers of a region are `https://api.eu.mistral.ai` and `https://api.us.mistral.ai`."
    ),
    # Where
    default_url="https://api.mistral.ai",
    key_env="MISTRAL_API_KEY",
    url_env="MISTRAL_BASE_URL",
    credential=BEARER,
    # What to send
    cancel=Route("POST", "/v1/batch/jobs/{id}/cancel"),
    status=Route("GET", "/v1/batch/jobs/{id}"),
    # What a reply means
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
    # Where in a body
    message=("message", "error.message", "detail.*.msg", "detail"),
    progress=("completed_requests", "total_requests"),
)
