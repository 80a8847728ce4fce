"""Higgsfield: image and video generation. The reply to a cancel is a 202 with an empty body.

Sources: the OpenAPI document in the vendor's page on cancelling a queued request, and its Python
client higgsfield-client 0.2.0 for the base URL, the scheme of the key and the states. Only a queued
request can be cancelled; a 400 means that it has started, but not whether it has ended, so the
status is read. The vendor's page on polling says to begin with an interval of 2 s.
"""

from __future__ import annotations

from jobcancel.adapter import Credential, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

HIGGSFIELD = HttpAdapter(
    name="higgsfield",
    title="Higgsfield request",
    docs="docs.higgsfield.ai, page on cancelling a queued request",
    family="media",
    notes=(
        "Only a queued request can be cancelled. A request that has started keeps running: "
        "`refused`. The key is `id:secret`; HF_API_KEY and HF_API_SECRET are not used. Older "
        "pages name the host platform.higgsfield.ai."
    ),
    # Endpoint
    default_url="https://api.higgsfield.ai",
    key_env="HF_KEY",
    url_env="HIGGSFIELD_BASE_URL",
    credential=Credential(scheme="Key"),
    # Requests
    cancel=Route("POST", "/requests/{id}/cancel"),
    status=Route("GET", "/requests/{id}/status"),
    poll_interval=2,
    # Replies
    accepted=Outcome.CANCELLED,
    empty_body_statuses=frozenset({202}),
    replies={
        400: Outcome.REFUSED,
        401: Outcome.UNAUTHORIZED,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "queued": JobState.PENDING,
        "in_progress": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "nsfw": JobState.FAILED,
        "canceled": JobState.CANCELLED,
    },
    # Fields of a body
    job_id="request_id",
    request_id=(),
    message=("detail", "details", "message", "error"),
    code=(),
)
