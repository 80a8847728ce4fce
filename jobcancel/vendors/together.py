"""Together: batches, whose states are in capitals and whose errors are plain text.

Sources: the vendor's OpenAPI document (github.com/togethercomputer/openapi) and its Python SDK
together 3.1.1. It declares 400, 401, 403, 404 and 500. Not documented: what a 400 is about, how a
finished batch answers, and whether a cancel takes a while; no state of being cancelled is known.
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
        "The vendor has no word for a batch that is being cancelled: one that is still IN_PROGRESS "
        "in the reply, as in the vendor's example, is read again. How a finished one answers is "
        "not documented, so its status is read."
    ),
    # Where
    default_url="https://api.together.ai",
    key_env="TOGETHER_API_KEY",
    url_env="TOGETHER_BASE_URL",
    credential=BEARER,
    # What to send
    cancel=Route("POST", "/v1/batches/{id}/cancel"),
    status=Route("GET", "/v1/batches/{id}"),
    # What a reply means
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
    # Where in a body
    message=("error.message", "error"),
    code=("error.code", "error.type"),
)
