"""START HERE: `Canceller` and `AsyncCanceller`.

A call consists of `prepare`, which validates the arguments, and of
`transport.run(flow.cancel(call))`: `flow` decides, `transport` sends. The module-level functions
in `api` use these clients.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from jobcancel import config, flow, log
from jobcancel._lazy import load
from jobcancel.config import as_secret
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.flow.call import Call
from jobcancel.registry import check_known, get_adapter
from jobcancel.retry import SYSTEM_CLOCK, Clock
from jobcancel.transport import httpcore, pool, pump
from jobcancel.transport.clients import AsyncHttpClient, HttpClient, module_of

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
    )

    from jobcancel.bulk.results import AsyncCancelResults, CancelResults
    from jobcancel.bulk.source import Item
    from jobcancel.flow.events import Flow, T
    from jobcancel.keys import ApiKey, AsyncApiKey
    from jobcancel.models import CancelResult, Job, JobReading
    from jobcancel.secret import Secret

C = TypeVar("C")  # the type of the HTTP client that a caller may pass
W = TypeVar("W")  # the type of the HTTP client that is used by default

_OURS = f"{Path(__file__).parent}{os.sep}"


class _BaseCanceller(Generic[C, W]):
    """Settings, validation and the HTTP client, for both the sync and the async client.

    Attributes:
        clock: the source of time and randomness. Tests replace it on a client, or on this class
            for all clients.
    """

    _http_kind: str
    _new_http_client: Callable[[], W]
    clock: Clock = SYSTEM_CLOCK

    def __init__(
        self,
        *,
        api_keys: Mapping[str, AsyncApiKey] | None = None,
        base_urls: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        deadline: float = 30.0,
        verify: bool = False,
        http_client: C | None = None,
        allow_http: bool = False,
    ) -> None:
        # One HTTP client per process: after a fork, the child opens its own connections.
        self._own: dict[int, W] = {}
        self._closed = False
        # Wrap the keys before anything can raise, so that no traceback's locals contain them.
        keys, api_keys = config.as_secrets(api_keys), None
        config.check_keys(keys)
        config.policy(timeout, deadline, verify)
        if http_client is not None:
            library = module_of(type(http_client))
            is_valid = isinstance(http_client, getattr(library, self._http_kind))
            if not is_valid:
                name, kind = type(self).__name__, self._http_kind
                raise WrongType(f"{name} needs an httpx.{kind} as http_client, not {http_client!r}")
        self._api_keys = keys
        self._base_urls = config.check_urls(base_urls)
        for provider in (*keys, *self._base_urls):
            check_known(provider)
        self._timeout = timeout
        self._deadline = deadline
        self._verify = verify
        self._http_client = http_client
        self._allow_http = allow_http

    # The default arguments keep these functions alive while the interpreter shuts down.
    def __del__(
        self,
        _pid: Callable[[], int] = os.getpid,
        _warn: Callable[..., None] = warnings.warn,
    ) -> None:
        if _pid() in getattr(self, "_own", ()):
            name = type(self).__name__
            _warn(f"unclosed {name}; use it in a `with`", ResourceWarning, 2, source=self)

    @property
    def keys(self) -> Collection[Secret]:
        """The keys of this client, to be redacted in messages."""
        return cast("Collection[Secret]", self._api_keys.values())  # wrapped in `__init__`

    @property
    def is_closed(self) -> bool:
        """Whether this client was closed."""
        return self._closed

    def check_open(self) -> None:
        """Check that this client is open.

        Raises:
            ConfigurationError: the client is closed.
        """
        if self._closed:
            raise ConfigurationError(f"this {type(self).__name__} is closed; make a new one")

    def http(self) -> C | W:
        """Return the HTTP client: the one that was passed in, or this process's own."""
        self.check_open()
        if self._http_client is not None:
            return self._http_client
        process = os.getpid()
        own = self._own.get(process)
        if own is None:
            # If two threads get here at once, one of the two clients is never used or opened.
            own = self._own.setdefault(process, self._new_http_client())
        return own

    def prepare(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: AsyncApiKey | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        verify: bool | None = None,
    ) -> Call:
        """Validate the arguments of one call and return it; a callable key is not called yet."""
        self.check_open()
        adapter = get_adapter(provider)
        job = config.job(adapter, job_id, params)
        policy = config.policy(
            self._timeout if timeout is None else timeout,
            self._deadline if deadline is None else deadline,
            self._verify if verify is None else verify,
        )
        endpoint = config.endpoint(
            adapter,
            api_keys=self._api_keys,
            base_urls=self._base_urls,
            api_key=api_key,
            base_url=base_url,
            allow_http=self._allow_http,
            params=job.params,
        )
        if adapter.deprecated is not None:
            message = f"provider {adapter.name!r} is deprecated; use {adapter.deprecated!r}"
            warnings.warn(message, DeprecationWarning, stacklevel=callers_level())
        return Call(adapter, job, endpoint, policy, self.clock)

    def flow(self, call: Call) -> Flow[CancelResult]:
        """Return the flow that cancels one job."""
        return flow.cancel(call)


