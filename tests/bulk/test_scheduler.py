"""Runs against a simulated vendor in this process, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx

from jobcancel import AsyncCanceller, CancelResult, JobState, Outcome
from jobcancel.retry import Clock
from tests.virtual import CANCELLED, now, play, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable


def canceller_with(http_client: httpx.AsyncClient, **settings: Any) -> AsyncCanceller:
    canceller = AsyncCanceller(
        http_client=http_client,
        api_keys={"pulse": "key"},
        base_urls={"pulse": "https://vendor.example"},
        **settings,
    )
    canceller.clock = Clock(monotonic=now, wall=lambda: 1_790_000_000.0 + now())
    return canceller


class Vendor:
    """Answers with a function; records the time of each request and of the run's end."""

    def __init__(self, answer: Callable[[Vendor, str, str], Awaitable[httpx.Response]]) -> None:
        self.answer = answer
        self.requests: list[tuple[str, str, float]] = []
        self.ended = 0.0

    def times(self, job_id: str) -> int:
        return sum(job_id == asked for _, asked, _ in self.requests)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        job_id = request.url.path.rpartition("/")[2]
        self.requests.append((request.method, job_id, now()))
        return await self.answer(self, request.method, job_id)


async def run(
    vendor: Vendor, jobs: Iterable[str] | AsyncIterator[str], **settings: Any
) -> AsyncIterator[CancelResult]:
    async def pairs() -> AsyncIterator[tuple[str, str]]:
        if hasattr(jobs, "__aiter__"):
            async for job_id in jobs:
                yield ("pulse", job_id)
        else:
            for job_id in jobs:
                yield ("pulse", job_id)

    limits = {name: settings.pop(name) for name in ("rate", "concurrency") if name in settings}
    async with httpx.AsyncClient(transport=httpx.MockTransport(vendor)) as http_client:
        canceller = canceller_with(http_client, **settings)
        async for result in canceller.cancel_many(pairs(), **limits):
            yield result


def results_of(vendor: Vendor, jobs: Iterable[str], **settings: Any) -> list[CancelResult]:
    async def collect() -> list[CancelResult]:
        results = [result async for result in run(vendor, jobs, **settings)]
        vendor.ended = now()
        return results

    return play(collect())


def test_a_duplicate_of_a_failed_cancel_is_sent_again() -> None:
    async def answer(vendor: Vendor, _method: str, job_id: str) -> httpx.Response:
        if vendor.times(job_id) == 1:
            return reply(401, {"message": "no"})
        return reply(200, CANCELLED)

    async def again() -> list[Outcome]:
        given: asyncio.Queue[str] = asyncio.Queue()
        given.put_nowait("1")

        async def jobs() -> AsyncIterator[str]:
            for _ in range(3):
                yield await given.get()

        outcomes = []
        async for result in run(vendor, jobs()):
            outcomes.append(result.outcome)
            given.put_nowait(result.job_id)
        return outcomes

    vendor = Vendor(answer)
    assert [Outcome.UNAUTHORIZED, Outcome.CANCELLED, Outcome.CANCELLED] == play(again())
    assert ["DELETE", "DELETE"] == [method for method, *_ in vendor.requests]


def test_every_job_survives_a_short_outage() -> None:
    async def answer(_vendor: Vendor, _method: str, _job_id: str) -> httpx.Response:
        await asyncio.sleep(0.005)
        if 0.05 < now() < 0.2:
            raise httpx.ConnectError("refused")
        return reply(200, CANCELLED)

    results = results_of(Vendor(answer), map(str, range(1000)))
    assert {Outcome.CANCELLED: 1000} == Counter(result.outcome for result in results)


def test_status_reads_count_toward_the_rate_and_precede_new_jobs() -> None:
    async def answer(vendor: Vendor, method: str, job_id: str) -> httpx.Response:
        if method == "DELETE":
            return reply(200, CANCELLED)
        word = "processing" if vendor.times(job_id) < 3 else "canceled"
        return reply(200, {"job_id": job_id, "status": word})

    vendor = Vendor(answer)
    results = results_of(vendor, ["0", "1"], rate="4/s", verify=True)
    assert {(Outcome.CANCELLED, True)} == {(each.outcome, each.verified) for each in results}
    sent = [at for *_, at in vendor.requests]
    assert all(later - at > 0.2 for at, later in itertools.pairwise(sent))
    assert [("DELETE", "0"), ("GET", "0")] == [request[:2] for request in vendor.requests[:2]]


