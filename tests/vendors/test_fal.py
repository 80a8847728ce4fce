"""fal, according to its page on cancelling and its client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobcancel.flow import Call, cancel
from jobcancel.models import CancelResult, Job, JobState, Outcome
from jobcancel.retry import Policy
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.fal import FAL
from tests.hand import ENDPOINT, Hand, reply

if TYPE_CHECKING:
    from jobcancel.adapter import Response

ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
JOB = Job("fal", ID, {"app": "fal-ai/flux"})


class TestFal(AdapterContract):
    adapter = FAL
    job_id = ID
    params = {"app": "fal-ai/flux"}
    replies = {
        Outcome.CANCELLED: answer(200, {"status": "OK"}),
        Outcome.CANCELLING: answer(202, {"status": "CANCELLATION_REQUESTED"}),
        # Sources differ on the status code; the word is documented.
        Outcome.ALREADY_TERMINAL: [
            answer(400, {"status": "ALREADY_COMPLETED"}),
            answer(409, {"status": "ALREADY_COMPLETED"}),
        ],
        Outcome.NOT_FOUND: answer(404, {"status": "NOT_FOUND"}),
        Outcome.RATE_LIMITED: answer(429),
    }
    statuses = {
        JobState.PENDING: answer(202, {"status": "IN_QUEUE", "request_id": ID}),
        JobState.RUNNING: answer(202, {"status": "IN_PROGRESS", "request_id": ID}),
        JobState.SUCCEEDED: answer(200, {"status": "COMPLETED", "request_id": ID}),
        JobState.FAILED: [
            answer(200, {"status": "COMPLETED", "request_id": ID, "error": "no GPU"}),
            answer(200, {"status": "COMPLETED", "request_id": ID, "error_type": "timeout"}),
        ],
    }
    undocumented = [Outcome.UNAUTHORIZED, Outcome.FORBIDDEN, JobState.CANCELLED]


def play(*answers: Response, **policy: bool) -> tuple[CancelResult, list[str]]:
    hand = Hand(list(answers))
    steps = cancel(Call(FAL, JOB, ENDPOINT, Policy(**policy), hand.clock))
    return hand.play(steps), hand.did


@pytest.mark.parametrize("app", ["fal-ai/flux", "workflows/me/mine"])
def test_the_cancel_request_is_a_put_below_the_app(app: str) -> None:
    request = FAL.cancel_request(Job("fal", "a/b", {"app": app}), ENDPOINT, "unused")
    assert ("PUT", f"https://vendor.example/{app}/requests/a%2Fb/cancel", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert "Key id:secret" == request.credential.spell("id:secret")


@pytest.mark.parametrize(
    "app", ["", "fal-ai/../admin", "/flux", "fal-ai//flux", "flux", "fal-ai/flux/dev"]
)
def test_an_app_that_would_change_the_path_is_rejected(app: str) -> None:
    assert FAL.refuse(Job("fal", ID, {"app": app})) is not None


def test_a_verdict_is_not_a_state() -> None:
    result, _ = play(reply(202, {"status": "CANCELLATION_REQUESTED"}))
    assert (Outcome.CANCELLING, None, None, "CANCELLATION_REQUESTED") == (
        result.outcome,
        result.state,
        result.raw_state,
        result.message,
    )


def test_the_id_of_the_job_is_not_the_request_id() -> None:
    queued = reply(202, {"status": "IN_QUEUE", "request_id": ID})
    assert FAL.read_status(JOB, queued).request_id is None


def test_after_a_refusal_without_a_verdict_the_status_decides() -> None:
    completed = reply(200, {"status": "COMPLETED", "request_id": ID})
    result, did = play(reply(409, {"detail": "cannot cancel"}), completed)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED, 2) == (
        result.outcome,
        result.state,
        len(did),
    )


def test_verify_detects_that_the_app_completed_anyway() -> None:
    requested = reply(202, {"status": "CANCELLATION_REQUESTED"})
    completed = reply(200, {"status": "COMPLETED", "request_id": ID})
    result, _ = play(requested, completed, verify=True)
    assert (Outcome.ALREADY_TERMINAL, True) == (result.outcome, result.verified)


def test_verify_confirms_that_the_request_was_cancelled() -> None:
    requested = reply(202, {"status": "CANCELLATION_REQUESTED"})
    error = {"error": "The request was cancelled", "error_type": "client_cancelled"}
    completed = reply(200, {"status": "COMPLETED", "request_id": ID, **error})
    result, _ = play(requested, completed, verify=True)
    assert (Outcome.CANCELLED, JobState.CANCELLED) == (result.outcome, result.state)


def test_a_missing_request_is_not_found_by_a_status_read() -> None:
    reading = FAL.read_status(JOB, reply(404, {"status": "NOT_FOUND"}))
    assert (Outcome.NOT_FOUND, None) == (reading.outcome, reading.state)


def test_a_404_for_the_path_is_inconclusive() -> None:
    nowhere = reply(404, {"detail": "Path not found"})
    result, _ = play(nowhere, nowhere)
    assert Outcome.UNKNOWN is result.outcome


def test_an_error_has_its_detail_and_type() -> None:
    reading = FAL.read_cancel(JOB, reply(422, {"detail": "bad", "error_type": "request_error"}))
    assert (None, "bad", "request_error") == (reading.outcome, reading.message, reading.code)
