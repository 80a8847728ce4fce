"""Extend, according to its SDK and its page on error codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.extend import (
    EXTEND_CLASSIFY,
    EXTEND_EXTRACT,
    EXTEND_PARSE,
    EXTEND_SPLIT,
    EXTEND_WORKFLOW,
)
from tests.hand import ENDPOINT, LOST, play_cancel, reply

if TYPE_CHECKING:
    from jobcancel import HttpAdapter

ID = "exr_xK9mLPqRtN3vS8wF5hB2cQ"


def run(status: str) -> dict[str, Any]:
    return {"object": "extract_run", "id": ID, "status": status}


def error(code: str, *, retryable: bool = False) -> dict[str, Any]:
    return {"code": code, "message": "m", "retryable": retryable, "requestId": "req_1"}


ABORTED = {**run("FAILED"), "failureReason": "ABORTED"}


class TestExtendExtract(AdapterContract):
    adapter = EXTEND_EXTRACT
    job_id = ID
    replies = {
        Outcome.CANCELLED: answer(200, run("CANCELLED")),
        Outcome.UNAUTHORIZED: answer(401, error("UNAUTHORIZED")),
        Outcome.FORBIDDEN: answer(403, error("FORBIDDEN")),
        Outcome.NOT_FOUND: answer(404, error("NOT_FOUND")),
        Outcome.RATE_LIMITED: answer(429, error("RATE_LIMIT_EXCEEDED", retryable=True)),
        # A run that cannot be cancelled is refused with either code.
        Outcome.REFUSED: [answer(code, error("INVALID_REQUEST")) for code in (400, 422)],
    }
    statuses = {
        JobState.PENDING: answer(200, run("PENDING")),
        JobState.RUNNING: answer(200, run("PROCESSING")),
        JobState.SUCCEEDED: answer(200, run("PROCESSED")),
        JobState.FAILED: answer(200, run("FAILED")),
        JobState.CANCELLED: [answer(200, run("CANCELLED")), answer(200, ABORTED)],
    }
    undocumented = [Outcome.ALREADY_TERMINAL]


class TestExtendParse(TestExtendExtract):
    adapter = EXTEND_PARSE
    # No status word for a cancelled run is documented.
    replies = {**TestExtendExtract.replies, Outcome.CANCELLED: answer(200, ABORTED)}
    statuses = {
        **TestExtendExtract.statuses,
        JobState.CANCELLED: answer(200, ABORTED),
        JobState.UNKNOWN: answer(200, run("CANCELLED")),
    }


class TestExtendClassify(TestExtendExtract):
    adapter = EXTEND_CLASSIFY


class TestExtendSplit(TestExtendExtract):
    adapter = EXTEND_SPLIT


class TestExtendWorkflow(TestExtendExtract):
    adapter = EXTEND_WORKFLOW
    replies = {
        **TestExtendExtract.replies,
        Outcome.CANCELLING: answer(200, run("CANCELLING")),
    }
    statuses = {
        **TestExtendExtract.statuses,
        JobState.RUNNING: [answer(200, run(word)) for word in ("PROCESSING", "NEEDS_REVIEW")],
        JobState.CANCELLING: answer(200, run("CANCELLING")),
        JobState.FAILED: [answer(200, run(word)) for word in ("FAILED", "REJECTED")],
    }


@pytest.mark.parametrize(
    ("adapter", "kind"),
    [
        (EXTEND_EXTRACT, "extract"),
        (EXTEND_PARSE, "parse"),
        (EXTEND_CLASSIFY, "classify"),
        (EXTEND_SPLIT, "split"),
        (EXTEND_WORKFLOW, "workflow"),
    ],
)
def test_each_kind_has_its_own_path_and_the_same_version(adapter: HttpAdapter, kind: str) -> None:
    cancel = adapter.cancel_request(Job(adapter.name, "a/b"), ENDPOINT, "unused")
    status = adapter.status_request(Job(adapter.name, "a/b"), ENDPOINT)
    assert status is not None
    assert ("POST", f"https://vendor.example/{kind}_runs/a%2Fb/cancel", None) == (
        cancel.method,
        cancel.url,
        cancel.content,
    )
    assert f"https://vendor.example/{kind}_runs/a%2Fb" == status.url
    assert {"x-extend-api-version": "2026-02-09"} == cancel.headers == status.headers
    assert adapter.credentials_of == (None if kind == "extract" else "extend-extract")


def test_a_refused_run_that_had_ended_is_already_terminal() -> None:
    refusal = reply(400, error("INVALID_REQUEST"))
    result, _ = play_cancel(
        refusal, reply(200, run("PROCESSED")), adapter=EXTEND_EXTRACT, job_id=ID
    )
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)


def test_a_pending_run_is_refused_and_continues() -> None:
    refusal = reply(400, error("INVALID_REQUEST"))
    result, did = play_cancel(
        refusal, reply(200, run("PENDING")), adapter=EXTEND_EXTRACT, job_id=ID
    )
    assert (Outcome.REFUSED, JobState.PENDING, 2) == (result.outcome, result.state, len(did))


@pytest.mark.parametrize(
    "adapter",
    [EXTEND_EXTRACT, EXTEND_PARSE, EXTEND_CLASSIFY, EXTEND_SPLIT, EXTEND_WORKFLOW],
)
@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("ABORTED", Outcome.CANCELLED), ("OCR_ERROR", Outcome.ALREADY_TERMINAL)],
)
def test_a_run_that_failed_because_it_was_aborted_is_cancelled(
    adapter: HttpAdapter, reason: str, outcome: Outcome
) -> None:
    failed = {**run("FAILED"), "failureReason": reason}
    by_reply, _ = play_cancel(reply(200, failed), adapter=adapter, job_id=ID)
    by_status, _ = play_cancel(LOST, reply(200, failed), adapter=adapter, job_id=ID)
    assert (outcome, outcome) == (by_reply.outcome, by_status.outcome)


def test_the_request_id_and_the_retryable_flag_are_read() -> None:
    reading = EXTEND_EXTRACT.read_cancel(Job("", ID), reply(500, error("INTERNAL_ERROR")))
    assert ("req_1", False, None) == (reading.request_id, reading.repeat, reading.outcome)
