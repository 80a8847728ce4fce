"""The module-level functions: `cancel`, `acancel`, `status` and the rest, on shared clients.

The functions are implemented in `client`; this module only chooses the client.
"""

from __future__ import annotations

import atexit
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from jobcancel._lazy import load
from jobcancel.client import AsyncCanceller, Canceller
from jobcancel.config import as_secret, as_secrets

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        Iterable,
        Mapping,
    )

    from anyio.lowlevel import RunVar, RunvarToken

    from jobcancel.bulk.results import AsyncCancelResults, CancelResults
    from jobcancel.bulk.source import Item
    from jobcancel.keys import ApiKey, AsyncApiKey
    from jobcancel.models import CancelResult, JobReading

    _Token: TypeAlias = RunvarToken[tuple[AsyncCanceller, AsyncGenerator[None, Any]]]

# The module-level functions share one warm client per process, and one per event loop: creating
# a client and its first connection takes many times as long as a request.
shared_client = Canceller()
# Do not close it: the application's own exit handlers may still cancel jobs.
atexit.register(shared_client._disconnect_for_good)  # noqa: SLF001 - a sibling
if not threading.main_thread().is_alive():  # imported in an exit handler
    shared_client._disconnect_for_good()  # noqa: SLF001 - a sibling


@cache
def _shared_async() -> RunVar[tuple[AsyncCanceller, AsyncGenerator[None, _Token]]]:
    # Load everything that a signal handler needs before this thread imports more.
    load("jobcancel.transport.connection")
    from anyio.lowlevel import RunVar  # comes with httpx

    return RunVar("jobcancel")


async def loop_client() -> AsyncCanceller:
    """Return the client of the running event loop."""
    try:
        return _shared_async().get()[0]
    except LookupError:
        client = AsyncCanceller()
        keeper = _close_at_shutdown(client)
        await anext(keeper)
        await keeper.asend(_shared_async().set((client, keeper)))
        return client


async def _close_at_shutdown(client: AsyncCanceller) -> AsyncGenerator[None, _Token]:
    """Close `client` when the event loop ends: the loop then finalizes its async generators.

    The caller sends the token that removes the client from the loop's variables; the client would
    keep the loop alive otherwise.
    """
    token = yield
    try:
        yield
    finally:
        _shared_async().reset(token)
        await client.aclose()


def cancel(
    provider: str,
    job_id: str,
    *,
    params: Mapping[str, str] | None = None,
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
    verify: bool = False,
) -> CancelResult:
    """Cancel one job and report whether it stopped.

    Args:
        provider: the provider's name, such as `"pulse"`; `providers()` lists them.
        job_id: the id that the vendor returned when the job was submitted.
        params: parameters that identify the job in addition to its id (most vendors need none).
        api_key: the API key, or a callable that returns it; by default from the environment, such
            as `PULSE_API_KEY`.
        base_url: the base URL, optionally with a path prefix; by default from the environment,
            such as `PULSE_BASE_URL`, else the vendor's own.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for the whole call, including retries and waits. The call may exceed it
            by at most one exchange.
        verify: whether to poll the status of an accepted job until the job has ended, or until
            the deadline.

    Returns:
        the outcome and its details. Vendor errors and timeouts are outcomes; they do not raise.

    Raises:
        UnknownProvider: there is no such provider; the message suggests the most similar name.
        MissingCredential: there is no API key; the message names the environment variable.
        ConfigurationError: an argument or setting is invalid.
    """
    api_key = as_secret(api_key)
    return shared_client.cancel(
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
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - seconds for each exchange, not for the call
    deadline: float = 30.0,
    verify: bool = False,
) -> CancelResult:
    """Cancel one job from async code; arguments, result and errors are those of `cancel`."""
    api_key = as_secret(api_key)
    client = await loop_client()
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
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
) -> JobReading:
    """Get a job's state; arguments and errors are those of `cancel`.

    Returns:
        the job's state, or the reason why it could not be read, in `problem`.
    """
    api_key = as_secret(api_key)
    return shared_client.status(
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
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - seconds for each exchange, not for the call
    deadline: float = 30.0,
) -> JobReading:
    """Get a job's state from async code; arguments, result and errors are those of `status`."""
    api_key = as_secret(api_key)
    client = await loop_client()
    return await client.status(
        provider,
        job_id,
        params=params,
        api_key=api_key,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
    )


def cancel_many(
    jobs: Iterable[Item],
    *,
    concurrency: int = 32,
    rate: str | Mapping[str, str] | None = None,
    max_wait: float = 60.0,
    api_keys: Mapping[str, ApiKey] | None = None,
    base_urls: Mapping[str, str] | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
    verify: bool = False,
) -> CancelResults:
    """Cancel many jobs as fast as their vendors allow; yield each result as soon as it is known.

    Args:
        jobs: an iterable of `Job` or pairs `(provider, job_id)`, in any order. It is read lazily,
            in a separate thread.
        concurrency: maximum number of requests in flight, over all vendors.
        rate: maximum rate of requests, such as `"60/s"` or `"100/min"`, for all providers or as a
            mapping by provider. By default it is learned from accepted requests and rate limits.
        max_wait: maximum time to wait for a rate limit, in seconds. If a vendor requests a longer
            wait, the outcome is `RATE_LIMITED`, with `retry_after`.
        api_keys: API keys by provider; by default from the environment.
        base_urls: base URLs by provider.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one job, from its first request.
        verify: whether to poll the status of each accepted job until the job has ended.

    Returns:
        an iterator with exactly one result for each item, in order of completion. A job that
        occurs again while the first one is in flight, or shortly after it was stopped, is sent
        once and yields two results. `stop()` stops sending and waits for requests in flight;
        `close()` abandons them.

    Raises:
        JobCancelError: an item is not a job, has an unknown provider or has no API key. It is
            raised after the results of all earlier items.
    """
    api_keys = as_secrets(api_keys)
    canceller = Canceller(
        api_keys=api_keys,
        base_urls=base_urls,
        timeout=timeout,
        deadline=deadline,
        verify=verify,
    )
    return canceller.cancel_many(jobs, concurrency=concurrency, rate=rate, max_wait=max_wait)


def acancel_many(
    jobs: Iterable[Item] | AsyncIterable[Item],
    *,
    concurrency: int = 32,
    rate: str | Mapping[str, str] | None = None,
    max_wait: float = 60.0,
    api_keys: Mapping[str, AsyncApiKey] | None = None,
    base_urls: Mapping[str, str] | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
    verify: bool = False,
) -> AsyncCancelResults:
    """Cancel many jobs from async code (asyncio), like `cancel_many`."""
    # This imports asyncio, which single sync calls do not need.
    bulk = load("jobcancel.bulk")
    api_keys = as_secrets(api_keys)
    canceller = AsyncCanceller(
        api_keys=api_keys,
        base_urls=base_urls,
        timeout=timeout,
        deadline=deadline,
        verify=verify,
    )
    limits = bulk.Limits(concurrency, rate, max_wait)
    results: AsyncCancelResults = bulk.AsyncCancelResults(
        canceller, jobs, limits, then=canceller.aclose
    )
    return results
