"""Higgsfield, according to the OpenAPI document in its page on cancelling."""

from __future__ import annotations

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.higgsfield import HIGGSFIELD
from tests.hand import ENDPOINT, play_cancel, reply

ID = "d7e6c0f3-6699-4f6c-bb45-2ad7fd9158ff"


def status(word: str) -> dict[str, str]:
    return {"status": word, "request_id": ID}


class TestHiggsfield(AdapterContract):
    adapter = HIGGSFIELD
    job_id = ID
    replies = {
        Outcome.CANCELLED: answer(202),
        Outcome.UNAUTHORIZED: answer(401, {"detail": "m"}),
        Outcome.NOT_FOUND: answer(404, {"detail": "m"}),
        Outcome.RATE_LIMITED: answer(429),
        # The request has started; the reply does not say whether it has ended.
        Outcome.REFUSED: answer(400, {"detail": "already started"}),
    }
    statuses = {
        JobState.PENDING: answer(200, status("queued")),
        JobState.RUNNING: answer(200, status("in_progress")),
        JobState.SUCCEEDED: answer(200, status("completed")),
        JobState.FAILED: [answer(200, status(word)) for word in ("failed", "nsfw")],
        JobState.CANCELLED: answer(200, status("canceled")),
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.FORBIDDEN]


def test_the_cancel_request_is_an_empty_post_with_a_two_part_key() -> None:
    request = HIGGSFIELD.cancel_request(Job("higgsfield", "a/b"), ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/requests/a%2Fb/cancel", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert "Key id:secret" == request.credential.spell("id:secret")


@pytest.mark.parametrize("field", ["detail", "details", "message", "error"])
def test_the_message_of_an_error_is_read_where_the_sdk_reads_it(field: str) -> None:
    reading = HIGGSFIELD.read_cancel(Job("higgsfield", ID), reply(404, {field: "no such"}))
    assert (Outcome.NOT_FOUND, "no such") == (reading.outcome, reading.message)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("in_progress", Outcome.REFUSED), ("completed", Outcome.ALREADY_TERMINAL)],
)
def test_a_status_read_shows_whether_a_started_request_ended(word: str, outcome: Outcome) -> None:
    result, did = play_cancel(
        *(reply(400, {"detail": "already started"}), reply(200, status(word))),
        adapter=HIGGSFIELD,
        job_id=ID,
    )
    assert (outcome, word, 2) == (result.outcome, result.raw_state, len(did))
