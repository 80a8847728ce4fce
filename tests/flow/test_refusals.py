"""Refusals: which of them end a call, and which only the job's status can settle."""

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

# A firm no: the vendor says that the job runs on


BOOLEAN = evolve(
    PULSE, verdict="canceled", verdicts={True: Outcome.CANCELLED, False: Outcome.REFUSED}
)
LEFT = reply(200, {"canceled": False, "message": "too late"})


def test_a_firm_no_for_a_job_that_runs_on_is_refused_and_not_sent_again() -> None:
    result, did = play_cancel(LEFT, read("processing"), adapter=BOOLEAN)
    assert (Outcome.REFUSED, JobState.RUNNING) == (result.outcome, result.state)
    assert "too late; its status is 'processing'" == result.message
    assert [DELETE, GET] == did


def test_a_firm_no_is_refused_only_once_the_status_could_be_read() -> None:
    result, did = play_cancel(LEFT, LOST, read("processing"), adapter=BOOLEAN)
    assert (Outcome.REFUSED, [DELETE, GET, "pause 0.25", GET]) == (result.outcome, did)


def test_a_firm_no_for_a_job_whose_status_cannot_be_read_is_unknown() -> None:
    result, did = play_cancel(LEFT, then={"GET": LOST}, adapter=BOOLEAN)
    assert (Outcome.UNKNOWN, 1) == (result.outcome, did.count(DELETE))


def test_a_firm_no_of_a_vendor_that_has_no_status_stands() -> None:
    result, did = play_cancel(LEFT, adapter=evolve(BOOLEAN, status=None))
    assert (Outcome.REFUSED, [DELETE]) == (result.outcome, did)


def test_a_firm_no_after_a_cancel_that_may_have_been_applied_is_not_believed() -> None:
    answers: list[Reply] = [LOST, read("processing"), LEFT, LOST, read("canceled")]
    result, did = play_cancel(*answers, adapter=BOOLEAN)
    assert (Outcome.CANCELLED, 2) == (result.outcome, did.count(DELETE))


@pytest.mark.parametrize(
    ("word", "outcome"), [("processing", Outcome.REFUSED), ("canceled", Outcome.CANCELLED)]
)
def test_after_a_firm_no_an_earlier_cancel_has_until_the_deadline_to_take_effect(
    word: str, outcome: Outcome
) -> None:
    answers: list[Reply] = [LOST, read("processing"), LEFT, read("processing")]
    result, did = play_cancel(*answers, then={"GET": read(word)}, adapter=BOOLEAN)
    assert (outcome, 2) == (result.outcome, did.count(DELETE))


def test_a_job_that_runs_on_while_the_vendor_asks_for_hours_is_unknown_at_once() -> None:
    busy = reply(503, retry_after="3600")
    result, did = play_cancel(busy, read("processing"))
    assert (Outcome.UNKNOWN, JobState.RUNNING, 3600.0, [DELETE, GET]) == (
        result.outcome,
        result.state,
        result.retry_after,
        did,
    )


@pytest.mark.parametrize("word", ["completed", "canceled"])
def test_a_job_that_was_left_as_it_is_and_has_ended_did_so_before(word: str) -> None:
    result, _ = play_cancel(LEFT, read(word), adapter=BOOLEAN)
    assert (Outcome.ALREADY_TERMINAL, word) == (result.outcome, result.raw_state)


def test_a_job_that_was_left_as_it_is_after_a_lost_cancel_may_be_ours() -> None:
    result, _ = play_cancel(LOST, read("processing"), LEFT, read("canceled"), adapter=BOOLEAN)
    assert Outcome.CANCELLED is result.outcome


def test_a_wrong_key_is_told_though_the_job_was_left_as_it_is() -> None:
    result, did = play_cancel(reply(401, {"canceled": False}), adapter=BOOLEAN)
    assert (Outcome.UNAUTHORIZED, [DELETE]) == (result.outcome, did)


def test_a_rate_limit_is_waited_out_though_the_job_was_left_as_it_is() -> None:
    limit = reply(429, {"canceled": False}, retry_after="1")
    result, did = play_cancel(limit, reply(200, {"canceled": True}), adapter=BOOLEAN)
    assert (Outcome.CANCELLED, [DELETE, "pause 1", DELETE]) == (result.outcome, did)


