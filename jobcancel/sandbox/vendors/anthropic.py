"""Anthropic: message batches."""

from __future__ import annotations

from typing import Any

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Template,
    Vendor,
    cancels,
    prefixed,
)


def _anthropic(kind: str, message: str) -> Template:
    return {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_sandbox",
    }


_ANTHROPIC_ENDS = {
    JobState.CANCELLED: "canceled",
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "errored",
    JobState.EXPIRED: "expired",
}

_COUNTERS = ("processing", "succeeded", "errored", "canceled", "expired")


_BEGUN: dict[str, Any] = {"cancel_initiated_at": "{created}"}


def _counts(name: str) -> dict[str, object]:
    return {"request_counts": {each: 12 if each == name else 0 for each in _COUNTERS}}


ANTHROPIC_BATCH = Vendor(
    name="anthropic-batch",
    family="anthropic",
    key_env="ANTHROPIC_API_KEY",
    url_env="ANTHROPIC_BASE_URL",
    header="x-api-key",
    scheme="",
    needs_headers=("anthropic-version",),
    cancel=Address("POST", "/v1/messages/batches/{job_id}/cancel"),
    status=Address("GET", "/v1/messages/batches/{job_id}"),
    new_id=prefixed("msgbatch_"),
    words={
        JobState.PENDING: "in_progress",
        JobState.RUNNING: "in_progress",
        JobState.CANCELLING: "canceling",
        **dict.fromkeys(_ANTHROPIC_ENDS, "ended"),
    },
    job={
        "id": "{id}",
        "type": "message_batch",
        "processing_status": "{word}",
        "cancel_initiated_at": None,
        **_counts("processing"),
    },
    extra={
        **{state: _counts(name) for state, name in _ANTHROPIC_ENDS.items()},
        JobState.CANCELLING: _BEGUN,
        JobState.CANCELLED: {**_BEGUN, **_counts("canceled")},
    },
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        # Not documented.
        Answer(400, _anthropic("invalid_request_error", "The batch has ended")),
    ),
    unknown=Answer(404, _anthropic("not_found_error", "There is no batch {id}")),
    # Not documented.
    foreign=Answer(404, _anthropic("not_found_error", "There is no batch {id}")),
    denied=Answer(403, _anthropic("permission_error", "The API key may not use this resource")),
    wrong_key=Answer(401, _anthropic("authentication_error", "invalid x-api-key")),
    limit=Answer(429, _anthropic("rate_limit_error", "Number of requests has exceeded your limit")),
    incomplete=Answer(
        400, _anthropic("invalid_request_error", "anthropic-version: header is required")
    ),
)
