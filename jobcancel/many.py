"""`cancel_many` for sync code and for async code: how jobs get into `bulk` and results out.

Sync code runs the asynchronous one in a thread, so it also works where the caller's thread
runs an event loop of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import TYPE_CHECKING, Any, Self

from attrs import define, frozen

from jobcancel.bulk import Bulk
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.items import Item, ReadInThread, iterate
from jobcancel.models import CancelResult, Job
from jobcancel.pace import rates
from jobcancel.registry import check_known
from jobcancel.transport import AsyncClients

if TYPE_CHECKING:
    from jobcancel.http import AsyncHttpClient
    from jobcancel.prepare import Call, Client


@frozen
class Limits:
    """How many and how fast.

    Args:
        concurrency: requests in flight at the most, over all vendors.
        rate: requests a second, such as `"60/s"`, or such a text by provider.
        max_wait: seconds that a rate limit is waited out at the most.

    Raises:
        ConfigurationError: one of them cannot be right.
        UnknownProvider: there is no such provider as one that has a rate.
    """

    concurrency: int
    rate: str | Mapping[str, str] | None
    max_wait: float

    def __attrs_post_init__(self) -> None:
        if isinstance(self.concurrency, bool) or not isinstance(self.concurrency, int):
            raise WrongType(f"concurrency must be a whole number, not {self.concurrency!r}")
        if self.concurrency < 1:
            raise ConfigurationError(f"concurrency must be 1 or more, not {self.concurrency!r}")
        if isinstance(self.max_wait, bool) or not isinstance(self.max_wait, int | float):
            raise WrongType(f"max_wait must be a number of seconds, not {self.max_wait!r}")
        if not self.max_wait >= 0:
            raise ConfigurationError(f"max_wait must be 0 seconds or more, not {self.max_wait!r}")
        for provider in filter(None, rates(self.rate)):
            check_known(provider)


@define
class _Stopping:
    """Whether a run is to stop, and how to tell it."""

    asked: bool = False
    tell: Callable[[], object] | None = None

    def begin(self, bulk: Bulk) -> None:
        """Take note of the run, in its event loop."""
        loop = asyncio.get_running_loop()
        self.tell = lambda: loop.call_soon_threadsafe(bulk.finish)
        if self.asked:
            bulk.finish()

    def ask(self) -> None:
        """Ask the run to stop, from any thread."""
        self.asked = True
        if self.tell is not None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed: it has ended
                self.tell()


class CancelResults(Iterator[CancelResult]):
    """The results of `cancel_many`: an iterator that gives each as soon as it is known.

    Nothing is sent before the first is asked for.
    """

    def __init__(self, client: Client[Any, Any], jobs: Iterable[Item], limits: Limits) -> None:
        self._stopping = _Stopping()
        self._results = _in_thread(client, jobs, limits, self._stopping)

    def __next__(self) -> CancelResult:
        return next(self._results)

    def stop(self) -> None:
        """Send nothing more; the results that are known or on their way still come.

        Jobs whose cancel was sent but not settled by then are `unknown`, or `cancelling` if it was
        accepted; jobs for which nothing was sent have no result. May be called from another thread
        or from a signal handler.
        """
        self._stopping.ask()

    def close(self) -> None:
        """Send nothing more, and abandon what is on its way; so does leaving a `with`."""
        self._results.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncCancelResults(AsyncIterator[CancelResult]):
    """The results of `acancel_many`: an asynchronous iterator, else as `CancelResults`.

    Args:
        client: sends.
        jobs: what to cancel.
        limits: how many and how fast.
        then: what to do at the end.
    """

    def __init__(
        self,
        client: Client[AsyncHttpClient, AsyncClients],
        jobs: Iterable[Item] | AsyncIterable[Item],
        limits: Limits,
        *,
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._stopping = _Stopping()
        self._results = _in_loop(client, jobs, limits, self._stopping, then=then)

    async def __anext__(self) -> CancelResult:
        return await anext(self._results)

    def stop(self) -> None:
        """Send nothing more; the results that are known or on their way still come.

        As `CancelResults.stop`.
        """
        self._stopping.ask()

    async def aclose(self) -> None:
        """Send nothing more, and abandon what is on its way; so does leaving an `async with`."""
        await self._results.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _in_loop(
    client: Client[AsyncHttpClient, AsyncClients],
    jobs: Iterable[Item] | AsyncIterable[Item],
    limits: Limits,
    stopping: _Stopping,
    *,
    then: Callable[[], Awaitable[None]] | None,
) -> AsyncGenerator[CancelResult]:
    """Cancel many jobs in this event loop, which must be asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "acancel_many runs under asyncio only; elsewhere use cancel_many in a thread"
        ) from None
    bulk = _bulk(client, iterate(jobs), client.http(), limits)
    stopping.begin(bulk)
    try:
        while some := await bulk.some():
            for result in some:
                yield result
    finally:
        await bulk.stop()
        if then is not None:
            await then()


def _in_thread(
    client: Client[Any, Any], jobs: Iterable[Item], limits: Limits, stopping: _Stopping
) -> Generator[CancelResult]:
    """Cancel many jobs in an event loop in a thread."""
    from anyio.from_thread import start_blocking_portal  # comes with httpx

    async def start() -> Bulk:
        bulk = _bulk(client, aiter(ReadInThread(jobs)), AsyncClients(), limits)
        stopping.begin(bulk)
        return bulk

    async def stop() -> None:
        await bulk.stop()
        await bulk.client.aclose()

    with start_blocking_portal("asyncio") as portal:
        bulk = portal.call(start)
        try:
            while some := portal.call(bulk.some):
                yield from some
        finally:
            portal.call(stop)


def _bulk(
    client: Client[Any, Any],
    items: AsyncIterator[Item],
    http: AsyncHttpClient | AsyncClients,
    limits: Limits,
) -> Bulk:
    if isinstance(http, AsyncClients):
        http.allow(limits.concurrency)
    return Bulk(
        items=items,
        prepare=lambda item: prepared(client, item),
        client=http,
        clock=client.clock,
        concurrency=limits.concurrency,
        rates=rates(limits.rate),
        max_wait=limits.max_wait,
    )


async def prepared(client: Client[Any, Any], item: object) -> Call:
    """Return the call that cancels one item.

    Raises:
        JobCancelError: it cannot be a job, or not one of a known provider.
    """
    job = item if isinstance(item, Job) else _pair(item)
    return await client.prepare(job.provider, job.job_id, params=job.params).aasked()


def _pair(item: object) -> Job:
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004 - a pair
        return Job(*item)
    raise WrongType(f"a job must be a Job or a pair (provider, job_id), not {item!r}")
