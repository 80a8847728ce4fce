"""The module-level calls, on clients that they share: `cancel`, `acancel`, `status` and the rest.

What the calls do is in `client`; here is only which client they use.
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

# The module-level calls share one warm client a process, and one for each event loop: a new
# client and its first connection cost many times what a request does.
_shared = Canceller()
# Not closed: the application's own exit handlers may still cancel jobs.
atexit.register(_shared._disconnect_for_good)  # noqa: SLF001 - a sibling
if not threading.main_thread().is_alive():  # one of them is the first to do so
    _shared._disconnect_for_good()  # noqa: SLF001 - a sibling


@cache
def _shared_async() -> RunVar[tuple[AsyncCanceller, AsyncGenerator[None, _Token]]]:
    # All that a signal handler needs, before this thread imports more.
    load("jobcancel.transport.connection")
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
        await keeper.asend(_shared_async().set((client, keeper)))
        return client


async def _close_at_shutdown(client: AsyncCanceller) -> AsyncGenerator[None, _Token]:
    """Close `client` when the event loop ends: it finishes its asynchronous generators then.

    It is sent what makes the loop forget the client, which would keep the loop alive.
    """
    kept = yield
    try:
        yield
    finally:
        _shared_async().reset(kept)
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
    """Cancel one job and say truthfully what became of it.

    Args:
        provider: the vendor's name, such as `"pulse"`; `providers()` lists them.
        job_id: the id that the vendor gave when the job was submitted.
        params: what else the vendor needs to find the job (most need nothing).
        api_key: the key, or a callable that returns it; by default from the environment, such as
            `PULSE_API_KEY`.
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
    api_key = as_secret(api_key)
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
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - seconds for each exchange, not for the call
    deadline: float = 30.0,
    verify: bool = False,
) -> CancelResult:
    """Cancel one job from async code; everything as for `cancel`."""
    api_key = as_secret(api_key)
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
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,
    deadline: float = 30.0,
) -> JobReading:
    """Read where a job is; arguments and errors as for `cancel`.

    Returns:
        the job's state, or in `problem` why it could not be read.
    """
    api_key = as_secret(api_key)
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
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - seconds for each exchange, not for the call
    deadline: float = 30.0,
) -> JobReading:
    """Read where a job is from async code; everything as for `status`."""
    api_key = as_secret(api_key)
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
    """Cancel many jobs as fast as their vendors allow, and give each result when it is known.

    Args:
        jobs: an iterable of `Job` or pairs `(provider, job_id)`, in any order; it is read
            lazily, in a thread of its own.
        concurrency: requests in flight at the most, over all vendors.
        rate: requests a second, such as `"60/s"` or `"100/min"`, or such a text by provider; by
            default it is learnt from what the vendor accepts and refuses.
        max_wait: seconds that a vendor's rate limit is waited out at the most; what would have
            to wait longer comes back as `RATE_LIMITED` with `retry_after`.
        api_keys: API keys by provider; by default from the environment.
        base_urls: base URLs by provider.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one job, from its first request on.
        verify: whether to read a job's status after an acceptance until it has ended.

    Returns:
        an iterator of exactly one result for each item, in the order in which they become
        known. A job that is given again while the first is on its way, or shortly after it was
        stopped, is sent once and answered twice. Its `stop()` sends nothing more and lets what is
        on its way be answered; `close()` abandons that, too.

    Raises:
        JobCancelError: an item is no job, of no known provider or without a key; raised after
            the results of the items before it.
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
    """Cancel many jobs from async code (asyncio); everything as for `cancel_many`."""
    # And with it asyncio, which single sync calls do without.
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
