"""Anthropic: message batches. There is no cancelled state; an ended batch has counters instead.

Sources: the vendor's pages "Cancel a Message Batch" and "Errors" (platform.claude.com), and its
Python SDK anthropic 2.12.0 for the states and the workspace header. The SDK sends the key as a
bearer token with a newer version header; this adapter sends the documented headers. Issue 1432 of
that SDK shows status reads of existing batches that were 404 for up to 40 s. Not documented: the
replies to a cancel of an ended batch and of a batch in another workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobcancel.adapter import Credential, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

# The first counter that is not zero determines the state.
_COUNTERS = {
    "canceled": JobState.CANCELLED,
    "succeeded": JobState.SUCCEEDED,
    "errored": JobState.FAILED,
    "expired": JobState.EXPIRED,
}


def _ended(body: Mapping[str, Any]) -> JobState | None:
    """An ended batch is cancelled if a cancel was initiated and any request was canceled."""
    counts = body.get("request_counts")
    if body.get("processing_status") != "ended" or not isinstance(counts, Mapping):
        return None
    nonzero = [name for name in _COUNTERS if counts.get(name)]
    if not nonzero or not all(type(counts.get(name)) is int for name in _COUNTERS):
        return None
    # Contradictory: some of its requests were canceled, but no cancel was initiated.
    if nonzero[0] == "canceled" and not body.get("cancel_initiated_at"):
        return None
    return _COUNTERS[nonzero[0]]


ANTHROPIC_BATCH = HttpAdapter(
    name="anthropic-batch",
    title="Anthropic message batches",
    docs='platform.claude.com, API reference, page "Cancel a Message Batch"',
    family="LLM batches",
    notes=(
        "Cancelling is best effort: requests in flight may still finish. The vendor reports a "
        "cancelled batch as ended. jobcancel reports it as cancelled if at least one of its "
        "requests was canceled, and as succeeded if any request finished and none was canceled. "
        "The vendor doesn't document its reply for an ended batch, so jobcancel reads the status. "
        "A key for several workspaces needs the param `workspace_id`: without it, a batch in "
        "another workspace may be `not-found`."
    ),
    # Endpoint
    default_url="https://api.anthropic.com",
    key_env="ANTHROPIC_API_KEY",
    url_env="ANTHROPIC_BASE_URL",
    credential=Credential(header="x-api-key", scheme=""),
    # Requests
    headers={
        "anthropic-version": "2023-06-01",
        "anthropic-workspace-id": "{workspace_id}",
    },
    params={
        # The SDK reads ANTHROPIC_WORKSPACE_ID for tokens that it fetches itself, not for API keys.
        "workspace_id": Param(
            "the workspace, such as `wrkspc_...`, if the key has access to several", optional=True
        )
    },
    cancel=Route("POST", "/v1/messages/batches/{id}/cancel"),
    status=Route("GET", "/v1/messages/batches/{id}"),
    not_found_grace=60,
    # Replies
    accepted=Outcome.CANCELLING,
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "in_progress": JobState.RUNNING,
        "canceling": JobState.CANCELLING,
    },
    state_hook=_ended,
    # Fields of a body
    state="processing_status",
    message=("error.message",),
    code=("error.type",),
    request_id_header="request-id",
)
