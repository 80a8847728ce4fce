"""OpenAI: batches, background responses and fine-tuning jobs.

Sources: the vendor's OpenAPI document and API reference (developers.openai.com), and its Python
SDK openai 3.54.0 for the states. That a finished batch answers "Cannot cancel a batch with
status ..." with 409 (with 400 at servers that imitate the vendor) is only known from third
parties. How a finished response or fine-tuning job answers is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve

from jobcancel.adapter import BEARER
from jobcancel.models import JobState, Outcome
from jobcancel.paths import pick_text
from jobcancel.routes import Param, Route
from jobcancel.tables import HttpAdapter

if TYPE_CHECKING:
    from jobcancel.adapter import Response

_BATCH_STATES = {
    "validating": JobState.PENDING,
    "in_progress": JobState.RUNNING,
    "finalizing": JobState.RUNNING,
    "cancelling": JobState.CANCELLING,
    "cancelled": JobState.CANCELLED,
    "completed": JobState.SUCCEEDED,
    "failed": JobState.FAILED,
    "expired": JobState.EXPIRED,
}
_MESSAGE = ("error.message", "message")
_REFUSED = re.compile(r"Cannot cancel a batch with status\W+(\w+)")


def _over(response: Response) -> JobState | None:
    """A 400 or 409 "Cannot cancel a batch with status ..." tells that status, if it is final."""
    if response.status_code not in {400, 409}:
        return None
    # A batch can also be refused in a state from which it goes on.
    named = _REFUSED.match(pick_text(response.body or {}, _MESSAGE))
    state = _BATCH_STATES.get(named[1]) if named else None
    return state if state is not None and state.final else None


OPENAI_BATCH = HttpAdapter(
    name="openai-batch",
    title="OpenAI batches",
    docs='developers.openai.com, API reference, page "Cancel batch"',
    family="LLM batches",
    notes=(
        "A batch is cancelling for up to ten minutes. Requests finished before that are in the "
        "output file. The vendor does not document how a finished batch answers; its refusal is "
        "recognised by words that third parties report."
    ),
    # Where
    default_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    url_env="OPENAI_BASE_URL",
    credential=BEARER,
    # What to send
    params={
        "organization": Param("the organisation, where the key is for several", optional=True),
        "project": Param("the project, where the key is for several", optional=True),
    },
    headers={"openai-organization": "{organization}", "openai-project": "{project}"},
    cancel=Route("POST", "/batches/{id}/cancel"),
    status=Route("GET", "/batches/{id}"),
    # What a reply means
    accepted=Outcome.CANCELLING,
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states=_BATCH_STATES,
    find_outcome=_over,
    # Where in a body
    message=_MESSAGE,
    # The code is often null.
    code=("error.code", "error.type"),
    progress=("request_counts.completed", "request_counts.total"),
)

OPENAI_RESPONSE = evolve(
    OPENAI_BATCH,
    name="openai-response",
    title="OpenAI background responses",
    docs='developers.openai.com, API reference, page "Cancel a response"',
    notes=(
        "Only responses made with background=true can be cancelled. How a finished one answers "
        "is not documented, so its status is read. Users of the same interface at Azure have "
        "seen a response complete after it had been reported cancelled: `verify` reads it once "
        "more."
    ),
    shares="openai-batch",
    cancel=Route("POST", "/responses/{id}/cancel"),
    status=Route("GET", "/responses/{id}"),
    accepted=Outcome.CANCELLED,
    receipt=True,
    states={
        "queued": JobState.PENDING,
        "in_progress": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        # It ended early, such as at its largest number of tokens.
        "incomplete": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
    },
    find_outcome=None,
    progress=None,
)

OPENAI_FINETUNE = evolve(
    OPENAI_RESPONSE,
    name="openai-finetune",
    title="OpenAI fine-tuning jobs",
    docs='developers.openai.com, API reference, page "Cancel fine-tuning"',
    notes=(
        "Jobs are cancelled at once. How a finished one answers is not documented, so its status "
        "is read."
    ),
    receipt=False,
    cancel=Route("POST", "/fine_tuning/jobs/{id}/cancel"),
    status=Route("GET", "/fine_tuning/jobs/{id}"),
    states={
        "validating_files": JobState.PENDING,
        "queued": JobState.PENDING,
        "running": JobState.RUNNING,
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
    },
)
