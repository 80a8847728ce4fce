"""Baseten, according to its page on cancelling an async request and its SDK."""

from __future__ import annotations

import pytest

from jobcancel import Canceller, ConfigurationError
from jobcancel.config import endpoint
from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.baseten import BASETEN
from tests.hand import ENDPOINT, LOST, play_cancel, reply

ID = "9876543210abcdef1234567890fedcba"
TOO_LATE = {"request_id": ID, "canceled": False, "message": "Request is in progress"}


def shown(status: str) -> dict[str, str]:
    return {"request_id": ID, "model_id": "abcd1234", "status": status}


class TestBaseten(AdapterContract):
    adapter = BASETEN
    job_id = ID
    params = {"model": "abcd1234"}
    replies = {
        Outcome.CANCELLED: answer(200, {"request_id": ID, "canceled": True, "message": "Canceled"}),
        Outcome.UNAUTHORIZED: answer(401, {"error": "m", "error_code": "unauthorized"}),
        Outcome.RATE_LIMITED: answer(429, {"error": "m", "error_code": "rate_limited"}),
        # The request has started; the reply does not say whether it has ended.
        Outcome.REFUSED: answer(200, TOO_LATE),
    }
    statuses = {
        JobState.PENDING: answer(200, shown("QUEUED")),
        JobState.RUNNING: answer(200, shown("IN_PROGRESS")),
        JobState.SUCCEEDED: [answer(200, shown(word)) for word in ("SUCCEEDED", "WEBHOOK_FAILED")],
        JobState.FAILED: answer(200, shown("FAILED")),
        JobState.EXPIRED: answer(200, shown("EXPIRED")),
        JobState.CANCELLED: answer(200, shown("CANCELED")),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.FORBIDDEN, Outcome.NOT_FOUND]


def test_an_error_has_its_code_and_its_message() -> None:
    body = {"error": "slow down", "error_code": "rate_limited", "detail": None}
    reading = BASETEN.read_cancel(Job("baseten", ID), reply(429, body))
    assert ("slow down", "rate_limited") == (reading.message, reading.code)


def test_the_cancel_request_is_a_delete_with_a_bearer_token() -> None:
    request = BASETEN.cancel_request(Job("baseten", "a/b"), ENDPOINT, "unused")
    assert ("DELETE", "https://vendor.example/async_request/a%2Fb", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert "Bearer k" == request.credential.spell("k")


def test_the_model_is_part_of_the_host() -> None:
    found = endpoint(
        BASETEN,
        api_keys={},
        base_urls={},
        api_key=ENDPOINT.key,  # type: ignore[arg-type] # hidden, as `config` takes it
        base_url=None,
        allow_http=False,
        params={"model": "abcd1234"},
    )
    assert "https://model-abcd1234.api.baseten.co" == found.base_url


@pytest.mark.parametrize("model", ["a/b", "a@b", "a:1", ""])
def test_a_model_that_would_change_the_host_is_rejected(model: str) -> None:
    with Canceller(api_keys={"baseten": "k"}) as canceller, pytest.raises(ConfigurationError):
        canceller.cancel("baseten", ID, params={"model": model})


def test_too_late_is_already_terminal_if_the_request_ended() -> None:
    result, did = play_cancel(
        *(reply(200, TOO_LATE), reply(200, shown("SUCCEEDED"))), adapter=BASETEN, job_id=ID
    )
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED, 2) == (
        result.outcome,
        result.state,
        len(did),
    )


def test_too_late_is_refused_if_the_request_runs() -> None:
    answers = [reply(200, TOO_LATE), reply(200, shown("IN_PROGRESS"))]
    result, did = play_cancel(*answers, adapter=BASETEN, job_id=ID)
    assert (Outcome.REFUSED, JobState.RUNNING, 2) == (result.outcome, result.state, len(did))


def test_a_request_canceled_before_is_already_terminal() -> None:
    answers = [reply(200, TOO_LATE), reply(200, shown("CANCELED"))]
    result, _ = play_cancel(*answers, adapter=BASETEN, job_id=ID)
    assert (Outcome.ALREADY_TERMINAL, JobState.CANCELLED) == (result.outcome, result.state)


def test_a_request_canceled_by_a_lost_cancel_is_cancelled() -> None:
    queued, canceled = reply(200, shown("QUEUED")), reply(200, shown("CANCELED"))
    result, _ = play_cancel(
        *(LOST, queued, reply(200, TOO_LATE), canceled), adapter=BASETEN, job_id=ID
    )
    assert (Outcome.CANCELLED, JobState.CANCELLED) == (result.outcome, result.state)
