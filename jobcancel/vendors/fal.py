"""fal: requests in the queue of a hosted model. A cancel is a PUT; the reply contains a verdict.

Sources: the vendor's page on cancelling in the queue API for the verdicts, its Python client
fal-client 1.0.3 for the URLs, the scheme of the key and the states, and the page on request errors
for client_cancelled. Reports differ on the status code of ALREADY_COMPLETED, so only the word
counts. There is no cancelled state; it is not documented that a cancelled request is completed with
that error. 401 is according to RFC 9110.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcancel.adapter import Credential, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping


def _broken(body: Mapping[str, Any]) -> JobState | None:
    """COMPLETED with an error is failed, or cancelled if its error_type is client_cancelled."""
    error = body.get("error_type") or body.get("error")
    if body.get("status") != "COMPLETED" or not error:
        return None
    return JobState.CANCELLED if error == "client_cancelled" else JobState.FAILED


FAL = HttpAdapter(
    name="fal",
    title="fal queue request",
    docs="fal.ai/docs, queue API, page on cancelling",
    family="media",
    notes=(
        "The vendor removes a queued request. It only signals a running one, and the app decides "
        "whether to stop: `cancelling`. There is no cancelled state: a request that completed with "
        "the error `client_cancelled` is `cancelled`, and one with another error has failed. The "
        "vendor doesn't document the status of a removed request. If the reply to a cancel was "
        "lost and the status is completed without an error, the outcome is `already-terminal`. A "
        "request continues when its client disconnects, and an app that doesn't handle cancels "
        "runs to its end. The key is FAL_KEY; pass FAL_KEY_ID and FAL_KEY_SECRET as `id:secret`."
    ),
    # Endpoint
    default_url="https://queue.fal.run",
    key_env="FAL_KEY",
    url_env="FAL_BASE_URL",
    credential=Credential(scheme="Key"),
    params={
        "app": Param(
            "only the owner and the app, such as `fal-ai/flux` for the model `fal-ai/flux/dev`",
            pattern=r"(?:(?:workflows|comfy)/)?[^/]+/[^/]+",
        )
    },
    # Requests
    cancel=Route("PUT", "/{app:path}/requests/{id}/cancel"),
    status=Route("GET", "/{app:path}/requests/{id}/status"),
    # Replies
    verdict="status",
    verdicts={
        "OK": Outcome.CANCELLED,
        "CANCELLATION_REQUESTED": Outcome.CANCELLING,
        "ALREADY_COMPLETED": Outcome.ALREADY_TERMINAL,
        "NOT_FOUND": Outcome.NOT_FOUND,
    },
    replies={401: Outcome.UNAUTHORIZED, 429: Outcome.RATE_LIMITED},
    states={
        "IN_QUEUE": JobState.PENDING,
        "IN_PROGRESS": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
    },
    state_hook=_broken,
    # Fields of a body
    job_id="request_id",
    request_id=(),
    message=("detail", "error", "status"),
    code=("error_type",),
)
