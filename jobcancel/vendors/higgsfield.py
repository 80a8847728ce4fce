"""Higgsfield: image and video generation. A cancel that succeeds is a 202 with an empty body.

Sources: the OpenAPI document in the vendor's page on cancelling a queued request, and its Python
client higgsfield-client 0.2.0 for the base URL, the scheme of the key and the states. Only what is
queued can be cancelled; a 400 says that it began, not whether it ended, so the status is read.
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
        "Only a request in the queue can be cancelled. One that has begun runs on: that is "
        "`refused`. The key is `id:secret`; HF_API_KEY and HF_API_SECRET are not "
        "read. Older pages name the host platform.higgsfield.ai."
    ),
    # Where
    default_url="https://api.higgsfield.ai",
    key_env="HF_KEY",
    url_env="HIGGSFIELD_BASE_URL",
    credential=Credential(scheme="Key"),
    # What to send
    cancel=Route("POST", "/requests/{id}/cancel"),
    status=Route("GET", "/requests/{id}/status"),
    # What a reply means
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
    # Where in a body
    job_id="request_id",
    request_id=(),
    message=("detail", "details", "message", "error"),
    code=(),
)
