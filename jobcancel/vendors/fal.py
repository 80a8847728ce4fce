"""fal: requests in the queue of a hosted model. A cancel is a PUT, answered with a verdict word.

Sources: the vendor's page on cancelling in the queue API for the verdicts, its Python client
fal-client 1.0.3 for addresses, the scheme of the key and the states, the page on request errors for
client_cancelled. Reports differ on the status code that comes with ALREADY_COMPLETED, so the word
decides. There is no cancelled state; that a cancelled request reads as completed with that error is
not documented. 401 is as in RFC 9110.
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
        "A request in the queue is removed. One that runs is only signalled, and the app decides "
        "what it does about it: that is `cancelling`. There is no cancelled state: a request that "
        "completed with the error `client_cancelled` is `cancelled`, and one with another error "
        "has failed. Whether one that was removed can be read again, and how, is not documented: "
        "if the reply to a cancel was lost and the request then reads as completed without an "
        "error, that is `already-terminal`. A request goes on when its client disconnects, and an "
        "app that does not handle cancels runs to its end. The key is FAL_KEY; a pair of "
        "FAL_KEY_ID and FAL_KEY_SECRET is passed as `id:secret`."
    ),
    # Where
    default_url="https://queue.fal.run",
    key_env="FAL_KEY",
    url_env="FAL_BASE_URL",
    credential=Credential(scheme="Key"),
    params={
        "app": Param(
            "the owner and the app alone, such as `fal-ai/flux` of the model `fal-ai/flux/dev`",
            pattern=r"(?:(?:workflows|comfy)/)?[^/]+/[^/]+",
        )
    },
    # What to send
    cancel=Route("PUT", "/{app:path}/requests/{id}/cancel"),
    status=Route("GET", "/{app:path}/requests/{id}/status"),
    # What a reply means
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
    # Where in a body
    job_id="request_id",
    request_id=(),
    message=("detail", "error", "status"),
    code=("error_type",),
)
