"""Replicate: predictions by hosted models. The reply to a cancel is the whole prediction.

Sources: the recorded requests in the vendor's Python SDK replicate 1.0.7 (a successful cancel, a
wrong token), its pages on a prediction's life cycle and on rate limits. Not documented: the replies
for an unknown and for a finished prediction; the status is read.
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
        "The vendor also reports `canceled` for a prediction that exceeded its own deadline while "
        "running, which is billed. If the deadline passed before it started, it is `aborted` and "
        "not billed. The vendor doesn't document its replies for an unknown or a finished "
        "prediction, so jobcancel reads the status."
    ),
    # Endpoint
    default_url="https://api.replicate.com",
    key_env="REPLICATE_API_TOKEN",
    url_env="REPLICATE_BASE_URL",
    credential=BEARER,
    # Requests
    cancel=Route("POST", "/v1/predictions/{id}/cancel"),
    status=Route("GET", "/v1/predictions/{id}"),
    # Replies
    replies={401: Outcome.UNAUTHORIZED, 429: Outcome.RATE_LIMITED},
    states={
        "starting": JobState.PENDING,
        "processing": JobState.RUNNING,
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELLED,
        # The deadline passed before the start; from the life-cycle page, not from the SDK.
        "aborted": JobState.EXPIRED,
    },
    # Fields of a body
    job_id="id",
    message=("detail", "title", "error"),
    # The message of a rate limit contains the time until the reset: "... in ~30s."
    retry_after="detail",
    code=(),
)
