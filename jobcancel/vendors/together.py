"""Together: batches. States are in upper case, and errors are plain text.

Sources: the vendor's OpenAPI document (github.com/togethercomputer/openapi), which declares 400,
401, 403, 404 and 500, its Python SDK together 3.1.1, and its page on managing batches, which says
to poll every 30 to 60 s. Not documented: the meaning of a 400, the reply for a finished batch, and
whether a cancel takes some time; there is no cancelling state.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

TOGETHER_BATCH = HttpAdapter(
    name="together-batch",
    title="Together batches",
    docs='docs.together.ai, API reference, page "Cancel a batch job"',
    family="LLM batches",
    notes=(
        "The vendor has no state for a batch that is being cancelled. If the batch is still "
        "IN_PROGRESS in the reply, as in the vendor's example, jobcancel reads the status. The "
        "vendor doesn't document its reply for a finished batch, so jobcancel reads the status "
        "then as well."
    ),
    # Endpoint
    default_url="https://api.together.ai",
    key_env="TOGETHER_API_KEY",
    url_env="TOGETHER_BASE_URL",
    credential=BEARER,
    # Requests
    cancel=Route("POST", "/v1/batches/{id}/cancel"),
    status=Route("GET", "/v1/batches/{id}"),
    poll_interval=30,
    # Replies
    accepted=Outcome.CANCELLED,
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        # RFC 6585, section 4.
        429: Outcome.RATE_LIMITED,
    },
    states={
        "VALIDATING": JobState.PENDING,
        "IN_PROGRESS": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "EXPIRED": JobState.EXPIRED,
        "CANCELLED": JobState.CANCELLED,
    },
    # Fields of a body
    message=("error.message", "error"),
    code=("error.code", "error.type"),
)