class Canceller(_BaseCanceller[HttpClient, HttpClient]):
    """Cancels jobs at any vendor. It is thread-safe, reuses connections and survives a fork.

    Args:
        api_keys: API keys by provider, such as `{"pulse": "..."}`. Instead of a key, pass a
            callable that returns it; it is called once per call.
        base_urls: base URLs by provider.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one whole call, including retries and waits.
        verify: whether to poll the status of an accepted job until the job has ended.
        http_client: your own httpx (or httpx2) client. jobcancel does not close it. With a sync
            client, `timeout` applies to each read and write instead.
        allow_http: whether plain HTTP is allowed to hosts that are not loopback.

    Raises:
        ConfigurationError: a setting is invalid.
        UnknownProvider: `api_keys` or `base_urls` contains an unknown provider.
    """

    _http_kind = "Client"
    _is_last = False
    _new_http_client = httpcore.Client

    def cancel(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        verify: bool | None = None,
    ) -> CancelResult:
        """Cancel one job, like `jobcancel.cancel`, with this client's settings as defaults."""
        api_key = as_secret(api_key)
        call = config.with_key(
            self.prepare(
                provider,
                job_id,
                params=params,
                api_key=api_key,
                base_url=base_url,
                timeout=timeout,
                deadline=deadline,
                verify=verify,
            )
        )
        result = self.run(self.flow(call), call.job)
        log.cancel_settled(result)
        return result

    def status(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> JobReading:
        """Get a job's state, like `jobcancel.status`, with this client's settings as defaults."""
        api_key = as_secret(api_key)
        call = config.with_key(
            self.prepare(
                provider,
                job_id,
                params=params,
                api_key=api_key,
                base_url=base_url,
                timeout=timeout,
                deadline=deadline,
            )
        )
        reading = self.run(flow.status(call), call.job)
        log.status_settled(reading)
        return reading

    def cancel_many(
        self,
        jobs: Iterable[Item],
        *,
        concurrency: int = 32,
        rate: str | Mapping[str, str] | None = None,
        max_wait: float = 60.0,
    ) -> CancelResults:
        """Cancel many jobs, like `jobcancel.cancel_many`, with this client's settings."""
        self.check_open()
        # This imports asyncio, which single sync calls do not need.
        bulk = load("jobcancel.bulk")
        limits = bulk.Limits(concurrency, rate, max_wait)
        if self._http_client is not None:
            raise ConfigurationError(
                "cancel_many is asynchronous and cannot use the sync http_client of this "
                "Canceller; use AsyncCanceller(http_client=...) and its cancel_many"
            )
        results: CancelResults = bulk.CancelResults(self, jobs, limits)
        return results

    def run(self, steps: Flow[T], job: Job) -> T:
        """Run a flow to its result.

        Args:
            steps: the flow.
            job: the job, for the log.
        """
        with self._http() as http:
            return pump.run(steps, http, self.clock, job)

    @contextmanager
    def _http(self) -> Iterator[HttpClient]:
        """Yield the HTTP client for one call; close it if this may be the last call."""
        try:
            yield self.http()
        finally:
            if self._is_last:
                self._disconnect()

    def _disconnect_for_good(self) -> None:
        """Close the connections; each later call opens its own and closes it again."""
        self._is_last = True
        self._disconnect()

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        self._closed = True
        self._disconnect()

    def _disconnect(self) -> None:
        if (client := self._own.pop(os.getpid(), None)) is not None:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncCanceller(_BaseCanceller[AsyncHttpClient, pool.ClientPool]):
    """Cancels jobs at any vendor from one event loop, asyncio's or trio's.

    The arguments are those of `Canceller`; `http_client` must be an async client.
    """

    _http_kind = "AsyncClient"
    _new_http_client = pool.ClientPool

    async def cancel(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: AsyncApiKey | None = None,
        base_url: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - seconds for each exchange, not the call
        deadline: float | None = None,
        verify: bool | None = None,
    ) -> CancelResult:
        """Cancel one job, like `jobcancel.cancel`, with this client's settings as defaults."""
        api_key = as_secret(api_key)
        call = await config.awith_key(
            self.prepare(
                provider,
                job_id,
                params=params,
                api_key=api_key,
                base_url=base_url,
                timeout=timeout,
                deadline=deadline,
                verify=verify,
            )
        )
        result = await self.run(self.flow(call), call.job)
        log.cancel_settled(result)
        return result

    async def status(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: AsyncApiKey | None = None,
        base_url: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - seconds for each exchange, not the call
        deadline: float | None = None,
    ) -> JobReading:
        """Get a job's state, like `jobcancel.status`, with this client's settings as defaults."""
        api_key = as_secret(api_key)
        call = await config.awith_key(
            self.prepare(
                provider,
                job_id,
                params=params,
                api_key=api_key,
                base_url=base_url,
                timeout=timeout,
                deadline=deadline,
            )
        )
        reading = await self.run(flow.status(call), call.job)
        log.status_settled(reading)
        return reading

    def cancel_many(
        self,
        jobs: Iterable[Item] | AsyncIterable[Item],
        *,
        concurrency: int = 32,
        rate: str | Mapping[str, str] | None = None,
        max_wait: float = 60.0,
    ) -> AsyncCancelResults:
        """Cancel many jobs, like `jobcancel.acancel_many`, with this client's settings."""
        self.check_open()
        # This imports asyncio, which single sync calls do not need.
        bulk = load("jobcancel.bulk")
        limits = bulk.Limits(concurrency, rate, max_wait)
        results: AsyncCancelResults = bulk.AsyncCancelResults(self, jobs, limits)
        return results

    async def run(self, steps: Flow[T], job: Job) -> T:
        """Run a flow to its result, like `Canceller.run`."""
        return await pump.arun(steps, self.http(), self.clock, job)

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        self._closed = True
        if (client := self._own.pop(os.getpid(), None)) is not None:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def callers_level() -> int:
    """Return the `stacklevel` that makes a warning point at the line that called a client."""
    level, frame = 0, sys._getframe(1)  # noqa: SLF001 - `warnings` itself counts frames with it
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    return level + 1
