"""The decisions of a wait: when the status is read, and when the wait is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from jobcancel.flow import Call, Waiting
from jobcancel.models import Job, JobReading, JobState, Outcome, Progress
from jobcancel.retry import Policy
from jobcancel.vendors.pulse import PULSE
from jobcancel.vendors.talonic import TALONIC
from tests.flow.test_cancellation import GET, UUID, read
from tests.hand import ENDPOINT, LOST, REFUSED, Hand, reply

if TYPE_CHECKING:
    from jobcancel.adapter import Adapter
    from jobcancel.flow.events import Flow, Reply

RUNNING, DONE, NOT_FOUND = read("processing"), read("completed"), reply(404)
SLOW = evolve(PULSE, name="slow", poll_interval=5)
FORGETFUL = evolve(PULSE, name="forgetful", not_found_grace=5)


def rounds(waiting: Waiting) -> Flow[list[JobReading]]:
    readings = [(yield from waiting.read(waiting.call))]
    while not waiting.has_ended and (yield from waiting.pause()):
        readings.append((yield from waiting.read(waiting.call)))
    return readings


def play_wait(
    *answers: Reply,
    adapter: Adapter = PULSE,
    job_id: str = "job-1",
    poll: float | None = None,
    timeout: float = 600.0,
    then: Reply = RUNNING,
    chance: float = 0.0,
    each_takes: float = 0.0,
) -> tuple[list[JobReading], list[str]]:
    """Wait for a job with these replies; return all readings, and the requests and pauses.

    By default there is no jitter, and a request takes no time.
    """
    hand = Hand(list(answers), {"GET": then}, chance=chance, each_takes=each_takes)
    policy = Policy(deadline=timeout)
    call = Call(adapter, Job(adapter.name, job_id), ENDPOINT, policy, hand.clock)
    return hand.play(rounds(Waiting(call, poll))), hand.did


def pauses(did: list[str]) -> list[float]:
    return [float(each.removeprefix("pause ")) for each in did if each.startswith("pause")]


# The end


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("completed", JobState.SUCCEEDED),
        ("failed", JobState.FAILED),
        ("canceled", JobState.CANCELLED),
        ("expired", JobState.EXPIRED),
    ],
)
def test_a_wait_ends_when_the_job_has_ended(word: str, state: JobState) -> None:
    readings, did = play_wait(read("pending"), RUNNING, read(word))
    assert [JobState.PENDING, JobState.RUNNING, state] == [each.state for each in readings]
    assert [GET, "pause 1", GET, "pause 1.5", GET] == did


def test_a_job_that_has_already_ended_is_read_once() -> None:
    _, did = play_wait(DONE)
    assert [GET] == did


def test_an_unknown_word_does_not_end_a_wait() -> None:
    readings, _ = play_wait(read("archiving"), DONE)
    assert [JobState.UNKNOWN, JobState.SUCCEEDED] == [each.state for each in readings]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (reply(401), Outcome.UNAUTHORIZED),
        (reply(403), Outcome.FORBIDDEN),
        (NOT_FOUND, Outcome.NOT_FOUND),
    ],
)
def test_a_permanent_problem_ends_a_wait(answer: Reply, problem: Outcome) -> None:
    readings, did = play_wait(RUNNING, answer)
    assert problem is readings[-1].problem
    assert [GET, "pause 1", GET] == did


def test_an_invalid_request_ends_a_wait() -> None:
    readings, _ = play_wait(
        reply(400, {"statusCode": 400, "code": "VALIDATION_ERROR", "message": "a UUID"}),
        adapter=TALONIC,
        job_id=UUID,
    )
    assert [Outcome.INVALID] == [each.problem for each in readings]


@pytest.mark.parametrize("answer", [LOST, REFUSED, reply(503), reply(429), reply(418)])
def test_a_transient_problem_does_not_end_a_wait(answer: Reply) -> None:
    readings, _ = play_wait(answer, DONE)
    assert readings[0].problem in {Outcome.UNKNOWN, Outcome.RATE_LIMITED}
    assert JobState.SUCCEEDED is readings[1].state


def test_an_invalid_id_is_refused_without_a_request() -> None:
    job = Job("pulse", "..")
    refusal = Waiting(Call(PULSE, job, ENDPOINT)).refusal()
    assert refusal is not None
    assert (Outcome.INVALID, 0) == (refusal.problem, refusal.attempts)
    assert Waiting(Call(PULSE, Job("pulse", "1"), ENDPOINT)).refusal() is None


def test_a_reading_counts_all_reads_and_the_whole_time() -> None:
    body = {"id": UUID, "status": "processing", "completed_documents": 1, "document_count": 4}
    done = {**body, "status": "complete"}
    readings, _ = play_wait(
        *(LOST, reply(200, body), reply(200, done)), adapter=TALONIC, job_id=UUID, each_takes=0.5
    )
    assert [(1, 0.5), (2, 2.0), (3, 4.0)] == [(each.attempts, each.elapsed) for each in readings]
    assert Progress(1, 4) == readings[-1].progress


# "Not found" that may be wrong


def test_a_job_that_is_found_after_a_delay_is_waited_for() -> None:
    readings, _ = play_wait(NOT_FOUND, NOT_FOUND, RUNNING, DONE, adapter=FORGETFUL)
    problems = [each.problem for each in readings]
    assert [Outcome.NOT_FOUND, Outcome.NOT_FOUND, None, None] == problems


def test_a_job_that_is_not_found_within_the_grace_is_not_found() -> None:
    readings, did = play_wait(adapter=FORGETFUL, then=NOT_FOUND)
    assert Outcome.NOT_FOUND is readings[-1].problem
    assert [1.0, 1.5, 2.25, 3.375] == pauses(did)


def test_the_grace_begins_anew_when_the_job_was_found() -> None:
    answers = (NOT_FOUND, LOST, NOT_FOUND, RUNNING, NOT_FOUND, DONE)
    readings, _ = play_wait(*answers, adapter=FORGETFUL)
    assert JobState.SUCCEEDED is readings[-1].state


def test_other_problems_do_not_extend_the_grace() -> None:
    readings, _ = play_wait(NOT_FOUND, LOST, LOST, LOST, NOT_FOUND, adapter=FORGETFUL)
    assert Outcome.NOT_FOUND is readings[-1].problem


# Pauses


def test_the_interval_grows_to_15_seconds() -> None:
    _, did = play_wait(*[RUNNING] * 10, DONE)
    expected = [1, 1.5, 2.25, 3.375, 5.0625, 7.59375, 11.390625, 15, 15, 15]
    assert pytest.approx(expected, rel=1e-5) == pauses(did)


def test_the_interval_starts_with_that_of_the_vendor() -> None:
    _, did = play_wait(*[RUNNING] * 5, DONE, adapter=SLOW)
    assert [5, 7.5, 11.25, 15, 15] == pauses(did)


def test_the_interval_of_the_vendor_may_be_longer_than_15_seconds() -> None:
    slower = evolve(PULSE, name="slower", poll_interval=30)
    _, did = play_wait(*[RUNNING] * 2, DONE, adapter=slower)
    assert [30, 30] == pauses(did)


def test_poll_sets_a_constant_interval() -> None:
    _, did = play_wait(*[RUNNING] * 3, DONE, adapter=SLOW, poll=2.0)
    assert [2, 2, 2] == pauses(did)


def test_no_interval_is_shorter_than_a_tenth_of_a_second() -> None:
    _, did = play_wait(RUNNING, DONE, poll=0.001)
    assert [0.1] == pauses(did)


def test_jitter_makes_a_pause_longer_by_less_than_a_tenth() -> None:
    _, did = play_wait(RUNNING, DONE, chance=0.5)
    assert [1.05] == pauses(did)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (reply(429, retry_after="20"), 20),
        (reply(200, {"job_id": "job-1", "status": "processing"}, retry_after="7"), 7),
        (reply(503, retry_after_ms="2500"), 2.5),
        (reply(429, x_ratelimit_reset="30"), 30),
        (reply(200, {"job_id": "job-1", "status": "pending"}, openai_poll_after_ms="5000"), 5),
        (reply(200, {"job_id": "job-1", "status": "pending"}, openai_poll_after_ms="soon"), 1),
        (reply(200, {"job_id": "job-1", "status": "pending"}, openai_poll_after_ms="-5"), 1),
    ],
)
def test_a_pause_is_as_long_as_the_vendor_asks(answer: Reply, wait: float) -> None:
    _, did = play_wait(answer, RUNNING, DONE, poll=1.0)
    assert [wait, 1] == pauses(did)


def test_a_wait_that_the_vendor_asks_for_once_holds_once() -> None:
    _, did = play_wait(reply(429, retry_after="9"), reply(503), DONE, poll=1.0)
    assert [9, 1] == pauses(did)


def test_reads_that_fail_in_a_row_are_repeated_with_back_off() -> None:
    _, did = play_wait(LOST, LOST, LOST, LOST, RUNNING, LOST, DONE, poll=0.1, chance=0.5)
    assert pytest.approx([0.25, 0.5, 1, 2, 0.1, 0.25], rel=0.06) == pauses(did)


# The time is up


def test_the_last_read_is_made_when_the_time_is_up() -> None:
    readings, did = play_wait(timeout=3)
    assert [GET, "pause 1", GET, "pause 1.5", GET, "pause 0.5", GET] == did
    assert JobState.RUNNING is readings[-1].state


def test_a_job_that_ends_at_the_last_moment_has_ended() -> None:
    readings, _ = play_wait(RUNNING, DONE, timeout=0.5)
    assert JobState.SUCCEEDED is readings[-1].state


def test_a_wait_that_the_vendor_asks_for_is_cut_off_without_another_read() -> None:
    readings, did = play_wait(reply(429, retry_after="3600"), timeout=60)
    assert [GET, "pause 60"] == did
    assert (Outcome.RATE_LIMITED, 3600) == (readings[-1].problem, readings[-1].retry_after)


def test_there_is_no_last_read_within_a_tenth_of_a_second() -> None:
    _, did = play_wait(timeout=1.05)
    assert [GET, "pause 1", GET, "pause 0.05"] == did


def test_a_read_may_exceed_the_timeout_and_is_the_last() -> None:
    readings, did = play_wait(timeout=3, each_takes=4)
    assert ([GET], 4.0) == (did, readings[-1].elapsed)


LIMITED = reply(429, retry_after="4")


@given(
    answers=st.lists(
        st.sampled_from([RUNNING, LOST, reply(503), LIMITED, read("archiving"), NOT_FOUND]),
        max_size=30,
    ),
    poll=st.none() | st.floats(0.001, 40),
    timeout=st.floats(0.001, 400),
    chance=st.floats(0, 1, exclude_max=True),
    each_takes=st.floats(0, 12),
)
def test_a_wait_is_polite_and_ends_in_time(
    answers: list[Reply], poll: float | None, timeout: float, chance: float, each_takes: float
) -> None:
    hand = Hand([], chance=chance, each_takes=each_takes)
    call = Call(FORGETFUL, Job("pulse", "1"), ENDPOINT, Policy(deadline=timeout), hand.clock)
    waiting = Waiting(call, poll)
    while True:
        answer = answers.pop() if answers else RUNNING
        hand.then, hand.did = {"GET": answer}, []
        hand.play(waiting.read(call))
        if waiting.has_ended or not hand.play(waiting.pause()):
            break
        assert [4.0 if answer is LIMITED else 0.1] <= pauses(hand.did)
    assert waiting.has_ended or hand.now - 1000 >= timeout - 1e-6
    assert hand.now - 1000 <= timeout + each_takes + 1e-6
