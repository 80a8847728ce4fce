"""Replicate: predictions by hosted models. A cancel answers with the whole prediction.

Sources: requests recorded by the vendor's Python SDK replicate 1.0.7 (a cancel that succeeds, a
wrong token), its pages on a prediction's life cycle and on rate limits. Not documented: how an
unknown or a finished prediction answers; its status is read.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

REPLICATE = HttpAdapter(
    name="replicate",
    title="Replicate prediction",
    docs="replicate.com/docs, HTTP API, predictions.cancel",
    family="media",
    notes=(
        "`canceled` is also how a prediction reads that passed its own deadline while it ran, "
        "which is billed; one whose deadline passed before it started is `aborted` and is not. How "
        "an unknown or a finished one answers a cancel is not documented, so its status is read."
    ),
    # Where
    default_url="https://api.replicate.com",
    key_env="REPLICATE_API_TOKEN",
    url_env="REPLICATE_BASE_URL",
    credential=BEARER,
    # What to send
    cancel=Route("POST", "/v1/predictions/{id}/cancel"),
    status=Route("GET", "/v1/predictions/{id}"),
    # What a reply means
    replies={401: Outcome.UNAUTHORIZED, 429: Outcome.RATE_LIMITED},
    states={
        "starting": JobState.PENDING,
        "processing": JobState.RUNNING,
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELLED,
        # Its deadline passed before it started; on the life-cycle page, not in the SDK.
        "aborted": JobState.EXPIRED,
    },
    # Where in a body
    job_id="id",
    message=("detail", "title", "error"),
    # A refused request is told in words when the limit resets: "... in ~30s."
    retry_after="detail",
    code=(),
)