def test_a_status_read_is_sent_while_the_lane_is_rate_limited() -> None:
    limited = asyncio.Event()

    async def answer(_vendor: Vendor, method: str, job_id: str) -> httpx.Response:
        if job_id == "limited":
            limited.set()
            return reply(429, retry_after="7200")
        if method == "GET":
            return reply(200, {"job_id": job_id, "status": "canceled"})
        await limited.wait()
        await asyncio.sleep(0.1)
        return reply(500)

    vendor = Vendor(answer)
    results = {each.job_id: each for each in results_of(vendor, ["limited", "in-doubt"])}
    assert Outcome.CANCELLED is results["in-doubt"].outcome
    assert Outcome.RATE_LIMITED is results["limited"].outcome
    assert vendor.ended < 10


def test_a_retry_after_received_after_stop_is_not_waited_for() -> None:
    """Between the stop and that reply, another reply shows that the vendor is up."""
    held = asyncio.Event()

    async def answer(vendor: Vendor, method: str, job_id: str) -> httpx.Response:
        if job_id == "quick":
            await held.wait()
            return reply(200, CANCELLED)
        if method == "GET":
            return reply(200, {"job_id": job_id, "status": "processing"})
        if vendor.times(job_id) == 1:
            return reply(500)
        held.set()
        await asyncio.sleep(0.2)
        return reply(429, retry_after="20")

    async def stop() -> dict[str, Outcome]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(vendor)) as http_client:
            canceller = canceller_with(http_client)
            results = canceller.cancel_many([("pulse", "quick"), ("pulse", "slow")])
            first = asyncio.create_task(anext(results))
            await held.wait()
            results.stop()
            received = [await first] + [result async for result in results]
            vendor.ended = now()
            return {result.job_id: result.outcome for result in received}

    vendor = Vendor(answer)
    assert {"quick": Outcome.CANCELLED, "slow": Outcome.UNKNOWN} == play(stop())
    assert vendor.ended < 10


def test_an_accepted_job_waiting_to_be_verified_is_cancelling_after_stop() -> None:
    async def answer(_vendor: Vendor, _method: str, _job_id: str) -> httpx.Response:
        return reply(200, CANCELLED)

    async def stop() -> CancelResult:
        async with httpx.AsyncClient(transport=httpx.MockTransport(vendor)) as http_client:
            canceller = canceller_with(http_client, verify=True)
            results = canceller.cancel_many([("pulse", "1")], rate="6/min")
            asyncio.get_running_loop().call_later(0.2, results.stop)
            return await anext(results)

    vendor = Vendor(answer)
    result = play(stop())
    assert (Outcome.CANCELLING, ["DELETE"]) == (
        result.outcome,
        [sent[0] for sent in vendor.requests],
    )


def test_a_result_after_stop_has_the_last_reply_and_state() -> None:
    async def answer(_vendor: Vendor, method: str, job_id: str) -> httpx.Response:
        if method == "DELETE":
            return reply(503, retry_after="20")
        return reply(200, {"job_id": job_id, "status": "processing"})

    async def stop() -> CancelResult:
        async with httpx.AsyncClient(transport=httpx.MockTransport(vendor)) as http_client:
            canceller = canceller_with(http_client)
            results = canceller.cancel_many([("pulse", "1")])
            asyncio.get_running_loop().call_later(0.2, results.stop)
            return await anext(results)

    vendor = Vendor(answer)
    result = play(stop())
    assert (Outcome.UNKNOWN, 1, 503) == (result.outcome, result.attempts, result.status_code)
    assert JobState.RUNNING is result.state
    assert result.message.endswith("; the run was stopped before the outcome was known")
    assert result.elapsed > 0
