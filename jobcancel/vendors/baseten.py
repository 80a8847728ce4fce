"""Baseten: asynchronous requests to a model, whose id is in the host. The verdict is a boolean.

Sources: the vendor's page on cancelling an async request, and its Python SDK baseten 0.13.1 for the
address, the scheme, the states and the errors, 401 and 429 alone. The scheme is Bearer, which the
SDK sends and the page on calling a model has; that calls `Api-Key`, which other pages still have, a
legacy that is accepted everywhere. Only what is queued can be cancelled: `canceled: false` says
that it began, not whether it ended, so the status is read.
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
        "Only a request in the queue can be cancelled. One that has begun runs on: that is "
        "`refused`. Chains (`https://chain-ID.api.baseten.co`) and environments in "
        "a region (`https://model-ID-ENVIRONMENT.api.baseten.co`) have hosts of their own: pass "
        "them as the base URL. Cancels are limited to 20 per second."
    ),
    # Where
    default_url="https://model-{model}.api.baseten.co",
    key_env="BASETEN_API_KEY",
    url_env="BASETEN_BASE_URL",
    credential=BEARER,
    params={"model": Param("the id of the model that the request was sent to", optional=True)},
    # What to send
    cancel=Route("DELETE", "/async_request/{id}"),
    status=Route("GET", "/async_request/{id}"),
    # What a reply means
    verdict="canceled",
    verdicts={True: Outcome.CANCELLED, False: Outcome.REFUSED},
    replies={401: Outcome.UNAUTHORIZED, 429: Outcome.RATE_LIMITED},
    states={
        "QUEUED": JobState.PENDING,
        "IN_PROGRESS": JobState.RUNNING,
        "SUCCEEDED": JobState.SUCCEEDED,
        # It succeeded, and only the webhook could not be delivered.
        "WEBHOOK_FAILED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "EXPIRED": JobState.EXPIRED,
        "CANCELED": JobState.CANCELLED,
    },
    # Where in a body
    job_id="request_id",
    request_id=(),
    message=("message", "error", "detail"),
    code=("error_code",),
)