def test_another_job_that_was_left_as_it_is_says_nothing_of_this_one() -> None:
    other = reply(200, {"job_id": "job-2", "canceled": False})
    result, _ = play_cancel(other, read("canceled"), adapter=BOOLEAN)
    assert Outcome.CANCELLED is result.outcome


def test_a_final_state_beside_an_acceptance_counts_more() -> None:
    told = reply(200, {"canceled": True, "status": "completed"})
    result, _ = play_cancel(told, adapter=BOOLEAN)
    assert (Outcome.ALREADY_TERMINAL, True) == (result.outcome, result.verified)


@pytest.mark.parametrize(
    ("first", "outcome"),
    [(LEFT, Outcome.ALREADY_TERMINAL), (LOST, Outcome.CANCELLED)],
)
def test_verify_remembers_whether_it_was_our_cancel_that_a_job_is_stopping_for(
    first: Reply, outcome: Outcome
) -> None:
    stopping: HttpAdapter = evolve(
        BOOLEAN, states={**PULSE.states, "stopping": JobState.CANCELLING}
    )
    result, _ = play_cancel(
        first, read("stopping"), read("canceled"), adapter=stopping, verify=True
    )
    assert (outcome, True) == (result.outcome, result.verified)


# A refusal after a request that may have been applied


LIMITED_FOR_AN_HOUR = reply(429, retry_after="3600")


def test_a_rate_limit_after_a_cancel_that_may_have_been_applied_is_unknown() -> None:
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, then={"GET": LOST})
    assert (Outcome.UNKNOWN, 3600.0) == (result.outcome, result.retry_after)
    assert 2 == did.count(DELETE)


def test_a_status_read_is_not_held_up_by_a_limit_on_the_cancel() -> None:
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, LOST, read("canceled"))
    assert (Outcome.CANCELLED, [GET, "pause 0.5", GET]) == (result.outcome, did[-3:])


def test_a_status_read_waits_as_its_own_reply_asks_though_the_cancel_is_limited() -> None:
    later = reply(503, retry_after="5")
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, later, read("canceled"))
    assert (Outcome.CANCELLED, [GET, "pause 5", GET]) == (result.outcome, did[-3:])


def test_a_status_read_that_is_limited_past_the_deadline_too_ends_the_call() -> None:
    result, did = play_cancel(LOST, LOST, LIMITED_FOR_AN_HOUR, LIMITED_FOR_AN_HOUR)
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did[-2:])


@pytest.mark.parametrize("status_code", [401, 403, 404, 422, 429])
@pytest.mark.parametrize("word", ["canceled", "completed"])
def test_a_refusal_after_a_cancel_that_may_have_been_applied_is_not_the_end(
    status_code: int, word: str
) -> None:
    result, did = play_cancel(LOST, LOST, reply(status_code), read(word))
    assert result.stopped
    assert [DELETE, GET, "pause 0.25", DELETE, GET] == did


@pytest.mark.parametrize("status_code", [401, 403, 404])
def test_a_refusal_of_cancel_and_status_after_a_lost_reply_is_unknown(status_code: int) -> None:
    no = reply(status_code)
    result, did = play_cancel(LOST, LOST, no, no)
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did[-2:])


def test_a_redirect_settles_nothing_and_the_status_is_read() -> None:
    result, did = play_cancel(reply(302), read("canceled"))
    assert (Outcome.CANCELLED, [DELETE, GET]) == (result.outcome, did)


def test_a_redirect_of_every_request_is_unknown_and_the_cancel_is_sent_once() -> None:
    result, did = play_cancel(reply(307), then={"GET": reply(307)})
    assert (Outcome.UNKNOWN, 1) == (result.outcome, did.count(DELETE))


@pytest.mark.parametrize("body", [{"error": {"text": "no"}}, {"code": {}}, {"message": None}])
def test_a_field_of_the_vendors_errors_that_holds_no_text_is_not_the_vendors_form(
    body: object,
) -> None:
    result, _ = play_cancel(reply(403, body), read("canceled"))
    assert Outcome.CANCELLED is result.outcome


