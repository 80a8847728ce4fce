"""Many jobs at once, against the sandbox: none lost, none twice, each with its true outcome."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from jobcancel import (
    AsyncCanceller,
    Canceller,
    CancelResult,
    ConfigurationError,
    Job,
    Outcome,
    UnknownProvider,
    acancel_many,
    cancel_many,
)
from jobcancel.sandbox import Fault, Quota, Sandbox
from jobcancel.sandbox.keys import MAIN_KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from jobcancel.bulk.results import CancelResults
    from jobcancel.sandbox.journal import Received

RUNNING: dict[str, Any] = {"pending": 0.0, "running": 1e6}
ENDED: dict[str, Any] = {"pending": 0.0, "running": 0.0}


@pytest.fixture(params=["aiohttp", "httpx"])
def _by_either_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", request.param)


def where(sandbox: Sandbox) -> dict[str, Any]:
    return {"base_urls": sandbox.base_urls, "api_keys": sandbox.api_keys}


def submit(sandbox: Sandbox, vendor: str, number: int, **settings: Any) -> list[tuple[str, str]]:
    settings = settings or RUNNING
    return [(vendor, sandbox.submit(vendor, **settings)) for _ in range(number)]


def counted(results: list[CancelResult]) -> Counter[Outcome]:
    return Counter(result.outcome for result in results)


def about(sandbox: Sandbox, *jobs: tuple[str, str]) -> list[Received]:
    """The requests for these jobs; one that an earlier test abandoned may still arrive."""
    return [r for r in sandbox.requests if r.path.rpartition("/")[2] in {job[1] for job in jobs}]


def test_jobs_may_be_jobs_or_pairs(sandbox: Sandbox) -> None:
    (pair,) = submit(sandbox, "pulse", 1)
    job = Job(*submit(sandbox, "talonic", 1)[0])
    assert {Outcome.CANCELLED: 2} == counted(list(cancel_many([pair, job], **where(sandbox))))


def test_a_job_that_is_given_again_is_sent_once_and_answered_again(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 3)
    results = list(cancel_many([*jobs, *jobs, *jobs], concurrency=1, **where(sandbox)))
    assert {Outcome.CANCELLED: 9} == counted(results)
    assert 3 == len(about(sandbox, *jobs))


def test_a_job_that_is_given_again_shortly_after_is_answered_from_memory(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)

    def twice() -> Iterator[tuple[str, str]]:
        yield job
        while not (sent := about(sandbox, job)) or sent[-1].status is None:
            time.sleep(0.01)
        time.sleep(0.2)
        yield job

    assert {Outcome.CANCELLED: 2} == counted(list(cancel_many(twice(), **where(sandbox))))
    assert 1 == len(about(sandbox, job))


def test_jobs_are_read_no_further_ahead_than_there_is_room(sandbox: Sandbox) -> None:
    read = []

    def endless() -> Iterator[tuple[str, str]]:
        for number in range(1_000_000):
            read.append(number)
            yield ("pulse", f"unknown-{number}")

    results = cancel_many(endless(), concurrency=2, **where(sandbox))
    for _ in range(20):
        assert Outcome.NOT_FOUND is next(results).outcome
    results.close()
    assert len(read) < 1500


@pytest.mark.usefixtures("_by_either_transport")
def test_closing_early_sends_nothing_more(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 50)
    results = cancel_many(jobs, concurrency=2, **where(sandbox))
    next(results)
    results.close()
    time.sleep(0.2)  # what was on its way arrives
    sent = len(about(sandbox, *jobs))
    time.sleep(0.05)
    assert sent == len(about(sandbox, *jobs)) < 50
    assert not any(t.name.startswith("jobcancel-reader") for t in threading.enumerate())


def test_a_bad_item_is_raised_after_the_results_before_it(sandbox: Sandbox) -> None:
    results = cancel_many([*submit(sandbox, "pulse", 3), ("plse", "1")], **where(sandbox))
    assert {Outcome.CANCELLED: 3} == counted([next(results) for _ in range(3)])
    with pytest.raises(UnknownProvider, match="'plse'"):
        next(results)


@pytest.mark.parametrize("item", ["pulse", ("pulse",), ("pulse", "1", "2"), 7])
def test_what_is_no_job_is_a_type_error(sandbox: Sandbox, item: Any) -> None:
    with pytest.raises(TypeError, match="a job must be a Job or a pair"):
        list(cancel_many([item], **where(sandbox)))


def test_an_error_of_the_iterable_surfaces(sandbox: Sandbox) -> None:
    def broken() -> Iterator[tuple[str, str]]:
        yield from submit(sandbox, "pulse", 2)
        raise ZeroDivisionError

    results = cancel_many(broken(), **where(sandbox))
    assert {Outcome.CANCELLED: 2} == counted([next(results), next(results)])
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"concurrency": 0}, "concurrency must be 1 or more, not 0"),
        ({"concurrency": 1.5}, "concurrency must be a whole number, not 1.5"),
        ({"max_wait": -1}, "max_wait must be 0 seconds or more, not -1"),
        ({"max_wait": "60"}, "max_wait must be a number of seconds, not '60'"),
        ({"rate": "fast"}, "rate 'fast' is invalid; expected a rate such as '60/s'"),
        ({"rate": {"plse": "5/s"}}, "no provider 'plse'; did you mean 'pulse'?"),
    ],
)
def test_wrong_limits_are_refused_at_once(limits: dict[str, Any], message: str) -> None:
    for call in (cancel_many, acancel_many):
        with pytest.raises((ConfigurationError, UnknownProvider)) as caught:
            call([], **limits)
        assert message in str(caught.value)


def test_no_jobs_are_no_results(sandbox: Sandbox) -> None:
    assert [] == list(cancel_many([], **where(sandbox)))


# Limits and outages


def test_a_limited_vendor_holds_up_its_own_jobs_only(sandbox: Sandbox) -> None:
    limited = submit(sandbox, "pulse", 1)[0]
    sandbox.fault("pulse", limited[1], Fault(status=429, headers={"retry-after": "1"}))
    jobs = [limited, *submit(sandbox, "pulse", 20), *submit(sandbox, "talonic", 20)]
    results = list(cancel_many(jobs, concurrency=4, **where(sandbox)))
    assert {Outcome.CANCELLED: 41} == counted(results)
    order = [result.provider for result in results]
    assert ["talonic"] * 20 == [p for p in order if p == "talonic"]
    assert order.index("talonic") < 20
    assert limited[1] in {result.job_id for result in results[20:]}
    assert {1} == {result.attempts for result in results}


def test_a_wait_that_is_too_long_is_told_and_not_sat_out() -> None:
    with Sandbox(quotas={MAIN_KEYS["pulse"]: Quota(per_day=5)}) as sandbox:
        jobs = [*submit(sandbox, "pulse", 40), *submit(sandbox, "talonic", 5)]
        began = time.monotonic()
        results = list(cancel_many(jobs, concurrency=4, max_wait=2, **where(sandbox)))
        assert time.monotonic() - began < 10
        assert {Outcome.CANCELLED: 10, Outcome.RATE_LIMITED: 35} == counted(results)
        limited = [r for r in results if r.outcome is Outcome.RATE_LIMITED]
        assert all(r.retry_after is not None and r.retry_after > 2 for r in limited)
        assert len(sandbox.requests) < 20


def test_a_header_that_says_that_nothing_is_left_is_believed() -> None:
    with Sandbox(quotas={MAIN_KEYS["talonic"]: Quota(per_day=5)}) as sandbox:
        jobs = submit(sandbox, "talonic", 20)
        results = list(cancel_many(jobs, concurrency=1, max_wait=2, **where(sandbox)))
        assert {Outcome.CANCELLED: 5, Outcome.RATE_LIMITED: 15} == counted(results)
        assert 5 == len(sandbox.requests)


@pytest.mark.usefixtures("_by_either_transport")
def test_a_limit_is_kept_to_and_every_job_gets_through() -> None:
    with Sandbox(quotas={MAIN_KEYS["pulse"]: Quota(per_second=200, burst=20)}) as sandbox:
        jobs = submit(sandbox, "pulse", 100)
        results = list(cancel_many(jobs, concurrency=30, **where(sandbox)))
        assert {Outcome.CANCELLED: 100} == counted(results)
        assert sum(request.status == 429 for request in sandbox.requests) <= 60


def test_a_fixed_rate_is_kept(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 30)
    began = time.monotonic()
    results = list(cancel_many(jobs, rate={"pulse": "100/s"}, **where(sandbox)))
    assert time.monotonic() - began >= 0.28
    assert {Outcome.CANCELLED: 30} == counted(results)


@pytest.mark.usefixtures("_by_either_transport")
def test_a_vendor_that_is_down_is_noticed_once_for_all_its_jobs(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}"
    jobs = [("pulse", f"job-{number}") for number in range(500)]
    jobs += submit(sandbox, "talonic", 5)
    urls = {**sandbox.base_urls, "pulse": nowhere}
    results = list(cancel_many(jobs, base_urls=urls, api_keys=sandbox.api_keys, deadline=1))
    assert {Outcome.UNKNOWN: 500, Outcome.CANCELLED: 5} == counted(results)
    assert any("the vendor is down" in result.message for result in results)


def test_a_rate_limit_in_the_middle_of_a_job_is_left_to_its_flow(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault("pulse", job[1], Fault(drop=True))
    limit = Fault(status=429, headers={"retry-after": "1"})
    sandbox.fault("pulse", job[1], limit, on="status")
    (result,) = cancel_many([job], **where(sandbox))
    assert (Outcome.CANCELLED, 2) == (result.outcome, result.attempts)


# Where it runs


@pytest.mark.usefixtures("_by_either_transport")
def test_it_works_where_an_event_loop_runs_already(sandbox: Sandbox) -> None:
    async def run() -> list[CancelResult]:
        return list(cancel_many(submit(sandbox, "pulse", 3), **where(sandbox)))

    assert {Outcome.CANCELLED: 3} == counted(asyncio.run(run()))


def test_async_code_may_give_an_async_iterable(sandbox: Sandbox) -> None:
    async def jobs() -> AsyncIterator[tuple[str, str]]:
        for job in submit(sandbox, "pulse", 70):
            yield job

    async def run() -> list[CancelResult]:
        return [result async for result in acancel_many(jobs(), **where(sandbox))]

    assert {Outcome.CANCELLED: 70} == counted(asyncio.run(run()))


def test_async_code_may_leave_the_loop_early(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 50)

    async def run() -> None:
        async with AsyncCanceller(**where(sandbox)) as canceller:
            results = canceller.cancel_many(jobs, concurrency=2)
            async for _ in results:
                break
            await results.aclose()
            assert {asyncio.current_task()} == asyncio.all_tasks()

    asyncio.run(run())
    assert len(about(sandbox, *jobs)) < 50


def test_a_cancelled_task_abandons_its_jobs(sandbox: Sandbox) -> None:
    (stalled,) = submit(sandbox, "pulse", 1)
    sandbox.fault("pulse", stalled[1], Fault(stall=60.0))

    async def run() -> None:
        async with AsyncCanceller(**where(sandbox)) as canceller:
            async with asyncio.timeout(0.3):
                async for _ in canceller.cancel_many([stalled]):
                    pass

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_a_hundred_and_fifty_requests_may_be_in_flight(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 150)
    for _, job_id in jobs:
        sandbox.fault("pulse", job_id, Fault(stall=0.2))
    began = time.monotonic()
    results = list(cancel_many(jobs, concurrency=150, **where(sandbox)))
    assert {Outcome.CANCELLED: 150} == counted(results)
    assert time.monotonic() - began < 150 * 0.2 / 3  # of the time that one by one takes


def test_a_client_of_ones_own_sends_when_it_is_async(sandbox: Sandbox) -> None:
    async def run() -> list[CancelResult]:
        async with (
            httpx.AsyncClient() as own,
            AsyncCanceller(http_client=own, **where(sandbox)) as canceller,
        ):
            return [r async for r in canceller.cancel_many(submit(sandbox, "pulse", 5))]

    assert {Outcome.CANCELLED: 5} == counted(asyncio.run(run()))


def test_a_sync_client_of_ones_own_cannot_send_many() -> None:
    message = r"use AsyncCanceller\(http_client=...\)"
    with httpx.Client() as own, Canceller(http_client=own) as canceller:  # noqa: SIM117
        with pytest.raises(ConfigurationError, match=message):
            canceller.cancel_many([])


def test_under_trio_the_error_says_what_to_use() -> None:
    async def run() -> None:
        await anext(acancel_many([]))

    with pytest.raises(ConfigurationError, match="use cancel_many in a thread"):
        anyio.run(run, backend="trio")


def test_a_job_that_has_rested_waits_for_a_free_place(sandbox: Sandbox) -> None:
    first, second = submit(sandbox, "pulse", 2)
    sandbox.fault(*first, Fault(status=503, headers={"retry-after": "0.1"}))
    sandbox.fault(*second, Fault(stall=0.5))
    results = cancel_many([first, second], concurrency=1, **where(sandbox))
    assert [second[1], first[1]] == [result.job_id for result in results]


def test_of_very_many_jobs_the_last_thousand_are_remembered(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 1100)
    again = [jobs[-1], jobs[0]]
    assert {Outcome.CANCELLED: 1102} == counted(
        list(cancel_many([*jobs, *again], **where(sandbox)))
    )


# Stopping


def stalled(sandbox: Sandbox, seconds: float) -> tuple[str, str]:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(stall=seconds))
    return job


def until_asked(sandbox: Sandbox, job: tuple[str, str]) -> None:
    while not any(job[1] in request.path for request in sandbox.requests):
        time.sleep(0.01)


@contextmanager
def stopped_when_asked(
    sandbox: Sandbox, job: tuple[str, str], results: CancelResults, after: float = 0.0
) -> Iterator[None]:
    """Stop the run some seconds after the job's first request."""

    def stop() -> None:
        until_asked(sandbox, job)
        time.sleep(after)
        results.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    yield
    stopper.join()


