"""`cancel_many` for sync code and for async code: how jobs get into `bulk` and results out.

Sync code runs the asynchronous one in a thread (`background`), so it also works where the
caller's thread runs an event loop of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from typing import TYPE_CHECKING, Protocol, Self

from attrs import frozen

from jobcancel.bulk.background import UNCLOSED, Background
from jobcancel.bulk.pace import rates
from jobcancel.bulk.scheduler import Scheduler
from jobcancel.bulk.source import Count, Item, ReadInThread, iterate
from jobcancel.config import awith_key
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.models import CancelResult, Job
from jobcancel.registry import check_known
from jobcancel.transport.pool import ClientPool

if TYPE_CHECKING:
    from jobcancel.flow.call import Call
    from jobcancel.flow.events import Flow
    from jobcancel.retry import Clock
    from jobcancel.secret import Secret
    from jobcancel.transport.clients import AsyncHttpClient


class Client(Protocol):
    """What a run needs of the client that it belongs to."""

    @property
    def clock(self) -> Clock:
        """The source of time and randomness."""
        ...

    @property
    def keys(self) -> Collection[Secret]:
        """The keys that no message may show."""
        ...

    def prepare(
        self, provider: str, job_id: str, *, params: Mapping[str, str] | None = None
    ) -> Call:
        """Validate a job and return its call."""
        ...

    def flow(self, call: Call) -> Flow[CancelResult]:
        """Return the decisions of one cancel."""
        ...


class AsyncClient(Client, Protocol):
    """The same of an async client, whose HTTP client sends."""

    def http(self) -> AsyncHttpClient | ClientPool:
        """Return the HTTP client."""
        ...


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


class CancelResults(Iterator[CancelResult]):
    """The results of `cancel_many`: an iterator that gives each as soon as it is known.

    Nothing is sent before the first is asked for. Several threads may ask. A run that is left
    before its end is to be closed, best by a `with`; until it is, it goes on, and one that is
    never closed ends with the process and a ResourceWarning.

    Raises:
        ConfigurationError: a forked process asks for results of its parent's run.
    """

    def __init__(self, client: Client, jobs: Iterable[Item], limits: Limits) -> None:
        self._count = count = Count()

        def start() -> Scheduler:
            http = ClientPool()
            items = aiter(ReadInThread(jobs, count))
            return _bulk(client, items, count, http, limits, then=http.aclose)

        self._run = Background(start)

    def __next__(self) -> CancelResult:
        _check_process(self._run.process)
        try:
            result = self._run.next()
        except BaseException:  # such as Ctrl-C, or what the run ends with
            self._run.abandon()
            raise
        if result is None:
            raise StopIteration
        return result

    @property
    def unanswered(self) -> int:
        """How many jobs were read that have no result; after a stop, what was never sent."""
        return self._count.read - self._count.answered

    def stop(self) -> None:
        """Send nothing more; the results that are known or on their way still come.

        Every job for which something was sent has a result. One whose cancel was not settled by
        then is `unknown`, or `cancelling` if it was accepted, or `rate-limited` if it was refused;
        jobs for which nothing was sent have none, and `unanswered` counts them. May be called from
        another thread or from a signal handler.
        """
        self._run.stop()

    def close(self) -> None:
        """Send nothing more, and abandon what is on its way; so does leaving a `with`.

        Returns as soon as that is done, after a few seconds at the most. The results that were
        not taken can still be: those that were known, and `unknown` for each job that was
        abandoned.
        """
        self._run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The defaults keep what is needed alive when the interpreter shuts down.
    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        run: Background | None = getattr(self, "_run", None)
        if run is not None and run.is_left_open:
            run.abandon()
            _warn(UNCLOSED.format("cancel_many"), ResourceWarning, 2, source=self)


class AsyncCancelResults(AsyncIterator[CancelResult]):
    """The results of `acancel_many`: an asynchronous iterator, else as `CancelResults`.

    Args:
        client: sends.
        jobs: what to cancel.
        limits: how many and how fast.
        then: what to do at the end.

    Raises:
        ConfigurationError: another event loop, or a forked process, asks for results.
    """

    def __init__(
        self,
        client: AsyncClient,
        jobs: Iterable[Item] | AsyncIterable[Item],
        limits: Limits,
        *,
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._count = count = Count()
        self._bulk: Scheduler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()
        self._stopped = self._closed = False

        def start() -> Scheduler:
            items = iterate(jobs, count)
            return _bulk(client, items, count, client.http(), limits, then=then or _nothing)

        self._start = start

    async def __anext__(self) -> CancelResult:
        _check_process(self._process)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "acancel_many runs under asyncio only; elsewhere use cancel_many in a thread"
            ) from None
        if self._loop not in {None, loop}:
            raise ConfigurationError(
                "these results belong to another event loop, in which the first was asked for"
            )
        if self._bulk is None:
            if self._closed or self._stopped:
                raise StopAsyncIteration
            self._loop, self._bulk = loop, self._start()
        try:
            result = await self._bulk.next()
        except BaseException:  # such as a cancelled task, or what the run ends with
            await self.aclose()
            raise
        if result is None:
            raise StopAsyncIteration
        return result

    @property
    def unanswered(self) -> int:
        """As `CancelResults.unanswered`."""
        return self._count.read - self._count.answered

    def stop(self) -> None:
        """Send nothing more; the results that are known or on their way still come.

        As `CancelResults.stop`.
        """
        self._stopped = True
        if self._bulk is not None:
            self._tell(self._bulk.stop)

    async def aclose(self) -> None:
        """Send nothing more, and abandon what is on its way; so does leaving an `async with`.

        As `CancelResults.close`.
        """
        self._closed = True
        if self._bulk is not None and asyncio.get_running_loop() is self._loop:
            await self._bulk.close()
        elif self._bulk is not None:
            self._tell(self._bulk.abandon)

    def _tell(self, what: Callable[[], object]) -> None:
        """Have something done in the event loop of the run."""
        if self._loop is not None and self._process == os.getpid():
            with contextlib.suppress(RuntimeError):  # the event loop is closed: the run has ended
                self._loop.call_soon_threadsafe(what)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # The defaults keep what is needed alive when the interpreter shuts down.
    def __del__(
        self,
        _warn: Callable[..., None] = warnings.warn,
        _pid: Callable[[], int] = os.getpid,
    ) -> None:
        bulk: Scheduler | None = getattr(self, "_bulk", None)
        if bulk is None or self._closed or self._process != _pid() or not bulk.has_more:
            return
        self._tell(bulk.abandon)
        _warn(UNCLOSED.format("acancel_many"), ResourceWarning, 2, source=self)


async def _nothing() -> None:
    """Do nothing at the end."""


def _check_process(process: int) -> None:
    if process != os.getpid():
        raise ConfigurationError(
            "this run belongs to the process that was forked; start one in each process"
        )


def _bulk(
    client: Client,
    items: AsyncGenerator[Item],
    count: Count,
    http: AsyncHttpClient | ClientPool,
    limits: Limits,
    *,
    then: Callable[[], Awaitable[None]],
) -> Scheduler:
    if isinstance(http, ClientPool):
        http.grow(limits.concurrency)

    async def prepare(job: Job) -> Call:
        return await awith_key(client.prepare(job.provider, job.job_id, params=job.params))

    return Scheduler(
        items=items,
        count=count,
        job_of=job_of,
        prepare=prepare,
        flow=client.flow,
        keys=client.keys,
        client=http,
        clock=client.clock,
        concurrency=limits.concurrency,
        rates=rates(limits.rate),
        max_wait=limits.max_wait,
        then=then,
    )


def job_of(item: object) -> Job:
    """Return the job that an item is.

    Raises:
        WrongType: it is none.
    """
    if isinstance(item, Job):
        return item
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004 - a pair
        return Job(*item)
    raise WrongType(f"a job must be a Job or a pair (provider, job_id), not {item!r}")
