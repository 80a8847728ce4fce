"""Baseten: async requests to a model, whose id is in the host. The verdict is a boolean.

Sources: the vendor's page on cancelling an async request, and its Python SDK baseten 0.13.1 for the
URL, the scheme, the states and the errors (only 401 and 429). The scheme is Bearer, as in the SDK
and on the page on calling a model. That page calls `Api-Key`, which other pages still show, a
legacy scheme that is accepted everywhere. Only a queued request can be cancelled: `canceled: false`
means that it has started, but not whether it has ended, so the status is read.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

BASETEN = HttpAdapter(
    name="baseten",
    title="Baseten async request",
    docs="docs.baseten.co, API reference, cancel an async request",
    family="compute",
    notes=(
        "Only a queued request can be cancelled. A request that has started keeps running: "
        "`refused`. Chains (`https://chain-ID.api.baseten.co`) and environments in "
        "a region (`https://model-ID-ENVIRONMENT.api.baseten.co`) have different hosts: pass them "
        "as the base URL. The rate limit for cancels is 20 per second."
    ),
    # Endpoint
    default_url="https://model-{model}.api.baseten.co",
    key_env="BASETEN_API_KEY",
    url_env="BASETEN_BASE_URL",
    credential=BEARER,
    params={"model": Param("the id of the model that the request was sent to", optional=True)},
    # Requests
    cancel=Route("DELETE", "/async_request/{id}"),
    status=Route("GET", "/async_request/{id}"),
    # Replies
    verdict="canceled",
    verdicts={True: Outcome.CANCELLED, False: Outcome.REFUSED},
    replies={401: Outcome.UNAUTHORIZED, 429: Outcome.RATE_LIMITED},
    states={
        "QUEUED": JobState.PENDING,
        "IN_PROGRESS": JobState.RUNNING,
        "SUCCEEDED": JobState.SUCCEEDED,
        # The request succeeded; only the delivery of the webhook failed.
        "WEBHOOK_FAILED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "EXPIRED": JobState.EXPIRED,
        "CANCELED": JobState.CANCELLED,
    },
    # Fields of a body
    job_id="request_id",
    request_id=(),
    message=("message", "error", "detail"),
    code=("error_code",),
)
