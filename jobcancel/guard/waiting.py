"""`wait_for` and `await_for`: wait until a job has ended, and cancel it when the time is up.

`flow.waiting` decides when the status is read. A guard holds the job meanwhile, so that it is
cancelled even if the process is killed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, overload

from attrs import define, field

from jobcancel import api, config, log
from jobcancel.client import AsyncCanceller, Canceller
from jobcancel.config import as_secret
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.flow import Waiting
from jobcancel.guard.block import Guard
from jobcancel.guard.held import is_settled
from jobcancel.keys import AsyncApiKey
from jobcancel.models import CancelResult, JobReading

if TYPE_CHECKING:
    from typing import Any

    from jobcancel.keys import ApiKey


@overload
def wait_for(
    provider: str,
    job_id: str,
    *,
    timeout: float,
    cancel: Literal[False],
    poll: float | None = None,
    params: Mapping[str, str] | None = None,
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    client: Canceller | None = None,
    on_progress: Callable[[JobReading], object] | None = None,
) -> JobReading: ...


@overload
def wait_for(
    provider: str,
    job_id: str,
    *,
    timeout: float,
    cancel: bool = True,
    poll: float | None = None,
    params: Mapping[str, str] | None = None,
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    client: Canceller | None = None,
    on_progress: Callable[[JobReading], object] | None = None,
) -> JobReading | CancelResult: ...


def wait_for(
    provider: str,
    job_id: str,
    *,
    timeout: float,
    cancel: bool = True,
    poll: float | None = None,
    params: Mapping[str, str] | None = None,
    api_key: ApiKey | None = None,
    base_url: str | None = None,
    client: Canceller | None = None,
    on_progress: Callable[[JobReading], object] | None = None,
) -> JobReading | CancelResult:
    """Wait until a job has ended; cancel it if the time is up first, or if the wait is interrupted.

    An exception in the wait, such as `KeyboardInterrupt`, cancels the job and then continues, with
    a note about the outcome. A job is also cancelled if the process is killed during the wait.

    Args:
        provider: the provider's name, such as `"pulse"`; `providers()` lists them.
        job_id: the id that the vendor returned when the job was submitted.
        timeout: seconds for the whole wait. The wait may exceed it by one status read, and by the
            time for the cancel.
        cancel: whether to cancel the job in these cases. If False, it keeps running.
        poll: seconds between two status reads, at least 0.1. By default, the interval grows from
            1 s (or what the vendor recommends) to 15 s. It is never shorter than what a reply
            requests.
        params: parameters that identify the job in addition to its id (most vendors need none).
        api_key: the API key, or a callable that returns it, which is called before each request;
            by default from the environment.
        base_url: the base URL; by default from the environment, else the vendor's own.
        client: the client to use; by default a shared one.
        on_progress: called with the reading after each status read. If it raises an exception, the
            wait is interrupted.

    Returns:
        the last `JobReading` if the job has ended. It is returned as well, with its `problem`, if
        the status cannot be read for a reason that is not temporary, such as `NOT_FOUND`; the job
        is not cancelled then. Otherwise the time was up, and this is the `CancelResult`, or with
        `cancel=False` the last `JobReading`.

    Raises:
        UnknownProvider: there is no such provider.
        MissingCredential: there is no API key.
        ConfigurationError: an argument is invalid, or the provider has no status endpoint.

    Example:
        >>> from jobcancel import wait_for
        >>> from jobcancel.testing import reply, scripted
        >>> words = "pending", "processing", "completed"
        >>> with scripted(*(reply(200, {"status": word}) for word in words)):
        ...     wait_for("pulse", "1", timeout=600).state
        <JobState.SUCCEEDED: 'succeeded'>
    """
    api_key = as_secret(api_key)
    if client is None:
        client = api.shared_client
    elif not isinstance(client, Canceller):
        raise WrongType(f"wait_for needs a Canceller as client, not {client!r}")
    if inspect.iscoroutinefunction(on_progress):
        raise WrongType("on_progress is async; use await_for")
    return Wait(
        provider=provider,
        job_id=job_id,
        timeout=timeout,
        cancel=cancel,
        poll=poll,
        params=params,
        api_key=api_key,
        base_url=base_url,
        on_progress=on_progress,
    ).run(client)


@overload
async def await_for(
    provider: str,
    job_id: str,
    *,
    timeout: float,  # noqa: ASYNC109 - it ends in a cancel, not in a TimeoutError
    cancel: Literal[False],
    poll: float | None = None,
    params: Mapping[str, str] | None = None,
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    client: AsyncCanceller | None = None,
    on_progress: Callable[[JobReading], object] | None = None,
) -> JobReading: ...


@overload
async def await_for(
    provider: str,
    job_id: str,
    *,
    timeout: float,  # noqa: ASYNC109 - likewise
    cancel: bool = True,
    poll: float | None = None,
    params: Mapping[str, str] | None = None,
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    client: AsyncCanceller | None = None,
    on_progress: Callable[[JobReading], object] | None = None,
) -> JobReading | CancelResult: ...


async def await_for(
    provider: str,
    job_id: str,
    *,
    timeout: float,  # noqa: ASYNC109 - it ends in a cancel, not in a TimeoutError
    cancel: bool = True,
    poll: float | None = None,
    params: Mapping[str, str] | None = None,
    api_key: AsyncApiKey | None = None,
    base_url: str | None = None,
    client: AsyncCanceller | None = None,
    on_progress: Callable[[JobReading], object] | None = None,
) -> JobReading | CancelResult:
    """Wait in async code until a job has ended, like `wait_for`; `on_progress` may be async.

    If the task is cancelled, the job is cancelled as well.
    """
    api_key = as_secret(api_key)
    if client is None:
        client = await api.loop_client()
    elif not isinstance(client, AsyncCanceller):
        raise WrongType(f"await_for needs an AsyncCanceller as client, not {client!r}")
    return await Wait(
        provider=provider,
        job_id=job_id,
        timeout=timeout,
        cancel=cancel,
        poll=poll,
        params=params,
        api_key=api_key,
        base_url=base_url,
        on_progress=on_progress,
    ).arun(client)


@define(eq=False, kw_only=True)
class Wait:
    """One wait; the arguments are those of `wait_for`.

    Attributes:
        result: the result of the cancel after an interruption, if there was one.
    """

    provider: str
    job_id: str
    timeout: float
    cancel: bool
    poll: float | None
    params: Mapping[str, str] | None
    api_key: AsyncApiKey | None
    base_url: str | None
    on_progress: Callable[[JobReading], object] | None
    result: CancelResult | None = field(init=False, default=None)

    def run(self, client: Canceller) -> JobReading | CancelResult:
        """Wait in sync code."""
        waiting = self._begin(client)
        if (refusal := waiting.refusal()) is not None:
            return refusal
        if not self.cancel:
            return self._until_over(client, waiting)
        guard = self._guard(client)
        with self._noting(guard), guard:
            reading = self._until_over(client, waiting, guard)
            if waiting.has_ended:
                return reading
            return client.cancel(self.provider, self.job_id, **self._identity)

    def _until_over(
        self, client: Canceller, waiting: Waiting, guard: Guard | None = None
    ) -> JobReading:
        """Read the status until the wait is over, and return the last reading."""
        call = waiting.call
        while True:
            reading = client.run(waiting.read(config.with_key(call)), call.job)
            _release_if_ended(waiting, guard)
            if self.on_progress is not None:
                self.on_progress(reading)
            if waiting.has_ended or not client.run(waiting.pause(), call.job):
                return _logged(reading, waiting)

    async def arun(self, client: AsyncCanceller) -> JobReading | CancelResult:
        """Wait in async code."""
        waiting = self._begin(client)
        if (refusal := waiting.refusal()) is not None:
            return refusal
        if not self.cancel:
            return await self._auntil_over(client, waiting)
        guard = self._guard(client)
        with self._noting(guard):
            async with guard:
                reading = await self._auntil_over(client, waiting, guard)
                if waiting.has_ended:
                    return reading
                return await client.cancel(self.provider, self.job_id, **self._identity)

    async def _auntil_over(
        self, client: AsyncCanceller, waiting: Waiting, guard: Guard | None = None
    ) -> JobReading:
        """Read the status until the wait is over, like `_until_over`."""
        call = waiting.call
        while True:
            keyed = await config.awith_key(call)
            reading = await client.run(waiting.read(keyed), call.job)
            _release_if_ended(waiting, guard)
            if self.on_progress is not None:
                progress = self.on_progress(reading)
                if inspect.isawaitable(progress):
                    await progress
            if waiting.has_ended or not await client.run(waiting.pause(), call.job):
                return _logged(reading, waiting)

    @property
    def _identity(self) -> dict[str, Any]:
        return {"params": self.params, "api_key": self.api_key, "base_url": self.base_url}

    def _begin(self, client: Canceller | AsyncCanceller) -> Waiting:
        """Validate the arguments.

        Raises:
            JobCancelError: one is invalid, there is no key, or no status endpoint.
        """
        timeout = config.seconds("timeout", self.timeout)
        poll = None if self.poll is None else config.seconds("poll", self.poll)
        if not isinstance(self.cancel, bool):
            raise WrongType(f"cancel must be True or False, not {self.cancel!r}")
        if not (self.on_progress is None or callable(self.on_progress)):
            raise WrongType(f"on_progress must be a function, not {self.on_progress!r}")
        call = client.prepare(self.provider, self.job_id, deadline=timeout, **self._identity)
        waiting = Waiting(call, poll)
        if waiting.refusal() is None and not waiting.progress.can_read:
            raise ConfigurationError(
                f"{self.provider!r} has no status endpoint, so the end of a job cannot be seen; "
                "wait in another way, in a `with guard(...)` block, and call cancel() when the "
                "time is up"
            )
        return waiting

    def _guard(self, client: Canceller | AsyncCanceller) -> Guard:
        return Guard(self.provider, self.job_id, client=client, **self._identity)

    @contextmanager
    def _noting(self, guard: Guard) -> Iterator[None]:
        """Add the outcome of the guard's cancel to the exception that ends the block."""
        try:
            yield
        except BaseException as error:
            for result in guard.results:
                self.result = result
                if is_settled(result):  # otherwise the guard has added a note
                    error.add_note(
                        f"jobcancel: the wait was interrupted; job {result.job_id!r} at "
                        f"{result.provider!r}: {result.outcome}: {result.message}"
                    )
            raise


def _release_if_ended(waiting: Waiting, guard: Guard | None) -> None:
    if guard is not None and waiting.has_ended:
        guard.release()


def _logged(reading: JobReading, waiting: Waiting) -> JobReading:
    if waiting.has_ended:
        log.wait_settled(reading)
    else:
        log.wait_timed_out(reading)
    return reading
