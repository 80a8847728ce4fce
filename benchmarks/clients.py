"""How each contestant cancels many jobs: the code that a programmer would write with that client.

Every function cancels the jobs with at most `concurrency` requests in flight and returns the number
of cancelled jobs. Libraries are imported where they are used, so that a contestant's process loads
only its own.
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
# The retries of a patient client: more than any job needs.
_PATIENT = 100


def job_ids(count: int) -> Iterator[str]:
    """Generate `count` job ids lazily."""
    return (f"abc123-def456-{number:09d}" for number in range(count))


async def gathered(ids: Iterable[str], concurrency: int, cancel: Cancel) -> int:
    """Start a task for each job; run at most `concurrency` of them at once."""
    free = asyncio.Semaphore(concurrency)

    async def one(job_id: str) -> bool:
        async with free:
            return await cancel(job_id)

    return sum(await asyncio.gather(*map(one, ids)))


async def naive_httpx(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use one `httpx.AsyncClient` with its defaults, without retries."""
    import httpx

    async with httpx.AsyncClient(headers=_HEADERS) as client:

        async def cancel(job_id: str) -> bool:
            return (await client.delete(f"{url}/job/{job_id}")).is_success

        return await gathered(ids, concurrency, cancel)


async def bare_aiohttp(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use one `aiohttp.ClientSession` with its defaults, without retries."""
    import aiohttp

    async with aiohttp.ClientSession(headers=_HEADERS) as session:

        async def cancel(job_id: str) -> bool:
            async with session.delete(f"{url}/job/{job_id}") as reply:
                await reply.read()
                return reply.status == HTTPStatus.OK

        return await gathered(ids, concurrency, cancel)


async def pulse_httpx(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use the vendor's SDK on httpx, its default without httpx-aiohttp."""
    from pulse import AsyncPulse, DefaultAsyncHttpxClient

    async with DefaultAsyncHttpxClient() as client:
        pulse = AsyncPulse(api_key=KEY, base_url=url, httpx_client=client)
        return await _with_pulse(pulse, ids, concurrency)


async def pulse_aiohttp(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use the vendor's SDK on httpx-aiohttp, its default if that is installed."""
    from pulse import AsyncPulse, DefaultAioHttpClient

    async with DefaultAioHttpClient() as client:
        pulse = AsyncPulse(api_key=KEY, base_url=url, httpx_client=client)
        return await _with_pulse(pulse, ids, concurrency)


async def pulse_patient(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use the vendor's SDK with enough retries for every refused request."""
    from pulse import AsyncPulse, DefaultAioHttpClient

    async with DefaultAioHttpClient() as client:
        pulse = AsyncPulse(api_key=KEY, base_url=url, httpx_client=client)
        return await _with_pulse(pulse, ids, concurrency, retries=_PATIENT)


async def _with_pulse(
    pulse: AsyncPulse, ids: Iterable[str], concurrency: int, *, retries: int | None = None
) -> int:
    from pulse.core.api_error import ApiError
    from pulse.core.request_options import RequestOptions

    # Passed to each call: pulse-python-sdk 1.0.17 also accepts `max_retries` in the constructor of
    # its client, but ignores it there (core/client_wrapper.py).
    options = None if retries is None else RequestOptions(max_retries=retries)

    async def cancel(job_id: str) -> bool:
        try:
            reply = await pulse.jobs.cancel_job(job_id, request_options=options)
        except ApiError:  # refused more often than it retries
            return False
        return bool(reply.job_id == job_id)

    return await gathered(ids, concurrency, cancel)


async def acancel_many(url: str, ids: Iterable[str], concurrency: int) -> int:
    """Use `jobcancel.acancel_many`; the environment chooses its transport."""
    cancelled = 0
    async for accepted in outcomes(url, ids, concurrency):
        cancelled += accepted
    return cancelled


async def outcomes(url: str, ids: Iterable[str], concurrency: int) -> AsyncIterator[bool]:
    """Yield for each result of `jobcancel.acancel_many` whether the job was cancelled."""
    import jobcancel

    async for result in jobcancel.acancel_many(
        (("pulse", job_id) for job_id in ids),
        concurrency=concurrency,
        api_keys={"pulse": KEY},
        base_urls={"pulse": url},
    ):
        yield result.outcome is jobcancel.Outcome.CANCELLED
