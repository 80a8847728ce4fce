"""The built-in adapters read documented bodies that were randomly damaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobcancel import JobState, Outcome, get_adapter
from jobcancel.adapter import Response
from jobcancel.models import Job

if TYPE_CHECKING:
    from collections.abc import Callable

JOB_ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
TALONIC = {
    "id": JOB_ID,
    "name": "Quarterly",
    "document_count": 48,
    "completed_documents": 12,
    "created_at": "2026-01-01T10:32:00.000Z",
    "links": {"self": f"/v1/jobs/{JOB_ID}"},
}
CORPUS: list[dict[str, Any]] = [
    {"job_id": JOB_ID, "message": "Job cancelled successfully"},
    {"job_id": JOB_ID, "status": "processing", "created_at": "2026-01-01T10:32:00Z"},
    {"job_id": JOB_ID, "status": "completed", "result": {"markdown": "# A"}},
    {"job_id": JOB_ID, "status": "failed", "error": "unreadable"},
    {"job_id": JOB_ID, "status": "canceled"},
    {"error": {"code": "AUTH_002", "message": "Invalid API key", "details": {}}},
    {**TALONIC, "status": "failed", "error": {"code": "x", "message": "Cancelled via API"}},
    {**TALONIC, "status": "cancelled", "cancelled_at": "2026-01-01T10:33:10.000Z"},
    {**TALONIC, "status": "complete", "error": None},
    {"statusCode": 409, "code": "CONFLICT", "message": "over", "retryable": False},
    {"status": 404, "code": "not_found", "message": "no such job"},
]  # fmt: skip
CANCELLED_WORDS = (b'"canceled"', b'"cancelled"', b"Cancelled via API", b"cancelled successfully")


@st.composite
def damaged(draw: Callable[[st.SearchStrategy[bytes]], bytes]) -> bytes:
    """Return a documented body with a few bytes removed, inserted or replaced."""
    body = draw(st.sampled_from(CORPUS).map(lambda value: json.dumps(value).encode()))
    for _ in range(len(draw(st.binary(max_size=3)))):
        at = len(draw(st.binary(max_size=len(body)))) if len(body) < 8 else _place(draw, body)
        cut = draw(st.sampled_from([b"", b"x", b"xxxxxxxx"]))
        body = body[:at] + draw(st.binary(max_size=4)) + body[at + len(cut) :]
    return body


def _place(draw: Callable[[st.SearchStrategy[bytes]], bytes], body: bytes) -> int:
    return int.from_bytes(draw(st.binary(min_size=2, max_size=2)), "big") % len(body)


@pytest.mark.parametrize("provider", ["pulse", "pulse-legacy", "talonic"])
@settings(max_examples=500)
@given(content=damaged(), status_code=st.sampled_from([200, 202, 400, 404, 409, 429, 500]))
def test_a_damaged_body_never_raises_or_reads_as_cancelled(
    provider: str, content: bytes, status_code: int
) -> None:
    adapter, job = get_adapter(provider), Job(provider, JOB_ID)
    response = Response(status_code=status_code, content=content)
    cancelled = any(words in content for words in CANCELLED_WORDS)
    cancel, status = adapter.read_cancel(job, response), adapter.read_status(job, response)
    assert cancelled or cancel.outcome is not Outcome.CANCELLED
    assert cancelled or status.state is not JobState.CANCELLED
    assert status_code < 300 or (cancel.state is None and status.state is None)


@pytest.mark.parametrize("provider", ["pulse", "talonic"])
def test_undamaged_bodies_are_read(provider: str) -> None:
    adapter, job = get_adapter(provider), Job(provider, JOB_ID)
    states = [
        adapter.read_status(job, Response(status_code=200, content=json.dumps(body).encode())).state
        for body in CORPUS
        if isinstance(body.get("status"), str)
    ]
    assert None not in states
