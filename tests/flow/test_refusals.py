"""Refusals and errors: which of them end a call, and which require a status read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from jobcancel.models import JobState, Outcome
from jobcancel.vendors.pulse import PULSE
from tests.flow.test_cancellation import ACCEPTED, DELETE, DESTROYER, GET, read
from tests.hand import LOST, play_cancel, reply

if TYPE_CHECKING:
    from jobcancel import HttpAdapter
    from jobcancel.flow.events import Reply

# Documented refusals: the vendor says that it did not stop the job


BOOLEAN = evolve(
    PULSE, verdict="canceled", verdicts={True: Outcome.CANCELLED, False: Outcome.REFUSED}
)
REFUSAL = reply(200, {"canceled": False, "message": "too late"})


def test_a_refusal_for_a_running_job_is_refused_and_not_retried() -> None:
    result, did = play_cancel(REFUSAL, read("processing"), adapter=BOOLEAN)
    assert (Outcome.REFUSED, JobState.RUNNING) == (result.outcome, result.state)
    assert "too late; its status is 'processing'" == result.message
    assert [DELETE, GET] == did


def test_a_refusal_is_refused_only_after_a_status_read() -> None:
    result, did = play_cancel(REFUSAL, LOST, read("processing"), adapter=BOOLEAN)
    assert (Outcome.REFUSED, [DELETE, GET, "pause 0.25", GET]) == (result.outcome, did)


def test_a_refusal_is_unknown_if_the_status_cannot_be_read() -> None:
    result, did = play_cancel(REFUSAL, then={"GET": LOST}, adapter=BOOLEAN)
    assert (Outcome.UNKNOWN, 1) == (result.outcome, did.count(DELETE))


def test_a_refusal_without_a_status_request_is_refused() -> None:
    result, did = play_cancel(REFUSAL, adapter=evolve(BOOLEAN, status=None))
    assert (Outcome.REFUSED, [DELETE]) == (result.outcome, did)


def test_a_refusal_after_a_lost_cancel_is_checked() -> None:
    answers: list[Reply] = [LOST, read("processing"), REFUSAL, LOST, read("canceled")]
    result, did = play_cancel(*answers, adapter=BOOLEAN)
    assert (Outcome.CANCELLED, 2) == (result.outcome, did.count(DELETE))


@pytest.mark.parametrize(
    ("word", "outcome"), [("processing", Outcome.REFUSED), ("canceled", Outcome.CANCELLED)]
)
def test_after_a_refusal_a_lost_cancel_may_still_take_effect(word: str, outcome: Outcome) -> None:
    answers: list[Reply] = [LOST, read("processing"), REFUSAL, read("processing")]
    result, did = play_cancel(*answers, then={"GET": read(word)}, adapter=BOOLEAN)
    assert (outcome, 2) == (result.outcome, did.count(DELETE))


def test_a_503_beyond_the_deadline_with_a_running_job_is_unknown_at_once() -> None:
    busy = reply(503, retry_after="3600")
    result, did = play_cancel(busy, read("processing"))
    assert (Outcome.UNKNOWN, JobState.RUNNING, 3600.0, [DELETE, GET]) == (
        result.outcome,
        result.state,
        result.retry_after,
        did,
    )


@pytest.mark.parametrize("word", ["completed", "canceled"])
def test_a_refused_job_that_has_ended_is_already_terminal(word: str) -> None:
    result, _ = play_cancel(REFUSAL, read(word), adapter=BOOLEAN)
    assert (Outcome.ALREADY_TERMINAL, word) == (result.outcome, result.raw_state)


def test_a_refused_job_may_be_cancelled_by_an_earlier_lost_cancel() -> None:
    result, _ = play_cancel(LOST, read("processing"), REFUSAL, read("canceled"), adapter=BOOLEAN)
    assert Outcome.CANCELLED is result.outcome


def test_a_401_with_a_refusal_verdict_is_unauthorized() -> None:
    result, did = play_cancel(reply(401, {"canceled": False}), adapter=BOOLEAN)
    assert (Outcome.UNAUTHORIZED, [DELETE]) == (result.outcome, did)


def test_a_429_with_a_refusal_verdict_is_retried() -> None:
    limit = reply(429, {"canceled": False}, retry_after="1")
    result, did = play_cancel(limit, reply(200, {"canceled": True}), adapter=BOOLEAN)
    assert (Outcome.CANCELLED, [DELETE, "pause 1", DELETE]) == (result.outcome, did)


def test_a_refusal_for_another_job_is_ignored() -> None:
    other = reply(200, {"job_id": "job-2", "canceled": False})
    result, _ = play_cancel(other, read("canceled"), adapter=BOOLEAN)
    assert Outcome.CANCELLED is result.outcome


def test_a_final_state_in_the_reply_outranks_the_verdict() -> None:
    shown = reply(200, {"canceled": True, "status": "completed"})
    result, _ = play_cancel(shown, adapter=BOOLEAN)
    assert (Outcome.ALREADY_TERMINAL, True) == (result.outcome, result.verified)


@pytest.mark.parametrize(
    ("first", "outcome"),
    [(REFUSAL, Outcome.ALREADY_TERMINAL), (LOST, Outcome.CANCELLED)],
)
def test_verify_attributes_cancellation_to_us_only_if_our_request_applied(
    first: Reply, outcome: Outcome
) -> None:
    stopping: HttpAdapter = evolve(
        BOOLEAN, states={**PULSE.states, "stopping": JobState.CANCELLING}
    )
    result, _ = play_cancel(
        first, read("stopping"), read("canceled"), adapter=stopping, verify=True
    )
    assert (outcome, True) == (result.outcome, result.verified)


# An error after a cancel that may have been applied


LIMITED_FOR_AN_HOUR = reply(429, retry_after="3600")


def test_a_rate_limit_after_a_lost_cancel_is_unknown() -> None:
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, then={"GET": LOST})
    assert (Outcome.UNKNOWN, 3600.0) == (result.outcome, result.retry_after)
    assert 2 == did.count(DELETE)


def test_a_rate_limited_cancel_does_not_delay_the_status_read() -> None:
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, LOST, read("canceled"))
    assert (Outcome.CANCELLED, [GET, "pause 0.5", GET]) == (result.outcome, did[-3:])


def test_a_status_read_honors_its_own_retry_after() -> None:
    later = reply(503, retry_after="5")
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, later, read("canceled"))
    assert (Outcome.CANCELLED, [GET, "pause 5", GET]) == (result.outcome, did[-3:])


def test_a_status_read_limited_beyond_the_deadline_ends_the_call() -> None:
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, LIMITED_FOR_AN_HOUR)
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did[-2:])


@pytest.mark.parametrize("status_code", [401, 403, 404, 422, 429])
@pytest.mark.parametrize("word", ["canceled", "completed"])
def test_an_error_after_a_lost_cancel_is_checked_with_a_status_read(
    status_code: int, word: str
) -> None:
    result, did = play_cancel(LOST, LOST, reply(status_code), read(word))
    assert result.stopped
    assert [DELETE, GET, "pause 0.25", DELETE, GET] == did


@pytest.mark.parametrize("status_code", [401, 403, 404])
def test_refused_cancel_and_status_after_a_lost_cancel_are_unknown(status_code: int) -> None:
    no = reply(status_code)
    result, did = play_cancel(LOST, LOST, no, no)
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did[-2:])


def test_after_a_redirect_the_status_is_read() -> None:
    result, did = play_cancel(reply(302), read("canceled"))
    assert (Outcome.CANCELLED, [DELETE, GET]) == (result.outcome, did)


def test_redirects_only_are_unknown_and_the_cancel_is_sent_once() -> None:
    result, did = play_cancel(reply(307), then={"GET": reply(307)})
    assert (Outcome.UNKNOWN, 1) == (result.outcome, did.count(DELETE))


@pytest.mark.parametrize("body", [{"error": {"text": "no"}}, {"code": {}}, {"message": None}])
def test_an_error_without_text_is_not_in_the_vendors_format(
    body: object,
) -> None:
    result, _ = play_cancel(reply(403, body), read("canceled"))
    assert Outcome.CANCELLED is result.outcome


@pytest.mark.parametrize("status_code", [502, 503])
def test_a_verdict_in_a_server_error_is_ignored(status_code: int) -> None:
    words = reply(status_code, {"canceled": True})
    result, did = play_cancel(words, read("completed"), adapter=BOOLEAN)
    assert (Outcome.ALREADY_TERMINAL, [DELETE, GET]) == (result.outcome, did)


PAGE = b"<html><body>blocked</body></html>"


@pytest.mark.parametrize("status_code", [400, 401, 403, 404, 410, 422])
@pytest.mark.parametrize("body", [PAGE, b"", b"{}", {"detail": "a gateway's"}, b"[1]", b"{"])
def test_a_4xx_not_in_the_vendors_format_is_inconclusive(status_code: int, body: object) -> None:
    foreign = reply(status_code, body)
    result, did = play_cancel(foreign, read("processing"), ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, GET, "pause 0.25", DELETE]) == (result.outcome, did)


def test_an_html_page_is_not_a_status() -> None:
    page = reply(404, PAGE)
    result, _ = play_cancel(page, page, then={"DELETE": page, "GET": page})
    assert Outcome.UNKNOWN is result.outcome


def test_cancel_is_not_resent_after_a_409_not_in_the_vendors_format() -> None:
    result, did = play_cancel(reply(409, PAGE), read("processing"))
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_documented_empty_error_is_conclusive(body: bytes) -> None:
    adapter = evolve(PULSE, empty_error_statuses=frozenset({404}))
    result, did = play_cancel(reply(404, body), adapter=adapter)
    assert (Outcome.NOT_FOUND, [DELETE]) == (result.outcome, did)


def test_an_html_page_is_not_an_empty_error() -> None:
    adapter = evolve(PULSE, empty_error_statuses=frozenset({404}))
    result, _ = play_cancel(reply(404, PAGE), read("canceled"), adapter=adapter)
    assert Outcome.CANCELLED is result.outcome


def test_a_429_from_a_proxy_is_a_rate_limit() -> None:
    result, did = play_cancel(reply(429, PAGE, retry_after="2"), ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, "pause 2", DELETE]) == (result.outcome, did)


# A vendor that answers 404 for cancelled jobs


GONE = evolve(PULSE, gone_after_cancel=True)


def test_a_job_removed_by_a_lost_cancel_is_cancelled() -> None:
    result, did = play_cancel(LOST, read("processing"), reply(404), adapter=GONE)
    assert (Outcome.CANCELLED, None, False) == (result.outcome, result.state, result.verified)
    assert [DELETE, GET, "pause 0.25", DELETE] == did


def test_a_job_gone_when_its_status_is_read_is_cancelled() -> None:
    result, _ = play_cancel(
        read("processing"), LOST, reply(404), adapter=evolve(DESTROYER, gone_after_cancel=True)
    )
    assert Outcome.CANCELLED is result.outcome


def test_a_removed_job_is_detected_before_a_destructive_cancel_is_resent() -> None:
    result, did = play_cancel(
        *(read("processing"), LOST, LOST, reply(404)),
        adapter=evolve(DESTROYER, gone_after_cancel=True),
    )
    assert (Outcome.CANCELLED, 1) == (result.outcome, did.count(DELETE))


def test_verify_of_a_removed_job_is_cancelled() -> None:
    adapter = evolve(DESTROYER, gone_after_cancel=True)
    result, _ = play_cancel(read("processing"), ACCEPTED, reply(404), adapter=adapter, verify=True)
    assert Outcome.CANCELLED is result.outcome


@pytest.mark.parametrize("answers", [[reply(404)], [LOST, LOST, reply(404), reply(404)]])
def test_a_job_never_seen_does_not_count_as_removed(answers: list[Reply]) -> None:
    result, _ = play_cancel(*answers, adapter=GONE)
    expected = Outcome.NOT_FOUND if len(answers) == 1 else Outcome.UNKNOWN
    assert expected is result.outcome