@pytest.mark.parametrize("status_code", [502, 503])
def test_a_verdict_in_a_server_error_settles_nothing(status_code: int) -> None:
    words = reply(status_code, {"canceled": True})
    result, did = play_cancel(words, read("completed"), adapter=BOOLEAN)
    assert (Outcome.ALREADY_TERMINAL, [DELETE, GET]) == (result.outcome, did)


PAGE = b"<html><body>blocked</body></html>"


@pytest.mark.parametrize("status_code", [400, 401, 403, 404, 410, 422])
@pytest.mark.parametrize("body", [PAGE, b"", b"{}", {"detail": "a gateway's"}, b"[1]", b"{"])
def test_a_4xx_that_is_not_in_the_vendors_form_settles_nothing(
    status_code: int, body: object
) -> None:
    foreign = reply(status_code, body)
    result, did = play_cancel(foreign, read("processing"), ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, GET, "pause 0.25", DELETE]) == (result.outcome, did)


def test_a_page_of_a_proxy_is_no_status_either() -> None:
    page = reply(404, PAGE)
    result, _ = play_cancel(page, page, then={"DELETE": page, "GET": page})
    assert Outcome.UNKNOWN is result.outcome


def test_a_conflict_that_is_not_in_the_vendors_form_is_not_sent_again() -> None:
    result, did = play_cancel(reply(409, PAGE), read("processing"))
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_refusal_counts_where_the_vendor_documents_it(body: bytes) -> None:
    adapter = evolve(PULSE, empty_error_statuses=frozenset({404}))
    result, did = play_cancel(reply(404, body), adapter=adapter)
    assert (Outcome.NOT_FOUND, [DELETE]) == (result.outcome, did)


def test_a_page_is_not_an_empty_refusal() -> None:
    adapter = evolve(PULSE, empty_error_statuses=frozenset({404}))
    result, _ = play_cancel(reply(404, PAGE), read("canceled"), adapter=adapter)
    assert Outcome.CANCELLED is result.outcome


def test_a_rate_limit_may_come_from_anyone_on_the_way() -> None:
    result, did = play_cancel(reply(429, PAGE, retry_after="2"), ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, "pause 2", DELETE]) == (result.outcome, did)


# A vendor whose cancelled jobs cannot be found any more


GONE = evolve(PULSE, gone_after_cancel=True)


def test_a_job_that_was_seen_and_that_a_lost_cancel_removed_is_cancelled() -> None:
    result, did = play_cancel(LOST, read("processing"), reply(404), adapter=GONE)
    assert (Outcome.CANCELLED, None, False) == (result.outcome, result.state, result.verified)
    assert [DELETE, GET, "pause 0.25", DELETE] == did


def test_a_job_that_is_removed_while_its_status_is_read_is_cancelled() -> None:
    result, _ = play_cancel(
        read("processing"), LOST, reply(404), adapter=evolve(DESTROYER, gone_after_cancel=True)
    )
    assert Outcome.CANCELLED is result.outcome


def test_a_removed_job_is_seen_before_a_verb_that_destroys_is_sent_again() -> None:
    result, did = play_cancel(
        *(read("processing"), LOST, LOST, reply(404)),
        adapter=evolve(DESTROYER, gone_after_cancel=True),
    )
    assert (Outcome.CANCELLED, 1) == (result.outcome, did.count(DELETE))


def test_verifying_a_removed_job_is_cancelled() -> None:
    adapter = evolve(DESTROYER, gone_after_cancel=True)
    result, _ = play_cancel(read("processing"), ACCEPTED, reply(404), adapter=adapter, verify=True)
    assert Outcome.CANCELLED is result.outcome


@pytest.mark.parametrize("answers", [[reply(404)], [LOST, LOST, reply(404), reply(404)]])
def test_a_job_that_was_never_seen_is_not_one_that_was_removed(answers: list[Reply]) -> None:
    result, _ = play_cancel(*answers, adapter=GONE)
    expected = Outcome.NOT_FOUND if len(answers) == 1 else Outcome.UNKNOWN
    assert expected is result.outcome
