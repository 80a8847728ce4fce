"""Apify, according to its OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.apify import APIFY
from tests.hand import ENDPOINT, play_cancel, reply

ID = "3KH8gEpp4d8uQSe8T"


def run(status: str) -> dict[str, Any]:
    return {"data": {"id": ID, "actId": "HDSasDasz78YcAPEB", "status": status}}


def error(kind: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": "m"}}


class TestApify(AdapterContract):
    adapter = APIFY
    job_id = ID
    replies = {
        Outcome.CANCELLING: answer(200, run("ABORTING")),
        Outcome.CANCELLED: answer(200, run("ABORTED")),
        Outcome.ALREADY_TERMINAL: [
            answer(200, run(word)) for word in ("SUCCEEDED", "FAILED", "TIMED-OUT")
        ],
        Outcome.INVALID: answer(400, error("invalid-input")),
        Outcome.UNAUTHORIZED: [
            answer(401, error(kind)) for kind in ("invalid-token", "token-not-provided")
        ],
        Outcome.FORBIDDEN: answer(403, error("insufficient-permissions")),
        Outcome.NOT_FOUND: answer(404, error("record-not-found")),
        Outcome.RATE_LIMITED: answer(429, error("rate-limit-exceeded")),
        # The error is about the HTTP method, not about the run.
        Outcome.UNKNOWN: answer(405, error("method-not-allowed")),
    }
    statuses = {
        JobState.PENDING: answer(200, run("READY")),
        JobState.RUNNING: [answer(200, run(word)) for word in ("RUNNING", "TIMING-OUT")],
        JobState.CANCELLING: answer(200, run("ABORTING")),
        JobState.SUCCEEDED: answer(200, run("SUCCEEDED")),
        JobState.FAILED: answer(200, run("FAILED")),
        JobState.CANCELLED: answer(200, run("ABORTED")),
        JobState.EXPIRED: answer(200, run("TIMED-OUT")),
    }


@pytest.mark.parametrize(
    ("params", "query"), [({}, ""), ({"gracefully": "true"}, "?gracefully=true")]
)
def test_the_cancel_request_is_a_post_that_may_be_graceful(
    params: dict[str, str], query: str
) -> None:
    request = APIFY.cancel_request(Job("apify", "a/b", params), ENDPOINT, "unused")
    assert ("POST", f"https://vendor.example/v2/actor-runs/a%2Fb/abort{query}", None) == (
        request.method,
        request.url,
        request.content,
    )


def test_a_run_that_had_ended_is_returned_unchanged() -> None:
    result, did = play_cancel(reply(200, run("SUCCEEDED")), adapter=APIFY, job_id=ID)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED, True, 1) == (
        result.outcome,
        result.state,
        result.verified,
        len(did),
    )


def test_the_code_of_an_error_is_its_type() -> None:
    reading = APIFY.read_cancel(Job("apify", ID), reply(404, error("record-not-found")))
    assert ("record-not-found", "m") == (reading.code, reading.message)
