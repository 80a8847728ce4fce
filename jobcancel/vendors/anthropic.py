"""Anthropic: message batches. There is no cancelled state: an ended batch is read by its counters.

Sources: the vendor's pages "Cancel a Message Batch" and "Errors" (platform.claude.com), and its
Python SDK anthropic 2.12.0 for the states and the workspace header. The SDK sends the key as a
bearer token with a newer version header; here are the headers of the documentation. Not documented:
how an ended batch answers a cancel, and how a batch of another workspace does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobcancel.adapter import Credential, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

# The first one that is not zero tells.
_COUNTERS = {
    "canceled": JobState.CANCELLED,
    "succeeded": JobState.SUCCEEDED,
    "errored": JobState.FAILED,
    "expired": JobState.EXPIRED,
}


def _ended(body: Mapping[str, Any]) -> JobState | None:
    """An ended batch is cancelled if a cancel was begun and any request of it was canceled."""
    counts = body.get("request_counts")
    if body.get("processing_status") != "ended" or not isinstance(counts, Mapping):
        return None
    found = [name for name in _COUNTERS if counts.get(name)]
    if not found or not all(type(counts.get(name)) is int for name in _COUNTERS):
        return None
    # Some of its requests were canceled, but nobody asked for that: it contradicts itself.
    if found[0] == "canceled" and not body.get("cancel_initiated_at"):
        return None
    return _COUNTERS[found[0]]


ANTHROPIC_BATCH = HttpAdapter(
    name="anthropic-batch",
    title="Anthropic message batches",
    docs='platform.claude.com, API reference, page "Cancel a Message Batch"',
    family="LLM batches",
    notes=(
        "Cancelling is best effort: requests on their way may still finish. The vendor reports a "
        "batch that was cancelled as ended; it is cancelled here if at least one of its requests "
        "was canceled, succeeded if any request finished and none was canceled. How an ended batch "
        "answers is not documented, so its status is read. A key for several workspaces needs the "
        "param `workspace_id`: without it, a batch of another workspace may be `not-found`."
    ),
    # Where
    default_url="https://api.anthropic.com",
    key_env="ANTHROPIC_API_KEY",
    url_env="ANTHROPIC_BASE_URL",
    credential=Credential(header="x-api-key", scheme=""),
    # What to send
    headers={
        "anthropic-version": "2023-06-01",
        "anthropic-workspace-id": "{workspace_id}",
    },
    params={
        # The SDK reads ANTHROPIC_WORKSPACE_ID for tokens that it fetches itself, not for API keys.
        "workspace_id": Param(
            "the workspace, such as `wrkspc_...`, where the key is for several", optional=True
        )
    },
    cancel=Route("POST", "/v1/messages/batches/{id}/cancel"),
    status=Route("GET", "/v1/messages/batches/{id}"),
    # What a reply means
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
    # Where in a body
    state="processing_status",
    message=("error.message",),
    code=("error.type",),
    request_id_header="request-id",
)