def test_a_stop_sends_nothing_more_and_waits_for_what_is_on_its_way(sandbox: Sandbox) -> None:
    first, job = *submit(sandbox, "pulse", 1), stalled(sandbox, 0.3)
    jobs = [first, job, *submit(sandbox, "pulse", 50)]
    results = cancel_many(jobs, concurrency=1, **where(sandbox))
    with results:
        assert first[1] == next(results).job_id
        until_asked(sandbox, job)
        results.stop()
        assert [(job[1], Outcome.CANCELLED)] == [(r.job_id, r.outcome) for r in results]
    assert 2 == len(about(sandbox, *jobs))
    results.stop()


def test_a_stop_before_the_first_result_is_asked_for_sends_nothing(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 3)
    results = cancel_many(jobs, **where(sandbox))
    results.stop()
    assert [] == list(results)
    assert [] == about(sandbox, *jobs)


@pytest.mark.usefixtures("_by_either_transport")
def test_what_a_stop_leaves_unsettled_is_unknown(sandbox: Sandbox) -> None:
    """A reply was lost: whether the job is stopped would be read, but nothing more is sent."""
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(drop=True, stall=0.3))
    results = cancel_many([job], **where(sandbox))
    with stopped_when_asked(sandbox, job, results):
        (result,) = results
    assert (Outcome.UNKNOWN, 1) == (result.outcome, len(about(sandbox, job)))
    assert "stopped before the outcome was known" in result.message


@pytest.mark.usefixtures("_by_either_transport")
def test_a_stop_ends_a_wait_between_two_requests(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(status=503, headers={"retry-after": "25"}), times=None)
    results = cancel_many([job], **where(sandbox))
    began = time.monotonic()
    with stopped_when_asked(sandbox, job, results, after=0.2):
        (result,) = results
    assert Outcome.UNKNOWN is result.outcome
    assert time.monotonic() - began < 10


def test_a_refused_job_is_rate_limited_after_a_stop(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(status=429, stall=0.3, headers={"retry-after": "7"}))
    results = cancel_many([job], **where(sandbox))
    with stopped_when_asked(sandbox, job, results):
        (result,) = results
    assert (Outcome.RATE_LIMITED, 1, 429) == (result.outcome, result.attempts, result.status_code)
    assert (7.0, 1) == (result.retry_after, len(about(sandbox, job)))


def test_async_code_may_stop_a_run(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 200)

    async def run() -> int:
        async with acancel_many(jobs, concurrency=2, **where(sandbox)) as results:
            await anext(results)
            results.stop()
            return 1 + len([result async for result in results])

    assert asyncio.run(run()) == len(about(sandbox, *jobs)) < 200
