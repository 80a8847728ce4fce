"""fal: requests in the queue of a hosted model. A cancel is a PUT, answered with a verdict word.

Sources: the vendor's page on cancelling in the queue API for the verdicts, its Python client
fal-client 1.0.3 for addresses, the scheme of the key and the states. Reports differ on the status
code that comes with ALREADY_COMPLETED, so the word decides. There is no cancelled state; what a
cancelled request reads as in the end is not documented. 401, and a 404 without a word, are as in
RFC 9110.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobcancel.adapter import Credential
from jobcancel.models import JobState, Outcome
from jobcancel.routes import Route
from jobcancel.tables import HttpAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping


def _failed(body: Mapping[str, Any]) -> JobState | None:
    """COMPLETED with an error or an error_type is failed."""
    broken = body.get("status") == "COMPLETED" and (body.get("error") or body.get("error_type"))
    return JobState.FAILED if broken else None


FAL = HttpAdapter(
    name="fal",
    title="fal queue request",
    docs="fal.ai/docs, queue API, page on cancelling",
    family="media",
    notes=(
        "A request in the queue is removed. One that runs is only signalled, and the app decides "
        "what it does about it: that is `cancelling`. A request has no cancelled state, so "
        "`verify` can find out only that one completed all the same. The key is FAL_KEY; a pair "
        "of FAL_KEY_ID and FAL_KEY_SECRET is passed as `id:secret`."
    ),
    # Where
    default_url="https://queue.fal.run",
    key_env="FAL_KEY",
    url_env="FAL_BASE_URL",
    credential=Credential(scheme="Key"),
    params={
        "app": "the model, such as `fal-ai/flux`, without what follows as in `fal-ai/flux/dev`"
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
    replies={401: Outcome.UNAUTHORIZED, 404: Outcome.NOT_FOUND, 429: Outcome.RATE_LIMITED},
    states={
        "IN_QUEUE": JobState.PENDING,
        "IN_PROGRESS": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
    },
    find_state=_failed,
    # Where in a body
    job_id="request_id",
    request_id=(),
    message=("detail", "error", "status"),
    code=("error_type",),
)
