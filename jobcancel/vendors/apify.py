"""Apify: runs of Actors. To abort a finished run is no error: it answers as it was.

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
        "An abort is accepted at once and takes a moment, a graceful one up to 30 seconds; "
        "`verify` waits for it. A finished run is left as it is and reads as `already-terminal`."
    ),
    # Where
    default_url="https://api.apify.com",
    key_env="APIFY_TOKEN",
    url_env="APIFY_BASE_URL",
    credential=BEARER,
    params={
        "gracefully": Param("`true` to let the run save its state before it ends", optional=True)
    },
    # What to send
    cancel=Route("POST", "/v2/actor-runs/{id}/abort", query={"gracefully": "{gracefully}"}),
    status=Route("GET", "/v2/actor-runs/{id}"),
    # What a reply means
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
    # Where in a body
    state="data.status",
    job_id="data.id",
    message=("error.message", "data.statusMessage"),
    code=("error.type",),
)
