"""cancel_many against the sandbox: each job has exactly one result with its true outcome."""

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
    """Return the requests for these jobs; abandoned requests of earlier tests may still arrive."""
    return [r for r in sandbox.requests if r.path.rpartition("/")[2] in {job[1] for job in jobs}]


def test_items_may_be_jobs_or_pairs(sandbox: Sandbox) -> None:
    (pair,) = submit(sandbox, "pulse", 1)
    job = Job(*submit(sandbox, "talonic", 1)[0])
    assert {Outcome.CANCELLED: 2} == counted(list(cancel_many([pair, job], **where(sandbox))))


def test_a_duplicate_job_is_sent_once_and_yielded_each_time(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 3)
    results = list(cancel_many([*jobs, *jobs, *jobs], concurrency=1, **where(sandbox)))
    assert {Outcome.CANCELLED: 9} == counted(results)
    assert 3 == len(about(sandbox, *jobs))


def test_a_recent_duplicate_is_answered_from_memory(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)

    def twice() -> Iterator[tuple[str, str]]:
        yield job
        while not (sent := about(sandbox, job)) or sent[-1].status is None:
            time.sleep(0.01)
        time.sleep(0.2)
        yield job

    assert {Outcome.CANCELLED: 2} == counted(list(cancel_many(twice(), **where(sandbox))))
    assert 1 == len(about(sandbox, job))


def test_read_ahead_is_bounded(sandbox: Sandbox) -> None:
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
def test_nothing_is_sent_after_an_early_close(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 50)
    results = cancel_many(jobs, concurrency=2, **where(sandbox))
    next(results)
    results.close()
    time.sleep(0.2)  # until requests in flight have arrived
    sent = len(about(sandbox, *jobs))
    time.sleep(0.05)
    assert sent == len(about(sandbox, *jobs)) < 50
    assert not any(t.name.startswith("jobcancel-reader") for t in threading.enumerate())


def test_an_invalid_item_raises_after_the_results_before_it(sandbox: Sandbox) -> None:
    results = cancel_many([*submit(sandbox, "pulse", 3), ("plse", "1")], **where(sandbox))
    assert {Outcome.CANCELLED: 3} == counted([next(results) for _ in range(3)])
    with pytest.raises(UnknownProvider, match="'plse'"):
        next(results)


@pytest.mark.parametrize("item", ["pulse", ("pulse",), ("pulse", "1", "2"), 7])
def test_non_job_item_raises_type_error(sandbox: Sandbox, item: Any) -> None:
    with pytest.raises(TypeError, match="a job must be a Job or a pair"):
        list(cancel_many([item], **where(sandbox)))


def test_an_error_of_the_iterable_is_raised(sandbox: Sandbox) -> None:
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
def test_invalid_limits_raise_at_once(limits: dict[str, Any], message: str) -> None:
    for call in (cancel_many, acancel_many):
        with pytest.raises((ConfigurationError, UnknownProvider)) as caught:
            call([], **limits)
        assert message in str(caught.value)


def test_no_jobs_yield_no_results(sandbox: Sandbox) -> None:
    assert [] == list(cancel_many([], **where(sandbox)))


# Limits and outages


def test_a_rate_limited_vendor_delays_only_its_own_jobs(sandbox: Sandbox) -> None:
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


def test_a_wait_beyond_max_wait_is_rate_limited_at_once() -> None:
    with Sandbox(quotas={MAIN_KEYS["pulse"]: Quota(per_day=5)}) as sandbox:
        jobs = [*submit(sandbox, "pulse", 40), *submit(sandbox, "talonic", 5)]
        began = time.monotonic()
        results = list(cancel_many(jobs, concurrency=4, max_wait=2, **where(sandbox)))
        assert time.monotonic() - began < 10
        assert {Outcome.CANCELLED: 10, Outcome.RATE_LIMITED: 35} == counted(results)
        limited = [r for r in results if r.outcome is Outcome.RATE_LIMITED]
        assert all(r.retry_after is not None and r.retry_after > 2 for r in limited)
        assert len(sandbox.requests) < 20


def test_an_exhausted_quota_header_stops_sending() -> None:
    with Sandbox(quotas={MAIN_KEYS["talonic"]: Quota(per_day=5)}) as sandbox:
        jobs = submit(sandbox, "talonic", 20)
        results = list(cancel_many(jobs, concurrency=1, max_wait=2, **where(sandbox)))
        assert {Outcome.CANCELLED: 5, Outcome.RATE_LIMITED: 15} == counted(results)
        assert 5 == len(sandbox.requests)


@pytest.mark.usefixtures("_by_either_transport")
def test_every_job_gets_through_a_rate_limit() -> None:
    with Sandbox(quotas={MAIN_KEYS["pulse"]: Quota(per_second=200, burst=20)}) as sandbox:
        jobs = submit(sandbox, "pulse", 100)
        results = list(cancel_many(jobs, concurrency=30, **where(sandbox)))
        assert {Outcome.CANCELLED: 100} == counted(results)
        assert sum(request.status == 429 for request in sandbox.requests) <= 60


def test_a_fixed_rate_is_not_exceeded(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 30)
    began = time.monotonic()
    results = list(cancel_many(jobs, rate={"pulse": "100/s"}, **where(sandbox)))
    assert time.monotonic() - began >= 0.28
    assert {Outcome.CANCELLED: 30} == counted(results)


@pytest.mark.usefixtures("_by_either_transport")
def test_all_jobs_of_a_dead_vendor_fail_together(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}"
    jobs = [("pulse", f"job-{number}") for number in range(500)]
    jobs += submit(sandbox, "talonic", 5)
    urls = {**sandbox.base_urls, "pulse": nowhere}
    results = list(cancel_many(jobs, base_urls=urls, api_keys=sandbox.api_keys, deadline=1))
    assert {Outcome.UNKNOWN: 500, Outcome.CANCELLED: 5} == counted(results)
    assert any("the vendor is down" in result.message for result in results)


