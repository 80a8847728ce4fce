"""The result iterators of `cancel_many` and `acancel_many`.

The sync iterator runs the scheduler in a background thread, so it also works if the caller's
thread runs an event loop.
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
    """The interface of the client that a run uses."""

    @property
    def clock(self) -> Clock:
        """The source of time and randomness."""
        ...

    @property
    def keys(self) -> Collection[Secret]:
        """The API keys to redact in messages."""
        ...

    def prepare(
        self, provider: str, job_id: str, *, params: Mapping[str, str] | None = None
    ) -> Call:
        """Validate a job and return its call."""
        ...

    def flow(self, call: Call) -> Flow[CancelResult]:
        """Return the flow that cancels one job."""
        ...


class AsyncClient(Client, Protocol):
    """The interface of an async client, including its HTTP client."""

    def http(self) -> AsyncHttpClient | ClientPool:
        """Return the HTTP client."""
        ...


@frozen
class Limits:
    """The limits of a run.

    Args:
        concurrency: maximum number of requests in flight, over all vendors.
        rate: maximum rate of requests, such as `"60/s"`, for all providers or as a mapping by
            provider.
        max_wait: maximum time to wait for a rate limit, in seconds.

    Raises:
        ConfigurationError: a limit is invalid.
        UnknownProvider: `rate` contains an unknown provider.
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
    """The results of `cancel_many`: an iterator that yields each result as soon as it is known.

    Nothing is sent before the first result is requested. Several threads may iterate. If you stop
    iterating before the end, close the run, preferably with a `with` block: it continues until
    then. A run that is never closed ends with the process and causes a ResourceWarning.

    Raises:
        ConfigurationError: a forked process requests results of its parent's run.
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
        except BaseException:  # such as Ctrl-C, or the exception that ended the run
            self._run.abandon()
            raise
        if result is None:
            raise StopIteration
        return result

    @property
    def unanswered(self) -> int:
        """Number of jobs without a result so far; after a stop, of jobs that were never sent."""
        return self._count.read - self._count.answered

    def stop(self) -> None:
        """Stop sending; wait for requests in flight, and yield the remaining results.

        Every job for which a request was sent has a result. If its outcome is not known by then,
        it is `unknown`, or `cancelling` if the vendor accepted, or `rate-limited` after a rate
        limit. Jobs for which no request was sent have no result; `unanswered` is their number.
        May be called from another thread or from a signal handler.
        """
        self._run.stop()

    def close(self) -> None:
        """Stop sending; abandon requests in flight. Leaving a `with` block does the same.

        Returns when the run has ended, after a few seconds at most. Iteration can continue: it
        yields the remaining results, which are `unknown` for abandoned jobs.
        """
        self._run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The default arguments keep these functions alive while the interpreter shuts down.
    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        run: Background | None = getattr(self, "_run", None)
        if run is not None and run.is_left_open:
            run.abandon()
            _warn(UNCLOSED.format("cancel_many"), ResourceWarning, 2, source=self)


class AsyncCancelResults(AsyncIterator[CancelResult]):
    """The results of `acancel_many`: an async iterator, otherwise like `CancelResults`.

    Args:
        client: the client.
        jobs: the jobs to cancel.
        limits: the limits of the run.
        then: called at the end of the run.

    Raises:
        ConfigurationError: another event loop or a forked process requests results.
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
                "acancel_many requires asyncio; elsewhere, use cancel_many in a thread"
            ) from None
        if self._loop not in {None, loop}:
            raise ConfigurationError(
                "these results belong to another event loop: the one that requested the first "
                "result"
            )
        if self._bulk is None:
            if self._closed or self._stopped:
                raise StopAsyncIteration
            self._loop, self._bulk = loop, self._start()
        try:
            result = await self._bulk.next()
        except BaseException:  # such as a cancelled task, or the exception that ended the run
            await self.aclose()
            raise
        if result is None:
            raise StopAsyncIteration
        return result

    @property
    def unanswered(self) -> int:
        """Like `CancelResults.unanswered`."""
        return self._count.read - self._count.answered

    def stop(self) -> None:
        """Stop sending; wait for requests in flight, like `CancelResults.stop`."""
        self._stopped = True
        if self._bulk is not None:
            self._call_in_loop(self._bulk.stop)

    async def aclose(self) -> None:
        """Stop sending; abandon requests in flight, like `CancelResults.close`."""
        self._closed = True
        if self._bulk is not None and asyncio.get_running_loop() is self._loop:
            await self._bulk.close()
        elif self._bulk is not None:
            self._call_in_loop(self._bulk.abandon)

    def _call_in_loop(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop of the run."""
        if self._loop is not None and self._process == os.getpid():
            with contextlib.suppress(RuntimeError):  # the event loop is closed: the run has ended
                self._loop.call_soon_threadsafe(function)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # The default arguments keep these functions alive while the interpreter shuts down.
    def __del__(
        self,
        _warn: Callable[..., None] = warnings.warn,
        _pid: Callable[[], int] = os.getpid,
    ) -> None:
        bulk: Scheduler | None = getattr(self, "_bulk", None)
        if bulk is None or self._closed or self._process != _pid() or not bulk.has_more:
            return
        self._call_in_loop(bulk.abandon)
        _warn(UNCLOSED.format("acancel_many"), ResourceWarning, 2, source=self)


async def _nothing() -> None:
    """Do nothing."""


def _check_process(process: int) -> None:
    if process != os.getpid():
        raise ConfigurationError(
            "this run belongs to the parent process; start a new run in each process"
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
    """Return an item as a job.

    Raises:
        WrongType: the item is neither a job nor a pair.
    """
    if isinstance(item, Job):
        return item
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004 - a pair
        return Job(*item)
    raise WrongType(f"a job must be a Job or a pair (provider, job_id), not {item!r}")
