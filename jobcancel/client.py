"""START HERE: `Canceller` and `AsyncCanceller`; the module-level calls in `shared` use them.

A call is `client.cancel` -> `registry.get_adapter` -> `drive.run(flow.cancel(...))`. The
arguments are checked in `prepare`; what is decided is in `flow`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from jobcancel import log
from jobcancel._lazy import load
from jobcancel.config import hidden
from jobcancel.errors import ConfigurationError
from jobcancel.prepare import Client
from jobcancel.transport import pool, pump
from jobcancel.transport.clients import AsyncHttpClient, HttpClient

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        Iterable,
        Iterator,
        Mapping,
    )

    from jobcancel.bulk.results import AsyncCancelResults, CancelResults
    from jobcancel.bulk.source import Item
    from jobcancel.keys import ApiKey, AsyncApiKey
    from jobcancel.models import CancelResult, JobReading


class Canceller(Client[HttpClient, HttpClient]):
    """Cancels jobs at any vendor; thread-safe, keeps its connections, survives a fork.

    Args:
        api_keys: API keys by provider, such as `{"pulse": "..."}`; instead of a key, a callable
            that returns it, which is asked once a call.
        base_urls: base URLs by provider.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one whole call, retries and waits included.
        verify: whether to read a job's status after an acceptance until it has ended.
        http_client: an httpx (or httpx2) client of yours to send with; it is not closed here,
            and if it is a sync one, `timeout` is for each read and write instead.
        allow_http: whether plain HTTP is allowed to hosts that are not loopback.

    Raises:
        ConfigurationError: a setting cannot be right.
        UnknownProvider: there is no such provider as one that has a key or a URL.
    """

    _http_kind = "Client"
    _is_last = False
    _new_http_client = pool.Client

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
        """Cancel one job, as `jobcancel.cancel` does, with this client's settings as defaults."""
        api_key = hidden(api_key)
        call = self.prepare(
            provider,
            job_id,
            params=params,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
            verify=verify,
        ).asked()
        with self._http() as http:
            result = pump.run(call.cancel(), http, self._clock, call.job)
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
        """Read where a job is, as `jobcancel.status` does, with this client's settings."""
        api_key = hidden(api_key)
        call = self.prepare(
            provider,
            job_id,
            params=params,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
        ).asked()
        with self._http() as http:
            reading = pump.run(call.status(), http, self._clock, call.job)
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
        """Cancel many jobs, as `jobcancel.cancel_many` does, with this client's settings."""
        self.check_open()
        # And with it asyncio, which single sync calls do without.
        bulk = load("jobcancel.bulk")
        limits = bulk.Limits(concurrency, rate, max_wait)
        if self._http_client is not None:
            raise ConfigurationError(
                "cancel_many sends asynchronously, which the http_client of this Canceller "
                "cannot; use AsyncCanceller(http_client=...) and its cancel_many"
            )
        results: CancelResults = bulk.CancelResults(self, jobs, limits)
        return results

    @contextmanager
    def _http(self) -> Iterator[HttpClient]:
        """Give the HTTP client for one call, which closes it when there may be no other."""
        try:
            yield self.http()
        finally:
            if self._is_last:
                self._disconnect()

    def _disconnect_for_good(self) -> None:
        """Keep no connection any more; calls open their own."""
        self._is_last = True
        self._disconnect()

    def close(self) -> None:
        """Close the connections; the client cannot be used any more."""
        self._closed = True
        self._disconnect()

    def _disconnect(self) -> None:
        if (client := self._own.pop(os.getpid(), None)) is not None:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncCanceller(Client[AsyncHttpClient, pool.AsyncClients]):
    """Cancels jobs at any vendor from one event loop, asyncio's or trio's.

    Arguments as for `Canceller`; `http_client` is an async client.
    """

    _http_kind = "AsyncClient"
    _new_http_client = pool.AsyncClients

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
        """Cancel one job, as `jobcancel.cancel` does, with this client's settings as defaults."""
        api_key = hidden(api_key)
        call = await self.prepare(
            provider,
            job_id,
            params=params,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
            verify=verify,
        ).aasked()
        result = await pump.arun(call.cancel(), self.http(), self._clock, call.job)
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
        """Read where a job is, as `jobcancel.status` does, with this client's settings."""
        api_key = hidden(api_key)
        call = await self.prepare(
            provider,
            job_id,
            params=params,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
        ).aasked()
        reading = await pump.arun(call.status(), self.http(), self._clock, call.job)
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
        """Cancel many jobs, as `jobcancel.acancel_many` does, with this client's settings."""
        self.check_open()
        # And with it asyncio, which single sync calls do without.
        bulk = load("jobcancel.bulk")
        limits = bulk.Limits(concurrency, rate, max_wait)
        results: AsyncCancelResults = bulk.AsyncCancelResults(self, jobs, limits)
        return results

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used any more."""
        self._closed = True
        if (client := self._own.pop(os.getpid(), None)) is not None:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
