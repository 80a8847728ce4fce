"""How each contestant cancels many jobs: what a programmer would write with that client.

Every function cancels the jobs with at most `concurrency` requests under way and returns how
many were cancelled. Libraries are imported where they are used, so that a contestant's process
loads its own only.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from pulse import AsyncPulse

    Cancel = Callable[[str], Awaitable[bool]]

KEY = "benchmark"
_HEADERS = {"x-api-key": KEY}
# A client that is told to be patient: more retries than any job needs.
_PATIENT = 100


def job_ids(count: int) -> Iterator[str]:
    """Make the ids of so many jobs, one when it is asked for."""
    return (f"abc123-def456-{number:09d}" for number in range(count))


async def _gathered(ids: Iterable[str], concurrency: int, cancel: Cancel) -> int:
    """Start a task for each job and let so many of them through at a time."""
    free = asyncio.Semaphore(concurrency)

    async def one(job_id: str) -> bool:
        async with free:
            return await cancel(job_id)

    return sum(await asyncio.gather(*map(one, ids)))


async def naive_httpx(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use one `httpx.AsyncClient` as it comes, without retries."""
    import httpx

    async with httpx.AsyncClient(headers=_HEADERS) as client:

        async def cancel(job_id: str) -> bool:
            return (await client.delete(f"{url}/job/{job_id}")).is_success

        return await _gathered(ids, concurrency, cancel)


async def bare_aiohttp(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use one `aiohttp.ClientSession` as it comes, without retries."""
    import aiohttp

    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def cancel(job_id: str) -> bool:
            async with session.delete(f"{url}/job/{job_id}") as reply:
                await reply.read()
                return reply.status == HTTPStatus.OK

        return await _gathered(ids, concurrency, cancel)


async def pulse_httpx(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use the vendor's SDK on its own httpx client, its default without httpx-aiohttp."""
    from pulse import AsyncPulse, DefaultAsyncHttpxClient

    async with DefaultAsyncHttpxClient() as client:
        pulse = AsyncPulse(api_key=KEY, base_url=url, httpx_client=client)
        return await _with_pulse(pulse, ids, concurrency)


async def pulse_aiohttp(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use the vendor's SDK on httpx-aiohttp, its default where that is installed."""
    from pulse import AsyncPulse, DefaultAioHttpClient

    async with DefaultAioHttpClient() as client:
        pulse = AsyncPulse(api_key=KEY, base_url=url, httpx_client=client)
        return await _with_pulse(pulse, ids, concurrency)


async def pulse_patient(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use the vendor's SDK, told to repeat what is refused as often as need be."""
    from pulse import AsyncPulse, DefaultAioHttpClient

    async with DefaultAioHttpClient() as client:
        pulse = AsyncPulse(api_key=KEY, base_url=url, httpx_client=client)
        return await _with_pulse(pulse, ids, concurrency, retries=_PATIENT)


async def _with_pulse(
    pulse: AsyncPulse, ids: Iterable[str], concurrency: int, *, retries: int | None = None
) -> int:
    from pulse.core.api_error import ApiError
    from pulse.core.request_options import RequestOptions

    # Given to each call: pulse-python-sdk 1.0.17 takes `max_retries` in its client's constructor
    # too, but does not use it (core/client_wrapper.py).
    options = None if retries is None else RequestOptions(max_retries=retries)

    async def cancel(job_id: str) -> bool:
        try:
            reply = await pulse.jobs.cancel_job(job_id, request_options=options)
        except ApiError:  # refused more often than it retries
            return False
        return bool(reply.job_id == job_id)

    return await _gathered(ids, concurrency, cancel)


async def acancel_many(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use `jobcancel.acancel_many`; the environment chooses its transport."""
    cancelled = 0
    async for accepted in outcomes(url, ids, concurrency):
        cancelled += accepted
    return cancelled


async def outcomes(url: str, ids: Iterable[str], concurrency: int) -> AsyncIterator[bool]:
    """Tell of each job whether `jobcancel.acancel_many` cancelled it, as it is settled."""
    import jobcancel

    async for result in jobcancel.acancel_many(
        (("pulse", job_id) for job_id in ids),
        concurrency=concurrency,
        api_keys={"pulse": KEY},
        base_urls={"pulse": url},
    ):
        yield result.outcome is jobcancel.Outcome.CANCELLED