def test_a_rate_limited_status_read_is_retried(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault("pulse", job[1], Fault(drop=True))
    limit = Fault(status=429, headers={"retry-after": "1"})
    sandbox.fault("pulse", job[1], limit, on="status")
    (result,) = cancel_many([job], **where(sandbox))
    assert (Outcome.CANCELLED, 2) == (result.outcome, result.attempts)


# Event loops and clients


@pytest.mark.usefixtures("_by_either_transport")
def test_cancel_many_works_inside_a_running_event_loop(sandbox: Sandbox) -> None:
    async def run() -> list[CancelResult]:
        return list(cancel_many(submit(sandbox, "pulse", 3), **where(sandbox)))

    assert {Outcome.CANCELLED: 3} == counted(asyncio.run(run()))


def test_jobs_may_be_an_async_iterable(sandbox: Sandbox) -> None:
    async def jobs() -> AsyncIterator[tuple[str, str]]:
        for job in submit(sandbox, "pulse", 70):
            yield job

    async def run() -> list[CancelResult]:
        return [result async for result in acancel_many(jobs(), **where(sandbox))]

    assert {Outcome.CANCELLED: 70} == counted(asyncio.run(run()))


def test_an_async_run_may_be_left_early(sandbox: Sandbox) -> None:
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


def test_150_requests_may_be_in_flight(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 150)
    for _, job_id in jobs:
        sandbox.fault("pulse", job_id, Fault(stall=0.2))
    began = time.monotonic()
    results = list(cancel_many(jobs, concurrency=150, **where(sandbox)))
    assert {Outcome.CANCELLED: 150} == counted(results)
    assert time.monotonic() - began < 150 * 0.2 / 3  # a third of the time of sequential requests


def test_a_custom_async_client_sends_the_requests(sandbox: Sandbox) -> None:
    async def run() -> list[CancelResult]:
        async with (
            httpx.AsyncClient() as own,
            AsyncCanceller(http_client=own, **where(sandbox)) as canceller,
        ):
            return [r async for r in canceller.cancel_many(submit(sandbox, "pulse", 5))]

    assert {Outcome.CANCELLED: 5} == counted(asyncio.run(run()))


def test_a_custom_sync_client_cannot_send_many() -> None:
    message = r"use AsyncCanceller\(http_client=...\)"
    with httpx.Client() as own, Canceller(http_client=own) as canceller:  # noqa: SIM117
        with pytest.raises(ConfigurationError, match=message):
            canceller.cancel_many([])


def test_the_error_under_trio_names_the_alternative() -> None:
    async def run() -> None:
        await anext(acancel_many([]))

    with pytest.raises(ConfigurationError, match="use cancel_many in a thread"):
        anyio.run(run, backend="trio")


def test_a_job_that_backed_off_waits_for_free_capacity(sandbox: Sandbox) -> None:
    first, second = submit(sandbox, "pulse", 2)
    sandbox.fault(*first, Fault(status=503, headers={"retry-after": "0.1"}))
    sandbox.fault(*second, Fault(stall=0.5))
    results = cancel_many([first, second], concurrency=1, **where(sandbox))
    assert [second[1], first[1]] == [result.job_id for result in results]


def test_duplicates_of_recent_and_old_jobs_are_cancelled(sandbox: Sandbox) -> None:
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


def test_stop_sends_nothing_more_and_waits_for_requests_in_flight(sandbox: Sandbox) -> None:
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


def test_stop_before_the_first_result_sends_nothing(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 3)
    results = cancel_many(jobs, **where(sandbox))
    results.stop()
    assert [] == list(results)
    assert [] == about(sandbox, *jobs)


@pytest.mark.usefixtures("_by_either_transport")
def test_a_job_left_inconclusive_by_stop_is_unknown(sandbox: Sandbox) -> None:
    """After a lost reply the status would be read, but nothing is sent after a stop."""
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(drop=True, stall=0.3))
    results = cancel_many([job], **where(sandbox))
    with stopped_when_asked(sandbox, job, results):
        (result,) = results
    assert (Outcome.UNKNOWN, 1) == (result.outcome, len(about(sandbox, job)))
    assert "stopped before the outcome was known" in result.message


@pytest.mark.usefixtures("_by_either_transport")
def test_stop_interrupts_a_wait_between_requests(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(status=503, headers={"retry-after": "25"}), times=None)
    results = cancel_many([job], **where(sandbox))
    began = time.monotonic()
    with stopped_when_asked(sandbox, job, results, after=0.2):
        (result,) = results
    assert Outcome.UNKNOWN is result.outcome
    assert time.monotonic() - began < 10


def test_a_limited_job_is_rate_limited_after_stop(sandbox: Sandbox) -> None:
    (job,) = submit(sandbox, "pulse", 1)
    sandbox.fault(*job, Fault(status=429, stall=0.3, headers={"retry-after": "7"}))
    results = cancel_many([job], **where(sandbox))
    with stopped_when_asked(sandbox, job, results):
        (result,) = results
    assert (Outcome.RATE_LIMITED, 1, 429) == (result.outcome, result.attempts, result.status_code)
    assert (7.0, 1) == (result.retry_after, len(about(sandbox, job)))


def test_an_async_run_may_be_stopped(sandbox: Sandbox) -> None:
    jobs = submit(sandbox, "pulse", 200)

    async def run() -> int:
        async with acancel_many(jobs, concurrency=2, **where(sandbox)) as results:
            await anext(results)
            results.stop()
            return 1 + len([result async for result in results])

    assert asyncio.run(run()) == len(about(sandbox, *jobs)) < 200
