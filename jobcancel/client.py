"""START HERE: `Canceller`, `AsyncCanceller` and the module-level calls.

A call is `client.cancel` -> `registry.get_adapter` -> `drive.run(flow.cancel(...))`. The
arguments are checked in `prepare`; what is decided is in `flow`.
"""

from __future__ import annotations

import atexit
import os
from functools import cache
from typing import TYPE_CHECKING, Self

from jobcancel import drive, log, transport
from jobcancel.config import hidden
from jobcancel.prepare import Client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from anyio.lowlevel import RunVar

    from jobcancel.models import CancelResult, JobReading


class Canceller(Client[transport.HttpClient, transport.HttpClient]):
    """Cancels jobs at any vendor; thread-safe, keeps its connections, survives a fork.

    Args:
        api_keys: API keys by provider, such as `{"pulse": "..."}`.
        base_urls: base URLs by provider.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one whole call, retries and waits included.
        verify: whether to read a job's status after an acceptance until it has ended.
        http_client: an httpx (or httpx2) client of yours to send with; it is not closed here,
            and its own time-outs for each read count instead of one for the whole exchange.
        allow_http: whether plain HTTP is allowed to hosts that are not loopback.

    Raises:
        ConfigurationError: a setting cannot be right.
    """

    _http_kind = "Client"
    _new_http_client = staticmethod(transport.new_client)

    def cancel(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: str | None = None,
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
        )
        result = drive.run(call.cancel(), self.http(), self._clock, call.job)
        log.cancel_settled(result)
        return result

    def status(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: str | None = None,
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
        )
        reading = drive.run(call.status(), self.http(), self._clock, call.job)
        log.status_settled(reading)
        return reading

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


class AsyncCanceller(Client[transport.AsyncHttpClient, transport.AsyncClients]):
    """Cancels jobs at any vendor from one event loop, asyncio's or trio's.

    Arguments as for `Canceller`; `http_client` is an async client.
    """

    _http_kind = "AsyncClient"
    _new_http_client = transport.AsyncClients

    async def cancel(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - seconds for each exchange, not the call
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
        )
        result = await drive.arun(call.cancel(), self.http(), self._clock, call.job)
        log.cancel_settled(result)
        return result

    async def status(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - seconds for each exchange, not the call
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
        )
        reading = await drive.arun(call.status(), self.http(), self._clock, call.job)
        log.status_settled(reading)
        return reading

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used any more."""
        self._closed = True
        if (client := self._own.pop(os.getpid(), None)) is not None:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


# The module-level calls share one warm client a process, and one for each event loop: a new
# client and its first connection cost many times what a request does.
_shared = Canceller()
# Not closed for good: the application's own exit handlers may still cancel jobs.
atexit.register(_shared._disconnect)  # noqa: SLF001 - its own module


@cache
def _shared_async() -> RunVar[tuple[AsyncCanceller, AsyncGenerator[None]]]:
    from anyio.lowlevel import RunVar  # comes with httpx

    return RunVar("jobcancel")


async def _loops_own() -> AsyncCanceller:
    """Return the client of the running event loop."""
    try:
        return _shared_async().get()[0]
    except LookupError:
        client = AsyncCanceller()
        keeper = _close_at_shutdown(client)
        await anext(keeper)
        _shared_async().set((client, keeper))
        return client


async def _close_at_shutdown(client: AsyncCanceller) -> AsyncGenerator[None]:
    """Close `client` when the event loop ends: it finishes its asynchronous generators then."""
    try:
        yield
    finally:
        await client.aclose()


def cancel(
    provider: str,
    job_id: str,
    *,
    params: Mapping[str, str] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
    verify: bool = False,
) -> CancelResult:
    """Cancel one job and say truthfully what became of it.

    Args:
        provider: the vendor's name, such as `"pulse"`; `providers()` lists them.
        job_id: the id that the vendor gave when the job was submitted.
        params: what else the vendor needs to find the job (most need nothing).
        api_key: the key; by default from the environment, such as `PULSE_API_KEY`.
        base_url: where the vendor is; by default from the environment, such as
            `PULSE_BASE_URL`, else the vendor's own address. It may carry a path prefix.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for the whole call, retries and waits included; it is overrun by one
            exchange at the most.
        verify: do not trust an acceptance: read the job until it has ended, or the deadline.

    Returns:
        what became of the request. Whatever the vendor answers, and if it does not answer,
        that is a result and not an exception.

    Raises:
        UnknownProvider: no such provider; the message names the nearest.
        MissingCredential: no key; the message names the environment variable.
        ConfigurationError: an argument or a setting cannot be right.
    """
    api_key = hidden(api_key)
    return _shared.cancel(
        provider,
        job_id,
        params=params,
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
        verify=verify,
    )


async def acancel(
    provider: str,
    job_id: str,
    *,
    params: Mapping[str, str] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - seconds for each exchange, not for the call
    deadline: float = 30.0,
    verify: bool = False,
) -> CancelResult:
    """Cancel one job from async code; everything as for `cancel`."""
    api_key = hidden(api_key)
    client = await _loops_own()
    return await client.cancel(
        provider,
        job_id,
        params=params,
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
        verify=verify,
    )


def status(
    provider: str,
    job_id: str,
    *,
    params: Mapping[str, str] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
) -> JobReading:
    """Read where a job is; arguments and errors as for `cancel`.

    Returns:
        the job's state, or in `problem` why it could not be read.
    """
    api_key = hidden(api_key)
    return _shared.status(
        provider,
        job_id,
        params=params,
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
    )


async def astatus(
    provider: str,
    job_id: str,
    *,
    params: Mapping[str, str] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - seconds for each exchange, not for the call
    deadline: float = 30.0,
) -> JobReading:
    """Read where a job is from async code; everything as for `status`."""
    api_key = hidden(api_key)
    client = await _loops_own()
    return await client.status(
        provider,
        job_id,
        params=params,
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
    )
