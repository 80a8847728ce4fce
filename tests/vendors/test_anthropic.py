"""Anthropic, according to its pages and its SDK."""

from __future__ import annotations

from typing import Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import contract, steps
from jobcancel.vendors.anthropic import ANTHROPIC_BATCH
from tests.hand import ENDPOINT, play_cancel, reply

JOB = Job("anthropic-batch", "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF")
ASKED = "2026-08-20T18:37:24Z"


def batch(status: str, asked: str | None = None, **counts: int) -> dict[str, Any]:
    none = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    return {
        "id": JOB.job_id,
        "type": "message_batch",
        "processing_status": status,
        "cancel_initiated_at": asked,
        "request_counts": {**none, **counts},
    }


def error(kind: str) -> dict[str, Any]:
    details = {"type": kind, "message": "m"}
    return {"type": "error", "error": details, "request_id": "req_1"}


class TestAnthropicBatch(contract.AdapterContract):
    adapter = ANTHROPIC_BATCH
    job_id = JOB.job_id
    replies = {
        Outcome.CANCELLING: steps.reply(200, batch("canceling", ASKED, processing=100)),
        Outcome.UNAUTHORIZED: steps.reply(401, error("authentication_error")),
        Outcome.FORBIDDEN: steps.reply(403, error("permission_error")),
        Outcome.NOT_FOUND: steps.reply(404, error("not_found_error")),
        Outcome.RATE_LIMITED: steps.reply(
            429, error("rate_limit_error"), headers={"retry-after": "3"}
        ),
        Outcome.UNKNOWN: [
            steps.reply(400, error("invalid_request_error")),
            steps.reply(402, error("billing_error")),
            steps.reply(409, error("conflict_error")),
            steps.reply(529, error("overloaded_error")),
        ],
    }
    statuses = {
        JobState.RUNNING: steps.reply(200, batch("in_progress", processing=100)),
        JobState.CANCELLING: steps.reply(200, batch("canceling", ASKED, processing=100)),
        JobState.CANCELLED: steps.reply(200, batch("ended", ASKED, canceled=1, succeeded=99)),
        JobState.SUCCEEDED: steps.reply(200, batch("ended", succeeded=90, errored=10)),
        JobState.FAILED: steps.reply(200, batch("ended", errored=99, expired=1)),
        JobState.EXPIRED: steps.reply(200, batch("ended", expired=100)),
    }
    undocumented = [Outcome.ALREADY_TERMINAL]


def test_the_requests_have_the_documented_headers_and_no_body() -> None:
    job = Job("anthropic-batch", "a b/ü:1")
    cancel = ANTHROPIC_BATCH.cancel_request(job, ENDPOINT, "unused")
    status = ANTHROPIC_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}/v1/messages/batches/a%20b%2F%C3%BC%3A1"
    version = {"anthropic-version": "2023-06-01"}
    assert ("POST", f"{url}/cancel", version, None) == (
        cancel.method,
        cancel.url,
        cancel.headers,
        cancel.content,
    )
    assert ("GET", url, version) == (status.method, status.url, status.headers)
    assert ("x-api-key", "k") == (cancel.credential.header, cancel.credential.spell("k"))


def test_an_optional_workspace_is_sent_in_a_header() -> None:
    job = Job("anthropic-batch", JOB.job_id, {"workspace_id": "wrkspc_1"})
    requests = [
        ANTHROPIC_BATCH.cancel_request(job, ENDPOINT, "unused"),
        ANTHROPIC_BATCH.status_request(job, ENDPOINT),
    ]
    named = [each and each.headers["anthropic-workspace-id"] for each in requests]
    assert ["wrkspc_1", "wrkspc_1"] == named


@pytest.mark.parametrize(
    ("asked", "counts", "state"),
    [
        (ASKED, {"canceled": 100}, JobState.CANCELLED),
        (ASKED, {"canceled": 1, "expired": 99}, JobState.CANCELLED),
        (ASKED, {"succeeded": 100}, JobState.SUCCEEDED),
        (ASKED, {"errored": 100}, JobState.FAILED),
        (None, {"succeeded": 1, "errored": 98, "expired": 1}, JobState.SUCCEEDED),
        (None, {"canceled": 1, "succeeded": 99}, JobState.UNKNOWN),
        (None, {}, JobState.UNKNOWN),
        (None, {"succeeded": True}, JobState.UNKNOWN),
    ],
)
def test_the_state_of_an_ended_batch_is_read_from_its_counters(
    asked: str | None, counts: dict[str, int], state: JobState
) -> None:
    reading = ANTHROPIC_BATCH.read_status(JOB, reply(200, batch("ended", asked, **counts)))
    assert (state, "ended") == (reading.state, reading.raw_state)


@pytest.mark.parametrize("counts", [None, 5, {}, {"canceled": 1}, {"canceled": "1"}])
def test_an_ended_batch_without_its_counters_is_unknown(counts: object) -> None:
    body = {**batch("ended", ASKED), "request_counts": counts}
    assert JobState.UNKNOWN is ANTHROPIC_BATCH.read_status(JOB, reply(200, body)).state


def test_a_cancel_too_late_for_every_request_is_already_terminal() -> None:
    result, _ = play_cancel(
        reply(200, batch("canceling", ASKED, processing=2)),
        reply(200, batch("ended", ASKED, succeeded=2)),
        adapter=ANTHROPIC_BATCH,
        job_id=JOB.job_id,
        verify=True,
    )
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)


def test_an_error_has_its_type_and_request_id() -> None:
    of_header = reply(404, error("not_found_error"), request_id="req_2")
    for answer, request_id in (
        (reply(404, error("not_found_error")), "req_1"),
        (of_header, "req_2"),
    ):
        reading = ANTHROPIC_BATCH.read_cancel(JOB, answer)
        assert ("not_found_error", "m", request_id) == (
            reading.code,
            reading.message,
            reading.request_id,
        )


def test_an_overload_is_retried_and_a_conflict_is_not() -> None:
    assert ANTHROPIC_BATCH.read_cancel(JOB, reply(529, error("overloaded_error"))).repeat
    assert not ANTHROPIC_BATCH.read_cancel(JOB, reply(409, error("conflict_error"))).repeat
