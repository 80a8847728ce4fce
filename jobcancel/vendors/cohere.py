"""Cohere: batches, cancelled with a verb after the id.

Sources: the vendor's OpenAPI document (github.com/cohere-ai/cohere-developer-experience) and its
Python SDK cohere 7.3.1 for the states and their path. According to it, both 401 and 403 may mean
an invalid token or missing permission. The reply for a finished batch is not documented.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.adapter.body import pick_text
from jobcancel.models import JobState, Outcome

if TYPE_CHECKING:
    from jobcancel.adapter import Response

_FORBIDDEN = 403
_WRONG = re.compile(r"invalid (?:api )?token|token (?:is )?invalid", re.IGNORECASE)


def _wrong_key(response: Response) -> Outcome | None:
    """A 403 whose message says that the token is invalid is unauthorized."""
    # These errors have no code, only a message.
    wrong = _WRONG.search(pick_text(response.body or {}, ["message"]))
    return Outcome.UNAUTHORIZED if wrong and response.status_code == _FORBIDDEN else None


COHERE_BATCH = HttpAdapter(
    name="cohere-batch",
    title="Cohere batches",
    docs='docs.cohere.com, API reference, page "Cancel a batch"',
    family="LLM batches",
    notes=(
        "The reply to a cancel is empty, and the batch ends later; `verify=True` waits for that. "
        "The vendor doesn't document its reply for a finished batch. Because that may be empty as "
        "well, jobcancel reads the status once."
    ),
    # Endpoint
    default_url="https://api.cohere.com",
    key_env="CO_API_KEY",
    other_key_envs=("COHERE_API_KEY",),
    url_env="CO_API_URL",
    credential=BEARER,
    # Requests
    cancel=Route("POST", "/v2/batches/{id}:cancel"),
    status=Route("GET", "/v2/batches/{id}"),
    # Replies
    accepted=Outcome.CANCELLING,
    empty_body_statuses=frozenset({200}),
    confirm_success=True,
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        # RFC 6585, section 4.
        429: Outcome.RATE_LIMITED,
    },
    states={
        "BATCH_STATUS_QUEUED": JobState.PENDING,
        "BATCH_STATUS_IN_PROGRESS": JobState.RUNNING,
        "BATCH_STATUS_CANCELING": JobState.CANCELLING,
        "BATCH_STATUS_CANCELED": JobState.CANCELLED,
        "BATCH_STATUS_COMPLETED": JobState.SUCCEEDED,
        "BATCH_STATUS_FAILED": JobState.FAILED,
    },
    outcome_hook=_wrong_key,
    # Fields of a body
    state="batch.status",
    job_id="batch.id",
    message=("message",),
    progress=("batch.num_successful_records", "batch.num_records"),
)
