"""`cancel_many` for sync code and for async code: how jobs get into `bulk` and results out.

Sync code runs the asynchronous one in a thread, so it also works where the caller's thread
runs an event loop of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from jobcancel.bulk import Bulk
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.models import CancelResult, Job
from jobcancel.pace import rates
from jobcancel.transport import AsyncClients

if TYPE_CHECKING:
    from jobcancel.prepare import Call, Client
    from jobcancel.transport import AsyncHttpClient

Item: TypeAlias = Job | tuple[str, str]

# Items that are read ahead from a sync iterable.
_READ_AHEAD = 1000
# After so many items of a sync iterable, others get their turn.
_TURN = 64


@frozen
class Limits:
    """How many and how fast.

    Args:
        concurrency: requests in flight at the most, over all vendors.
        rate: requests a second, such as `"60/s"`, or such a text by provider.
        max_wait: seconds that a rate limit is waited out at the most.

    Raises:
        ConfigurationError: one of them cannot be right.
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
        rates(self.rate)


async def run(
    client: Client[Any, Any],
    jobs: Iterable[Item] | AsyncIterable[Item],
    http: Callable[[], AsyncHttpClient | AsyncClients],
    limits: Limits,
) -> AsyncGenerator[CancelResult]:
    """Cancel many jobs in this event loop, which must be asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "acancel_many runs under asyncio only; elsewhere use cancel_many in a thread"
        ) from None
    bulk = _bulk(client, _iterate(jobs), http(), limits)
    try:
        while some := await bulk.some():
            for result in some:
                yield result
    finally:
        await bulk.stop()


def run_in_thread(
    client: Client[Any, Any], jobs: Iterable[Item], limits: Limits
) -> Iterator[CancelResult]:
    """Cancel many jobs in an event loop in a thread."""
    from anyio.from_thread import start_blocking_portal  # comes with httpx

    async def start() -> Bulk:
        return _bulk(client, aiter(ReadInThread(jobs)), AsyncClients(), limits)

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


def prepared(client: Client[Any, Any], item: object) -> Call:
    """Return the call that cancels one item.

    Raises:
        JobCancelError: it cannot be a job, or not one of a known provider.
    """
    job = item if isinstance(item, Job) else _pair(item)
    return client.prepare(
        job.provider,
        job.job_id,
        params=job.params,
        api_key=None,
        base_url=None,
        timeout=None,
        deadline=None,
    )


def _pair(item: object) -> Job:
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004 - a pair
        return Job(*item)
    raise WrongType(f"a job must be a Job or a pair (provider, job_id), not {item!r}")


async def _iterate(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    """Give the items of either kind of iterable, and others their turn in between."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for number, item in enumerate(items):
            yield item
            if number % _TURN == 0:
                await asyncio.sleep(0)


class ReadInThread:
    """The items of a sync iterable, which may block, read ahead by a thread of their own."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()
        self._read: deque[Item] = deque()
        self._room = threading.Semaphore(_READ_AHEAD)
        self._news = asyncio.Event()
        self._ended = self._stopped = False
        self._error: BaseException | None = None

    async def __aiter__(self) -> AsyncIterator[Item]:
        threading.Thread(target=self._run, name="jobcancel-reader", daemon=True).start()
        try:
            while not (self._ended and not self._read):
                await self._news.wait()
                self._news.clear()
                while self._read:
                    yield self._read.popleft()
                    self._room.release()
        finally:
            self._stopped = True
            self._room.release()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                if self._stopped:
                    return
                self._read.append(item)
                self._tell()
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            self._error = error
        finally:
            self._ended = True
            self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._news.set)
