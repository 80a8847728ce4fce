"""Apify: runs of Actors. Aborting a finished run is not an error: the reply is the unchanged run.

Sources: the vendor's OpenAPI document (github.com/apify/apify-docs, actor-runs/abort) for requests,
replies and errors; its Python client apify-client 3.4.0 for the states.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

APIFY = HttpAdapter(
    name="apify",
    title="Apify Actor run",
    docs="docs.apify.com/api/v2, abort run",
    family="data",
    notes=(
        "The vendor accepts an abort immediately and completes it later, a graceful one within 30 "
        "seconds; `verify` waits for that. A finished run stays unchanged: `already-terminal`."
    ),
    # Endpoint
    default_url="https://api.apify.com",
    key_env="APIFY_TOKEN",
    url_env="APIFY_BASE_URL",
    credential=BEARER,
    params={
        "gracefully": Param("`true` to let the run save its state before it ends", optional=True)
    },
    # Requests
    cancel=Route("POST", "/v2/actor-runs/{id}/abort", query={"gracefully": "{gracefully}"}),
    status=Route("GET", "/v2/actor-runs/{id}"),
    # Replies
    replies={
        400: Outcome.INVALID,
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "READY": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "TIMING-OUT": JobState.RUNNING,
        "ABORTING": JobState.CANCELLING,
        "SUCCEEDED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "ABORTED": JobState.CANCELLED,
        "TIMED-OUT": JobState.EXPIRED,
    },
    # Fields of a body
    state="data.status",
    job_id="data.id",
    message=("error.message", "data.statusMessage"),
    code=("error.type",),
)
