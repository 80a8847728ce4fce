"""Runway, according to its SDK and its page on errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcancel.flow import Call, cancel
from jobcancel.models import CancelResult, Job, JobState, Outcome
from jobcancel.retry import Policy
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.runway import RUNWAY
from tests.hand import ENDPOINT, LOST, Hand, reply

if TYPE_CHECKING:
    from jobcancel.flow.events import Reply

ID = "17f20503-6c24-4c16-946b-35dbbce2af2f"
DELETE, GET = f"DELETE /v1/tasks/{ID}", f"GET /v1/tasks/{ID}"


def task(status: str) -> dict[str, Any]:
    return {"id": ID, "createdAt": "2026-01-01T00:00:00Z", "status": status}


class TestRunway(AdapterContract):
    adapter = RUNWAY
    job_id = ID
    replies = {
        Outcome.CANCELLED: answer(204),
        Outcome.INVALID: answer(400, {"error": "m"}),
        Outcome.UNAUTHORIZED: answer(401, {"error": "m"}),
        Outcome.NOT_FOUND: answer(404, {"error": "m"}),
        Outcome.RATE_LIMITED: answer(429, {"error": "m"}),
        Outcome.UNKNOWN: [answer(405, {"error": "m"}), answer(503)],
    }
    statuses = {
        JobState.PENDING: [answer(200, task(word)) for word in ("PENDING", "THROTTLED")],
        JobState.RUNNING: answer(200, task("RUNNING")),
        JobState.SUCCEEDED: answer(200, {**task("SUCCEEDED"), "output": ["https://a.example"]}),
        JobState.FAILED: answer(200, {**task("FAILED"), "failureCode": "SAFETY"}),
        JobState.CANCELLED: answer(200, task("CANCELLED")),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.FORBIDDEN]


def play(
    *answers: Reply, params: dict[str, str] | None = None, verify: bool = False
) -> tuple[CancelResult, list[str]]:
    hand = Hand(list(answers))
    job = Job("runway", ID, params or {})
    policy = Policy(verify=verify)
    return hand.play(cancel(Call(RUNWAY, job, ENDPOINT, policy, hand.clock))), hand.did


def test_the_cancel_request_is_a_delete_with_a_version_and_without_force() -> None:
    request = RUNWAY.cancel_request(Job("runway", "a/b", {"force": "yes"}), ENDPOINT, "unused")
    assert ("DELETE", "https://vendor.example/v1/tasks/a%2Fb", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert {"x-runway-version": "2024-11-06"} == request.headers


@pytest.mark.parametrize("word", ["PENDING", "THROTTLED", "RUNNING"])
def test_a_running_task_is_cancelled_after_a_status_read(word: str) -> None:
    result, did = play(reply(200, task(word)), reply(204))
    assert (Outcome.CANCELLED, [GET, DELETE]) == (result.outcome, did)


@pytest.mark.parametrize("word", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_a_task_that_has_ended_keeps_its_output(word: str) -> None:
    result, did = play(reply(200, task(word)))
    assert (Outcome.ALREADY_TERMINAL, word, [GET]) == (result.outcome, result.raw_state, did)


def test_a_forced_cancel_is_sent_at_once_and_is_cancelling() -> None:
    result, did = play(reply(204), params={"force": "yes"})
    assert (Outcome.CANCELLING, [DELETE]) == (result.outcome, did)


def test_a_cancelled_task_does_not_verify_a_forced_cancel() -> None:
    read = reply(200, task("CANCELLED"))
    result, did = play(reply(204), read, params={"force": "yes"}, verify=True)
    assert (Outcome.CANCELLING, "CANCELLED", False, [DELETE, GET]) == (
        result.outcome,
        result.raw_state,
        result.verified,
        did,
    )


def test_a_forced_cancel_with_a_lost_reply_is_unknown() -> None:
    read = reply(200, task("CANCELLED"))
    result, _ = play(LOST, read, params={"force": "yes"})
    assert (Outcome.UNKNOWN, "CANCELLED") == (result.outcome, result.raw_state)


def test_verify_confirms_the_cancellation_of_a_running_task() -> None:
    shown = [reply(200, task(word)) for word in ("RUNNING", "CANCELLED")]
    result, did = play(shown[0], reply(204), shown[1], verify=True)
    assert (Outcome.CANCELLED, True, [GET, DELETE, GET]) == (result.outcome, result.verified, did)


def test_a_task_that_disappears_after_our_cancel_is_cancelled() -> None:
    gone = reply(404, {"error": "not found"})
    result, did = play(reply(200, task("RUNNING")), LOST, gone)
    assert (Outcome.CANCELLED, [GET, DELETE, GET]) == (result.outcome, did[:2] + did[-1:])


def test_a_task_missing_before_our_cancel_is_not_found() -> None:
    result, did = play(reply(404, {"error": "not found"}))
    assert (Outcome.NOT_FOUND, [GET]) == (result.outcome, did)


def test_verify_of_a_task_deleted_by_our_cancel_is_cancelled() -> None:
    gone = reply(404, {"error": "not found"})
    result, did = play(reply(200, task("RUNNING")), reply(204), gone, verify=True)
    assert (Outcome.CANCELLED, [GET, DELETE, GET]) == (result.outcome, did)
