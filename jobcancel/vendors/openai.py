"""OpenAI: batches, background responses and fine-tuning jobs.

Sources: the vendor's OpenAPI document and API reference (developers.openai.com), and its Python SDK
openai 3.54.0 for the states and the variables of organization and project. How finished jobs answer
is known from third parties only: a batch "Cannot cancel a batch with status ..." with 409 (400 from
servers that imitate the vendor), a response "Cannot cancel a completed response." with 400, and 200
unchanged for one that was cancelled before. How a finished fine-tuning job answers, and what word a
paused one has, is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve

from jobcancel.adapter import BEARER, HttpAdapter, Param, Route
from jobcancel.adapter.body import pick_text
from jobcancel.models import JobState, Outcome

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
_RESPONSE_STATES = {
    "queued": JobState.PENDING,
    "in_progress": JobState.RUNNING,
    "completed": JobState.SUCCEEDED,
    "failed": JobState.FAILED,
    # It ended early, such as at its largest number of tokens.
    "incomplete": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
}
_BATCH_REFUSAL = re.compile(r"Cannot cancel a batch with status\W{1,5}(\w{1,20})")
_RESPONSE_REFUSAL = re.compile(r"Cannot cancel an? (\w{1,20}) response")


def _batch_over(response: Response) -> JobState | Outcome | None:
    """A 400 or 409 "Cannot cancel a batch with status ..." tells whether it is over or goes on."""
    named = _BATCH_REFUSAL.match(_refusal(response))
    state = _BATCH_STATES.get(named[1]) if named else None
    if state is None or state.final:
        return state
    # What is being cancelled already has to be read.
    return None if state is JobState.CANCELLING else Outcome.REFUSED


def _response_over(response: Response) -> JobState | None:
    """A 400 or 409 "Cannot cancel a ... response" tells its status, if that is final."""
    # "a synchronous response" tells none: vLLM says so of finished background ones, too.
    named = _RESPONSE_REFUSAL.match(_refusal(response))
    state = _RESPONSE_STATES.get(named[1]) if named else None
    return state if state is not None and state.final else None


def _refusal(response: Response) -> str:
    """Return the message of a 400 or 409, or an empty text."""
    refused = response.status_code in {400, 409}
    return pick_text(response.body or {}, _MESSAGE) if refused else ""


OPENAI_BATCH = HttpAdapter(
    name="openai-batch",
    title="OpenAI batches",
    docs='developers.openai.com, API reference, page "Cancel batch"',
    family="LLM batches",
    notes=(
        "A batch is cancelling for up to ten minutes. Requests finished before that are in the "
        "output file. The vendor does not document how a finished batch answers; its refusal is "
        "recognized by words that third parties report."
    ),
    # Where
    default_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    url_env="OPENAI_BASE_URL",
    credential=BEARER,
    # What to send
    params={
        "organization": Param(
            "the organization, where the key is for several", optional=True, env="OPENAI_ORG_ID"
        ),
        "project": Param(
            "the project, where the key is for several", optional=True, env="OPENAI_PROJECT_ID"
        ),
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
    outcome_hook=_batch_over,
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
        "Only responses made with background=true can be cancelled. The vendor does not document "
        "how a finished one answers; its refusal is recognized by words that third parties report, "
        "and one that was cancelled before is `cancelled` again. Users of the same interface on "
        "Azure have seen a response complete after it had been reported cancelled: `verify` reads "
        "it once more."
    ),
    credentials_of="openai-batch",
    cancel=Route("POST", "/responses/{id}/cancel"),
    status=Route("GET", "/responses/{id}"),
    accepted=Outcome.CANCELLED,
    receipt_only=True,
    states=_RESPONSE_STATES,
    outcome_hook=_response_over,
    progress=None,
)

OPENAI_FINETUNE = evolve(
    OPENAI_RESPONSE,
    name="openai-finetune",
    title="OpenAI fine-tuning jobs",
    docs='developers.openai.com, API reference, page "Cancel fine-tuning"',
    notes=(
        "Jobs are cancelled at once. How a finished or a paused one answers is not documented, so "
        "its status is read; the vendor documents no word for a paused one, which is then "
        "`unknown`."
    ),
    receipt_only=False,
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
    outcome_hook=None,
)
