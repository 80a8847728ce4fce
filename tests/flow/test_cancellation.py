"""The cancellation flow, rule by rule, without a client, sockets or waiting."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from jobcancel.adapter import Param
from jobcancel.flow import Call, cancel
from jobcancel.flow.events import Pause
from jobcancel.flow.transitions import TRANSITIONS, Event, Phase
from jobcancel.models import CancelResult, Job, JobState, Outcome, Progress
from jobcancel.retry import Policy
from jobcancel.vendors.pulse import PULSE
from jobcancel.vendors.talonic import TALONIC
from tests.hand import ENDPOINT, LOST, REFUSED, Hand, play_cancel, play_status, reply

ACCEPTED = reply(200, {"job_id": "job-1", "message": "Job cancelled successfully"})
FAILURE = reply(500, {"error": {"code": "GENERAL_001", "message": "could not be cancelled"}})
CONFLICT = reply(409, {"statusCode": 409, "code": "CONFLICT", "message": "already completed"})
GARBAGE = reply(200, b"<html>")

if TYPE_CHECKING:
    from jobcancel.adapter import Response
    from jobcancel.flow.events import Reply, Send

UUID = "00000000-0000-4000-8000-000000000001"
DELETE = "DELETE /job/job-1"
GET = "GET /job/job-1"

# With full jitter fixed at half of its maximum, which is 0.5, 1, 2, 4 and then 8 seconds.
BACKOFFS = [f"pause {seconds}" for seconds in (0.25, 0.5, 1, 2, 4, 4, 4, 4, 4, 4)]


def read(word: str) -> Response:
    return reply(200, {"job_id": "job-1", "status": word})


DESTROYER = evolve(PULSE, name="destroyer", destroys_finished=True)
BLIND = evolve(PULSE, name="blind", title="Blind", status=None)


# Rules 1 to 3: one request if the reply is conclusive, otherwise a status read


def test_a_documented_success_is_cancelled_after_one_request() -> None:
    result, did = play_cancel(ACCEPTED)
    assert (Outcome.CANCELLED, False, None, [DELETE]) == (
        result.outcome,
        result.verified,
        result.state,
        did,
    )


def test_a_job_id_that_cannot_be_sent_is_invalid_and_nothing_is_sent() -> None:
    result, did = play_cancel(job_id="..")
    assert (Outcome.INVALID, 0, []) == (result.outcome, result.attempts, did)


@pytest.mark.parametrize(
    ("inconclusive", "why"),
    [
        (FAILURE, "500"),
        (LOST, "no reply"),
        (GARBAGE, "not JSON"),
        (reply(200), "empty"),
        (reply(204), "no content"),
        (reply(200, ["a list"]), "not an object"),
        (reply(200, {"job_id": "job-1", "message": "Job already completed"}), "other message"),
        (reply(200, {"job_id": "job-2", "message": "Job cancelled successfully"}), "other job"),
        (reply(409, {"error": {"message": "undocumented"}}), "undocumented code"),
    ],
)
@pytest.mark.parametrize(
    ("word", "outcome", "state"),
    [
        ("canceled", Outcome.CANCELLED, JobState.CANCELLED),
        ("completed", Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED),
        ("failed", Outcome.ALREADY_TERMINAL, JobState.FAILED),
        ("expired", Outcome.ALREADY_TERMINAL, JobState.EXPIRED),
    ],
)
def test_after_an_inconclusive_reply_the_final_state_decides(
    inconclusive: Reply, why: str, word: str, outcome: Outcome, state: JobState
) -> None:
    result, did = play_cancel(inconclusive, read(word))
    assert (outcome, state, word, True, [DELETE, GET]) == (
        result.outcome,
        result.state,
        result.raw_state,
        result.verified,
        did,
    ), why


def test_a_job_still_active_after_an_inconclusive_reply_is_cancelled_again() -> None:
    result, did = play_cancel(FAILURE, read("processing"), ACCEPTED)
    assert (Outcome.CANCELLED, 2) == (result.outcome, result.attempts)
    assert [DELETE, GET, "pause 0.25", DELETE] == did


def test_cancel_is_retried_when_the_status_cannot_be_read() -> None:
    result, did = play_cancel(LOST, FAILURE, FAILURE, read("canceled"))
    assert Outcome.CANCELLED is result.outcome
    assert [DELETE, GET, "pause 0.25", DELETE, GET] == did


def test_an_unknown_status_word_is_kept_and_inconclusive() -> None:
    then = {"DELETE": FAILURE, "GET": read("archiving")}
    result, _ = play_cancel(then=then)
    assert (Outcome.UNKNOWN, JobState.UNKNOWN, "archiving", False) == (
        result.outcome,
        result.state,
        result.raw_state,
        result.verified,
    )


def test_a_job_seen_cancelling_after_a_lost_reply_is_cancelling() -> None:
    adapter = evolve(PULSE, states={**PULSE.states, "stopping": JobState.CANCELLING})
    result, _ = play_cancel(LOST, read("stopping"), adapter=adapter)
    assert (Outcome.CANCELLING, False) == (result.outcome, result.verified)


def test_cancel_is_not_resent_after_an_undocumented_refusal() -> None:
    result, did = play_cancel(reply(409, {"error": {"message": "no"}}), read("processing"))
    assert (Outcome.UNKNOWN, JobState.RUNNING) == (result.outcome, result.state)
    assert "no; its status is 'processing'" == result.message
    assert [DELETE, GET] == did


def test_only_the_status_read_is_retried_after_an_undocumented_refusal() -> None:
    result, did = play_cancel(reply(409), LOST, read("completed"))
    assert Outcome.ALREADY_TERMINAL is result.outcome
    assert [DELETE, GET, "pause 0.25", GET] == did


def test_without_a_status_request_the_cancel_is_retried() -> None:
    result, did = play_cancel(FAILURE, ACCEPTED, adapter=BLIND)
    assert (Outcome.CANCELLED, [DELETE, "pause 0.25", DELETE]) == (result.outcome, did)


def test_verify_without_a_status_request_trusts_the_acceptance() -> None:
    result, did = play_cancel(ACCEPTED, adapter=BLIND, verify=True)
    assert (Outcome.CANCELLED, False, [DELETE]) == (result.outcome, result.verified, did)


def test_undocumented_refusal_without_a_status_request_is_unknown() -> None:
    result, did = play_cancel(reply(409), adapter=BLIND)
    assert (Outcome.UNKNOWN, [DELETE]) == (result.outcome, did)


def test_undocumented_refusal_is_unknown_if_the_status_read_is_refused_too() -> None:
    result, did = play_cancel(reply(409), reply(401))
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did)


def test_undocumented_refusal_for_a_missing_job_is_not_found() -> None:
    result, did = play_cancel(reply(409), reply(404, {"error": {"message": "no such job"}}))
    assert (Outcome.NOT_FOUND, 404, "no such job", [DELETE, GET]) == (
        result.outcome,
        result.status_code,
        result.message,
        did,
    )


def test_a_missing_job_after_a_lost_cancel_is_unknown() -> None:
    result, did = play_cancel(LOST, reply(404), reply(404), reply(404))
    assert (Outcome.UNKNOWN, [DELETE, GET, "pause 0.25", DELETE, GET]) == (result.outcome, did)


def test_a_job_that_disappears_after_a_lost_cancel_is_unknown() -> None:
    gone = reply(404)
    result, did = play_cancel(LOST, read("processing"), gone, gone)
    assert (Outcome.UNKNOWN, [DELETE, GET, "pause 0.25", DELETE, GET]) == (result.outcome, did)


def test_a_job_in_the_cancel_reply_that_then_disappears_is_unknown() -> None:
    gone = reply(404)
    result, _ = play_cancel(read("processing"), gone, gone, gone)
    assert Outcome.UNKNOWN is result.outcome


def test_a_job_that_disappears_after_a_rejected_cancel_is_not_found() -> None:
    limit = reply(429, retry_after="1")
    result, _ = play_cancel(read("processing"), limit, reply(404), adapter=DESTROYER)
    assert Outcome.NOT_FOUND is result.outcome


def test_a_not_found_verdict_applies_to_a_status_read() -> None:
    adapter = evolve(PULSE, verdict="said", verdicts={"NO SUCH JOB": Outcome.NOT_FOUND})
    result, _ = play_cancel(reply(409), reply(410, {"said": "NO SUCH JOB"}), adapter=adapter)
    assert Outcome.NOT_FOUND is result.outcome


RECEIPT = evolve(PULSE, receipt_only=True, accepted=Outcome.CANCELLING)


def test_the_state_in_a_receipt_is_ignored() -> None:
    receipt = reply(200, {"job_id": "job-1", "status": "canceled"})
    result, _ = play_cancel(receipt, adapter=RECEIPT)
    assert (Outcome.CANCELLING, None, None, "HTTP 200 without a message") == (
        result.outcome,
        result.state,
        result.raw_state,
        result.message,
    )


UNTYPED = evolve(PULSE, any_body_statuses=frozenset({200}), accepted=Outcome.CANCELLING)


@pytest.mark.parametrize("body", [None, {}, [], "done", {"status": "completed"}])
@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("processing", Outcome.CANCELLING),
        ("canceled", Outcome.CANCELLED),
        ("completed", Outcome.ALREADY_TERMINAL),
    ],
)
def test_undocumented_acceptance_is_confirmed_with_one_status_read(
    body: object, word: str, outcome: Outcome
) -> None:
    result, did = play_cancel(reply(200, body), read(word), adapter=UNTYPED)
    assert (outcome, word, [DELETE, GET]) == (result.outcome, result.raw_state, did)


def test_an_html_page_is_not_an_acceptance() -> None:
    answers: list[Reply] = [GARBAGE, read("processing"), reply(200), read("processing")]
    result, did = play_cancel(*answers, adapter=UNTYPED)
    assert (Outcome.CANCELLING, [DELETE, GET, "pause 0.25", DELETE, GET]) == (result.outcome, did)


READ_AFTER = evolve(
    PULSE, empty_body_statuses=frozenset({200}), confirm_success=True, accepted=Outcome.CANCELLING
)


@pytest.mark.parametrize(
    ("seen", "outcome", "state"),
    [
        (read("processing"), Outcome.CANCELLING, JobState.RUNNING),
        (read("canceled"), Outcome.CANCELLED, JobState.CANCELLED),
        (read("completed"), Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED),
        (reply(404), Outcome.CANCELLING, None),
    ],
)
def test_ambiguous_acceptance_is_confirmed_with_one_status_read(
    seen: Reply, outcome: Outcome, state: JobState | None
) -> None:
    result, did = play_cancel(reply(200, {}), seen, adapter=READ_AFTER)
    assert (outcome, state, [DELETE, GET]) == (result.outcome, result.state, did)


@pytest.mark.parametrize("odd", [LOST, reply(503), reply(302), reply(403, b"<html>")])
def test_a_failed_confirmation_is_retried(odd: Reply) -> None:
    result, did = play_cancel(reply(200, {}), odd, odd, read("completed"), adapter=READ_AFTER)
    assert (Outcome.ALREADY_TERMINAL, 3) == (result.outcome, did.count(GET))


def test_acceptance_stands_if_confirmation_keeps_failing() -> None:
    result, did = play_cancel(reply(200, {}), then={"GET": LOST}, adapter=READ_AFTER)
    assert (Outcome.CANCELLING, 1) == (result.outcome, did.count(DELETE))


@pytest.mark.parametrize("odd", [reply(302), reply(409, b"<html>"), reply(501)])
def test_verify_continues_after_an_inconclusive_status_reply(odd: Reply) -> None:
    result, _ = play_cancel(ACCEPTED, odd, read("canceled"), verify=True)
    assert (Outcome.CANCELLED, True) == (result.outcome, result.verified)


def test_no_status_is_read_if_a_wait_overran_the_deadline() -> None:
    class Overslept(Hand):
        def _take(self, step: Send | Pause) -> Reply | None:
            if isinstance(step, Pause):
                self.now += 60.0
            return super()._take(step)

    result, did = play_cancel(
        hand=Overslept([ACCEPTED, read("processing")]), deadline=3.0, verify=True
    )
    assert (Outcome.CANCELLING, [DELETE, GET, "pause 0.2"]) == (result.outcome, did)


def test_undocumented_2xx_for_missing_job_is_unknown() -> None:
    result, _ = play_cancel(reply(200, {}), reply(404), adapter=UNTYPED)
    assert Outcome.UNKNOWN is result.outcome


def test_an_acceptance_for_another_job_is_ignored() -> None:
    result, _ = play_cancel(reply(200, {"job_id": "job-2"}), read("canceled"), adapter=UNTYPED)
    assert Outcome.CANCELLED is result.outcome


# Rule 4: "already over" after our own cancel may have been applied


def test_already_over_is_final_on_the_first_request() -> None:
    result, did = play_cancel(CONFLICT, adapter=TALONIC, job_id=UUID)
    assert (Outcome.ALREADY_TERMINAL, None, False) == (
        result.outcome,
        result.state,
        result.verified,
    )
    assert [f"POST /v1/jobs/{UUID}/cancel"] == did


@pytest.mark.parametrize("first", [LOST, reply(502, b"<html>"), reply(408), GARBAGE])
def test_already_over_after_a_lost_cancel_is_cancelled_if_the_job_is(first: Reply) -> None:
    cancelled = reply(
        200, {"id": UUID, "status": "failed", "error": {"message": "Cancelled via API"}}
    )
    result, did = play_cancel(first, LOST, CONFLICT, cancelled, adapter=TALONIC, job_id=UUID)
    assert (Outcome.CANCELLED, True, 2) == (result.outcome, result.verified, result.attempts)
    assert 5 == len(did)


def test_already_over_after_a_lost_cancel_is_terminal_if_completed() -> None:
    done = reply(200, {"id": UUID, "status": "complete"})
    result, _ = play_cancel(LOST, LOST, CONFLICT, done, adapter=TALONIC, job_id=UUID)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)


def test_already_over_after_a_lost_cancel_is_unknown_without_a_status() -> None:
    answers: list[Reply] = [LOST, LOST, CONFLICT]
    result, did = play_cancel(*answers, then={"GET": LOST}, adapter=TALONIC, job_id=UUID)
    assert (Outcome.UNKNOWN, 2) == (result.outcome, result.attempts)
    assert "already completed; its status could not be read: the connection broke" == result.message
    assert 2 == sum(step.startswith("POST") for step in did)


def test_verify_keeps_already_over_if_the_status_cannot_be_read() -> None:
    result, _ = play_cancel(CONFLICT, LOST, adapter=TALONIC, job_id=UUID, verify=True)
    assert (Outcome.ALREADY_TERMINAL, None) == (result.outcome, result.state)


def test_verify_reports_how_an_already_over_job_ended() -> None:
    cancelled = reply(200, {"id": UUID, "status": "cancelled"})
    result, _ = play_cancel(CONFLICT, cancelled, adapter=TALONIC, job_id=UUID, verify=True)
    assert (Outcome.ALREADY_TERMINAL, JobState.CANCELLED, True) == (
        result.outcome,
        result.state,
        result.verified,
    )


def test_verify_rereads_an_already_over_job_that_reads_as_running() -> None:
    running, done = (reply(200, {"id": UUID, "status": word}) for word in ("processing", "failed"))
    result, did = play_cancel(CONFLICT, running, done, adapter=TALONIC, job_id=UUID, verify=True)
    assert (Outcome.ALREADY_TERMINAL, JobState.FAILED) == (result.outcome, result.state)
    assert 1 == sum(step.startswith("POST") for step in did)


# Rule 5: waiting


def test_a_rate_limited_cancel_waits_for_retry_after() -> None:
    result, did = play_cancel(reply(429, retry_after="7"), ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, "pause 7", DELETE]) == (result.outcome, did)


def test_retry_after_beyond_the_deadline_returns_rate_limited_at_once() -> None:
    result, did = play_cancel(reply(429, retry_after="3600"))
    assert (Outcome.RATE_LIMITED, 3600.0, 429) == (
        result.outcome,
        result.retry_after,
        result.status_code,
    )
    assert [DELETE] == did


def test_a_rate_limit_without_retry_after_uses_back_off() -> None:
    result, did = play_cancel(then={"DELETE": reply(429)})
    assert (Outcome.RATE_LIMITED, None) == (result.outcome, result.retry_after)
    assert BACKOFFS == [step for step in did if step.startswith("pause")][:10]


def test_a_rate_limit_marked_not_retryable_is_not_retried() -> None:
    result, did = play_cancel(
        reply(429, {"code": "RATE_LIMITED", "retryable": False}), adapter=TALONIC, job_id=UUID
    )
    assert (Outcome.RATE_LIMITED, 1) == (result.outcome, len(did))


def test_a_503_is_retried_no_sooner_than_retry_after() -> None:
    result, did = play_cancel(reply(503, retry_after="5"), read("pending"), ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, GET, "pause 5", DELETE]) == (result.outcome, did)


def test_a_longer_retry_after_from_the_status_read_wins() -> None:
    _, did = play_cancel(reply(503, retry_after="2"), reply(429, retry_after="9"), ACCEPTED)
    assert [DELETE, GET, "pause 9", DELETE] == did


@pytest.mark.parametrize(("word", "attempts"), [("false", 1), ("true", 2)])
def test_x_should_retry_is_respected(word: str, attempts: int) -> None:
    limit = reply(429, x_should_retry=word)
    answers = [limit, ACCEPTED][:attempts]
    result, _ = play_cancel(*answers)
    assert (attempts, attempts > 1) == (result.attempts, result.stopped)


def test_a_server_error_marked_not_retryable_is_not_retried() -> None:
    final = reply(500, {"statusCode": 500, "code": "INTERNAL_ERROR", "retryable": False})
    running = reply(200, {"id": UUID, "status": "processing"})
    result, did = play_cancel(final, then={"GET": running}, adapter=TALONIC, job_id=UUID)
    assert (Outcome.UNKNOWN, JobState.RUNNING) == (result.outcome, result.state)
    assert 1 == sum(step.startswith("POST") for step in did)


def test_a_failed_connection_is_retried_without_a_status_read() -> None:
    result, did = play_cancel(REFUSED, ACCEPTED)
    assert (Outcome.CANCELLED, [DELETE, "pause 0.25", DELETE]) == (result.outcome, did)


def test_already_over_is_final_after_a_failed_connection() -> None:
    result, _ = play_cancel(REFUSED, CONFLICT, adapter=TALONIC, job_id=UUID)
    assert (Outcome.ALREADY_TERMINAL, None) == (result.outcome, result.state)


@pytest.mark.parametrize(
    ("status_code", "outcome"),
    [
        (401, Outcome.UNAUTHORIZED),
        (403, Outcome.FORBIDDEN),
        (404, Outcome.NOT_FOUND),
    ],
)
def test_a_documented_refusal_is_final(status_code: int, outcome: Outcome) -> None:
    result, did = play_cancel(reply(status_code))
    assert (outcome, False, [DELETE]) == (result.outcome, result.stopped, did)


def test_retry_after_zero_still_backs_off() -> None:
    _, did = play_cancel(reply(429, retry_after="0"), ACCEPTED)
    assert [DELETE, "pause 0.25", DELETE] == did


def test_already_over_after_a_mapped_server_error_is_confirmed() -> None:
    adapter = evolve(TALONIC, replies={**TALONIC.replies, 500: Outcome.RATE_LIMITED})
    cancelled = reply(200, {"id": UUID, "status": "cancelled"})
    result, _ = play_cancel(reply(500), CONFLICT, cancelled, adapter=adapter, job_id=UUID)
    assert Outcome.CANCELLED is result.outcome


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x_ratelimit_reset": "9"}, 9),
        # The wall clock of `Hand` starts at 22:13:20, and the exchange took 0.01 s.
        ({"retry_after": "Tue, 14 Nov 2023 22:13:27 GMT"}, 6.99),
    ],
)
def test_dates_in_rate_limit_headers_use_the_wall_clock(
    headers: dict[str, str], wait: float
) -> None:
    _, did = play_cancel(reply(429, **headers), ACCEPTED)
    assert [DELETE, f"pause {wait:g}", DELETE] == did


def test_retry_after_from_status_read_is_reported_when_it_exceeds_deadline() -> None:
    result, _ = play_cancel(reply(503, retry_after="2"), reply(429, retry_after="3600"))
    assert (Outcome.UNKNOWN, 3600.0, 503) == (
        result.outcome,
        result.retry_after,
        result.status_code,
    )


def test_already_over_is_final_after_a_425() -> None:
    result, did = play_cancel(reply(425), LOST, CONFLICT, adapter=TALONIC, job_id=UUID)
    assert (Outcome.ALREADY_TERMINAL, None, 4) == (result.outcome, result.state, len(did))


# Rule 6: verify


def test_verify_reads_the_job_until_it_is_cancelled() -> None:
    result, did = play_cancel(
        ACCEPTED, read("processing"), LOST, read("archiving"), read("canceled"), verify=True
    )
    assert (Outcome.CANCELLED, True) == (result.outcome, result.verified)
    assert [DELETE, GET, "pause 0.2", GET, "pause 0.4", GET, "pause 0.8", GET] == did


def test_verify_detects_that_the_job_completed_despite_the_acceptance() -> None:
    result, _ = play_cancel(ACCEPTED, read("completed"), verify=True)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)


def test_verify_returns_cancelling_when_the_deadline_comes_first() -> None:
    result, did = play_cancel(ACCEPTED, *[read("processing")] * 5, verify=True, deadline=5)
    assert (Outcome.CANCELLING, JobState.RUNNING, False) == (
        result.outcome,
        result.state,
        result.stopped,
    )
    assert ["pause 0.2", "pause 0.4", "pause 0.8", "pause 1.6"] == [
        step for step in did if step.startswith("pause")
    ]


def test_verify_polls_at_least_every_two_seconds() -> None:
    _, did = play_cancel(ACCEPTED, *[read("processing")] * 7, read("canceled"), verify=True)
    assert ["pause 1.6", "pause 2", "pause 2", "pause 2"] == [
        step for step in did if step.startswith("pause")
    ][3:]


def test_verify_honors_retry_after_of_the_status_read() -> None:
    _, did = play_cancel(ACCEPTED, reply(429, retry_after="3"), read("canceled"), verify=True)
    assert [DELETE, GET, "pause 3", GET] == did


def test_verify_honors_retry_after_of_the_acceptance() -> None:
    accepted = reply(
        200, {"job_id": "job-1", "message": "Job cancelled successfully"}, retry_after="5"
    )
    _, did = play_cancel(accepted, read("canceled"), verify=True)
    assert [DELETE, "pause 5", GET] == did


def test_verify_stops_when_the_status_read_is_refused() -> None:
    result, did = play_cancel(ACCEPTED, reply(401), verify=True)
    assert (Outcome.CANCELLING, [DELETE, GET]) == (result.outcome, did)


def test_verify_reads_nothing_after_the_deadline() -> None:
    result, did = play_cancel(hand=Hand([ACCEPTED], each_takes=31), verify=True)
    assert (Outcome.CANCELLING, [DELETE]) == (result.outcome, did)


def test_verify_stops_when_a_status_read_reaches_the_deadline() -> None:
    hand = Hand([ACCEPTED, read("processing"), read("processing")], each_takes=14)
    result, _ = play_cancel(hand=hand, verify=True)
    assert Outcome.CANCELLING is result.outcome


def test_verify_reads_no_status_when_the_reply_shows_a_final_state() -> None:
    shown = reply(200, {"id": UUID, "status": "cancelled"})
    result, did = play_cancel(shown, adapter=TALONIC, job_id=UUID, verify=True)
    assert (Outcome.CANCELLED, True, 1) == (result.outcome, result.verified, len(did))


def test_verify_polls_a_cancelling_job() -> None:
    adapter = evolve(PULSE, states={**PULSE.states, "stopping": JobState.CANCELLING})
    result, _ = play_cancel(LOST, read("stopping"), read("canceled"), adapter=adapter, verify=True)
    assert (Outcome.CANCELLED, True) == (result.outcome, result.verified)


# Rule 7: out of time


def test_out_of_time_is_unknown_with_the_last_reply_as_message() -> None:
    result, did = play_cancel(then={"DELETE": FAILURE, "GET": read("processing")})
    assert Outcome.UNKNOWN is result.outcome
    assert "could not be cancelled; its status is 'processing'" == result.message
    assert BACKOFFS == [step for step in did if step.startswith("pause")][:10]


@pytest.mark.parametrize("deadline", [1.0, 7.0, 30.0, 100.0])
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.99])
def test_retries_continue_until_close_to_the_deadline(deadline: float, chance: float) -> None:
    hand = Hand([], then={"DELETE": REFUSED}, chance=chance)
    result, did = play_cancel(hand=hand, deadline=deadline)
    assert deadline - 0.5 < result.elapsed <= deadline + 0.01
    assert len(did) < 300


def test_failing_to_connect_until_the_deadline_is_unknown() -> None:
    result, _ = play_cancel(then={"DELETE": REFUSED})
    assert (Outcome.UNKNOWN, "could not connect") == (result.outcome, result.message)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.99])
def test_a_short_outage_is_retried_until_the_vendor_is_back(
    chance: float,
) -> None:
    class BackAfterSixSeconds(Hand):
        def _take(self, step: Send | Pause) -> Reply | None:
            down = self.now < 1006.0
            self.answers = [REFUSED if down else ACCEPTED]
            answer = super()._take(step)
            self.answers = []
            return answer

    result, did = play_cancel(hand=BackAfterSixSeconds([], chance=chance), deadline=20.0)
    assert Outcome.CANCELLED is result.outcome
    assert len(did) < 50


def test_no_status_is_read_if_the_cancel_overran_the_deadline() -> None:
    result, did = play_cancel(hand=Hand([LOST], each_takes=31))
    assert (Outcome.UNKNOWN, [DELETE]) == (result.outcome, did)


def test_a_back_off_beyond_the_deadline_is_skipped() -> None:
    result, did = play_cancel(hand=Hand([LOST, LOST], each_takes=0.45), deadline=1)
    assert (Outcome.UNKNOWN, [DELETE, GET]) == (result.outcome, did)


def test_the_deadline_caps_the_timeout_of_a_request() -> None:
    hand = Hand([ACCEPTED])
    play_cancel(hand=hand, timeout=10, deadline=2)
    assert [2] == [send.timeout for send in hand.sends]


# Rule 8: destructive cancels, which delete the output of a finished job


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("completed", Outcome.ALREADY_TERMINAL), ("canceled", Outcome.ALREADY_TERMINAL)],
)
def test_a_destructive_cancel_is_not_sent_for_a_finished_job(word: str, outcome: Outcome) -> None:
    result, did = play_cancel(read(word), adapter=DESTROYER)
    assert (outcome, True, 0, [GET]) == (result.outcome, result.verified, result.attempts, did)


def test_a_destructive_cancel_is_sent_for_a_running_job() -> None:
    result, did = play_cancel(read("processing"), ACCEPTED, adapter=DESTROYER)
    assert (Outcome.CANCELLED, [GET, DELETE]) == (result.outcome, did)


def test_a_destructive_cancel_is_not_resent_without_a_status_read() -> None:
    result, did = play_cancel(read("processing"), REFUSED, read("completed"), adapter=DESTROYER)
    assert (Outcome.ALREADY_TERMINAL, [GET, DELETE, "pause 0.25", GET]) == (result.outcome, did)


def test_a_destructive_cancel_whose_reply_was_lost_is_cancelled() -> None:
    result, _ = play_cancel(
        read("processing"), LOST, LOST, LOST, read("canceled"), adapter=DESTROYER
    )
    assert (Outcome.CANCELLED, 1) == (result.outcome, result.attempts)


def test_a_destructive_cancel_is_not_sent_while_the_status_is_unreadable() -> None:
    answers: list[Reply] = [LOST, read("archiving"), reply(500)]
    result, did = play_cancel(*answers, then={"GET": LOST}, adapter=DESTROYER)
    assert (Outcome.UNKNOWN, 0, False) == (result.outcome, result.attempts, DELETE in did)


def test_a_destructive_cancel_is_not_sent_for_a_missing_job() -> None:
    result, did = play_cancel(reply(404), adapter=DESTROYER)
    assert (Outcome.NOT_FOUND, [GET]) == (result.outcome, did)


def test_a_destructive_cancel_is_not_sent_when_the_status_read_is_refused() -> None:
    result, did = play_cancel(reply(418), adapter=DESTROYER)
    assert (Outcome.UNKNOWN, 0, [GET]) == (result.outcome, result.attempts, did)


def test_a_destructive_cancel_waits_until_the_status_can_be_read() -> None:
    result, did = play_cancel(reply(302), read("processing"), ACCEPTED, adapter=DESTROYER)
    assert (Outcome.CANCELLED, [GET, "pause 0.25", GET, DELETE]) == (result.outcome, did)


def test_a_destructive_cancel_is_not_sent_after_the_deadline() -> None:
    result, did = play_cancel(adapter=DESTROYER, hand=Hand([read("processing")], each_takes=31))
    assert (Outcome.UNKNOWN, JobState.RUNNING, [GET]) == (result.outcome, result.state, did)


def test_a_rate_limited_status_read_delays_a_destructive_cancel() -> None:
    limit = reply(429, retry_after="2")
    result, did = play_cancel(limit, read("processing"), ACCEPTED, adapter=DESTROYER)
    assert (Outcome.CANCELLED, [GET, "pause 2", GET, DELETE]) == (result.outcome, did)


def test_a_status_read_limited_beyond_the_deadline_is_rate_limited() -> None:
    result, _ = play_cancel(reply(429, retry_after="3600"), adapter=DESTROYER)
    assert (Outcome.RATE_LIMITED, 3600.0) == (result.outcome, result.retry_after)


FORCIBLE = evolve(
    DESTROYER,
    force_param="force",
    params={"force": Param("`yes` sends it without reading first", optional=True)},
)


def force(word: str, *answers: Reply) -> tuple[CancelResult, list[str]]:
    hand = Hand(list(answers))
    job = Job("destroyer", "job-1", {"force": word})
    return hand.play(cancel(Call(FORCIBLE, job, ENDPOINT, Policy(), hand.clock))), hand.did


def test_force_sends_a_destructive_cancel_without_a_status_read() -> None:
    result, did = force("yes", read("canceled"))
    assert (Outcome.CANCELLED, True, [DELETE]) == (result.outcome, result.verified, did)


def test_an_accepted_forced_cancel_is_cancelling() -> None:
    result, did = force("yes", ACCEPTED)
    assert (Outcome.CANCELLING, False, [DELETE]) == (result.outcome, result.stopped, did)


def test_a_forced_cancel_is_resent_without_a_status_read() -> None:
    result, did = force("yes", REFUSED, reply(404))
    assert (Outcome.NOT_FOUND, [DELETE, "pause 0.25", DELETE]) == (result.outcome, did)


def test_force_no_does_not_cancel_a_finished_job() -> None:
    result, did = force("no", read("completed"))
    assert (Outcome.ALREADY_TERMINAL, [GET]) == (result.outcome, did)


def test_an_invalid_force_value_is_rejected() -> None:
    result, did = force("true")
    assert (Outcome.INVALID, []) == (result.outcome, did)
    assert "the param 'force' is 'true'; it must be 'yes' or 'no'" == result.message


# Idempotency keys


def test_an_idempotency_key_is_reused_only_if_there_was_no_reply() -> None:
    running = reply(200, {"id": UUID, "status": "processing"})
    hand = Hand([LOST, running, reply(500), running, REFUSED, reply(404), reply(404)])
    keys = itertools.count()
    job = Job("talonic", UUID)
    hand.play(
        cancel(
            Call(TALONIC, job, ENDPOINT, Policy(), hand.clock),
            new_key=lambda: f"key-{next(keys)}",
        )
    )
    sent = [s.request.headers["idempotency-key"] for s in hand.sends if s.call == "cancel"]
    assert ["key-0", "key-0", "key-1", "key-1"] == sent


def test_two_calls_use_two_idempotency_keys() -> None:
    first, second = Hand([CONFLICT]), Hand([CONFLICT])
    for hand in (first, second):
        play_cancel(adapter=TALONIC, job_id=UUID, hand=hand)
    header = "idempotency-key"
    assert first.sends[0].request.headers[header] != second.sends[0].request.headers[header]


# A wait in the body


@pytest.mark.parametrize(("in_body", "header"), [(1, "20"), (20, "1"), (20, None), (None, "20")])
def test_the_longer_of_the_waits_in_body_and_header_wins(
    in_body: int | None, header: str | None
) -> None:
    adapter = evolve(PULSE, retry_after=("error.wait",))
    headers = {} if header is None else {"retry_after": header}
    limit = reply(429, {"error": {"wait": in_body}}, **headers)
    _, did = play_cancel(limit, ACCEPTED, adapter=adapter)
    assert [DELETE, "pause 20", DELETE] == did


def test_a_wait_in_the_body_is_reported_as_retry_after() -> None:
    adapter = evolve(PULSE, retry_after=("error.wait",))
    answer = reply(429, {"error": {"wait": 3600}}, retry_after="1")
    result, _ = play_cancel(answer, adapter=adapter)
    assert 3600.0 == result.retry_after


# The fields of a result


def test_a_result_has_every_field_of_the_deciding_reply() -> None:
    body = {
        "id": UUID,
        "status": "failed",
        "error": {"code": "job_failed", "message": "Cancelled via API"},
        "completed_documents": 12,
        "document_count": 48,
    }
    result, _ = play_cancel(
        LOST, reply(200, body, x_request_id="req_1", retry_after="3"), adapter=TALONIC, job_id=UUID
    )
    assert result == CancelResult(
        provider="talonic",
        job_id=UUID,
        outcome=Outcome.CANCELLED,
        state=JobState.CANCELLED,
        raw_state="failed",
        verified=True,
        message="Cancelled via API",
        code="job_failed",
        status_code=200,
        retry_after=3.0,
        attempts=1,
        elapsed=result.elapsed,
        request_id="req_1",
        progress=Progress(12, 48),
        body=body,
        at=result.at,
    )
    assert 0.02 == pytest.approx(result.elapsed)


def test_the_message_says_why_an_id_is_invalid() -> None:
    result, _ = play_cancel(job_id="..")
    reading, _ = play_status(job_id="..")
    why = "the job id is '..', which would change the path; pass the id that the vendor returned"
    assert (why, why, "pulse", "..") == (
        result.message,
        reading.message,
        reading.provider,
        reading.job_id,
    )


def test_every_request_is_numbered_and_carries_the_key() -> None:
    hand = Hand([LOST, read("processing"), LOST, read("canceled")])
    play_cancel(hand=hand)
    assert [("cancel", 1), ("status", 1), ("cancel", 2), ("status", 2)] == [
        (send.call, send.attempt) for send in hand.sends
    ]
    assert {ENDPOINT.key} == {send.request.key for send in hand.sends}


# The transition table


def test_the_transition_table_uses_every_phase_and_event() -> None:
    assert {*Phase} - {Phase.DONE} == {phase for phase, _ in TRANSITIONS}
    assert {*Phase} - {Phase.PRECHECK} == {*TRANSITIONS.values()}
    assert {*Event} == {event for _, event in TRANSITIONS}
