"""OpenAI: batches, background responses and fine-tuning jobs.

Sources: the vendor's OpenAPI document and API reference (developers.openai.com), and its Python SDK
openai 3.54.0 for the states and the variables of organization and project. The replies for finished
jobs are only known from third parties: for a batch, "Cannot cancel a batch with status ..." with
409 (400 from compatible servers); for a response, "Cannot cancel a completed response." with 400,
and an unchanged 200 for one that was cancelled earlier. The reply for a finished fine-tuning job
and the state of a paused one are not known.
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
    # The response ended early, for example at its token limit.
    "incomplete": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
}
_BATCH_REFUSAL = re.compile(r"Cannot cancel a batch with status\W{1,5}(\w{1,20})")
_RESPONSE_REFUSAL = re.compile(r"Cannot cancel an? (\w{1,20}) response")


def _batch_over(response: Response) -> JobState | Outcome | None:
    """A 400 or 409 "Cannot cancel a batch with status ..." contains the state."""
    match = _BATCH_REFUSAL.match(_refusal(response))
    state = _BATCH_STATES.get(match[1]) if match else None
    if state is None or state.final:
        return state
    # The status of a batch that is already being cancelled must be read.
    return None if state is JobState.CANCELLING else Outcome.REFUSED


def _response_over(response: Response) -> JobState | None:
    """A 400 or 409 "Cannot cancel a ... response" contains the state, if it is final."""
    # "a synchronous response" is no state: vLLM says so even for finished background responses.
    match = _RESPONSE_REFUSAL.match(_refusal(response))
    state = _RESPONSE_STATES.get(match[1]) if match else None
    return state if state is not None and state.final else None


def _refusal(response: Response) -> str:
    """Return the message of a 400 or 409, or `""`."""
    refused = response.status_code in {400, 409}
    return pick_text(response.body or {}, _MESSAGE) if refused else ""


OPENAI_BATCH = HttpAdapter(
    name="openai-batch",
    title="OpenAI batches",
    docs='developers.openai.com, API reference, page "Cancel batch"',
    family="LLM batches",
    notes=(
        "A batch is cancelling for up to ten minutes. Requests that finish before its end are in "
        "the output file. The vendor doesn't document its reply for a finished batch; jobcancel "
        "recognizes the wording that third parties report."
    ),
    # Endpoint
    default_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    url_env="OPENAI_BASE_URL",
    credential=BEARER,
    # Requests
    params={
        "organization": Param(
            "the organization, if the key has access to several",
            optional=True,
            env="OPENAI_ORG_ID",
        ),
        "project": Param(
            "the project, if the key has access to several",
            optional=True,
            env="OPENAI_PROJECT_ID",
        ),
    },
    headers={"openai-organization": "{organization}", "openai-project": "{project}"},
    cancel=Route("POST", "/batches/{id}/cancel"),
    status=Route("GET", "/batches/{id}"),
    # Replies
    accepted=Outcome.CANCELLING,
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states=_BATCH_STATES,
    outcome_hook=_batch_over,
    # Fields of a body
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
        "Only responses that were created with `background=true` can be cancelled. The vendor "
        "doesn't document its reply for a finished response; jobcancel recognizes the wording that "
        "third parties report. A response that was cancelled earlier is `cancelled` again. Users "
        "of the same API on Azure have seen a response complete after it was reported as "
        "cancelled: `verify` reads the status again."
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
        "The vendor cancels jobs immediately. It doesn't document its replies for a finished or a "
        "paused job, so jobcancel reads the status. The status of a paused job is not documented "
        "either; its outcome is `unknown`."
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
