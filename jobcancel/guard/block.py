"""START HERE: `guard`, the context manager, and its methods.

The block is the first net. The others hang below all guards of the process: signals and exit in
`process`, the supervisor in `link`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from jobcancel import config, log
from jobcancel.api import shared_client
from jobcancel.client import AsyncCanceller, Canceller
from jobcancel.config import as_secret
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.guard import process
from jobcancel.guard.batch import Batch
from jobcancel.guard.held import Held, Source, is_settled
from jobcancel.guard.link import link
from jobcancel.guard.submitting import Submitting
from jobcancel.models import Job

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from jobcancel.keys import AsyncApiKey
    from jobcancel.models import CancelResult

Supervise: TypeAlias = Literal["auto", "no", "required"]

_SUPERVISE = ("auto", "no", "required")
_MOST_IN_NOTE = 20


class Guard:
    """Cancels jobs if its block is left by an exception, or if this process dies.

    It is a sync and an async context manager (asyncio and trio). If the block ends normally, the
    jobs are the caller's, and nothing is sent. Without a `with`, call `close()`; a guard that is
    never closed cancels its jobs when the process exits.

    Args:
        provider: the provider of a first job.
        job_id: the id of a first job; more jobs are added with `add`.
        params: parameters that identify the first job in addition to its id.
        api_key: the API key of that provider.
        base_url: the base URL of that provider.
        client: the `Canceller` or `AsyncCanceller` whose settings are used.
        always: whether to cancel what was not released at a normal end, too.
        grace: seconds for all cancels at the end of the block, or at a signal or an exit.
        verify: whether to wait until each accepted job has stopped, within the grace.
        supervise: `"auto"` to have another process cancel the jobs if this one is killed, and to
            warn if that cannot be started; `"required"` to raise then; `"no"` to do without.

    Attributes:
        results: the results of the jobs that were cancelled, in no order.

    Raises:
        UnknownProvider: there is no such provider.
        MissingCredential: there is no API key.
        ConfigurationError: an argument is invalid, or there is no supervisor.
    """

    def __init__(
        self,
        provider: str | None = None,
        job_id: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        api_key: AsyncApiKey | None = None,
        base_url: str | None = None,
        client: Canceller | AsyncCanceller | None = None,
        always: bool = False,
        grace: float = 10.0,
        verify: bool = False,
        supervise: Supervise = "auto",
    ) -> None:
        api_key = as_secret(api_key)
        self.results: list[CancelResult] = []
        self.grace = config.policy(grace, grace, verify).deadline
        self._verify = verify
        self._always = always
        self._client = shared_client if client is None else client
        self._supervise = supervise
        self._held: dict[tuple[str, str], list[Held]] = {}
        self._sources: dict[str, Source] = {}
        self._is_entered = False
        if supervise not in _SUPERVISE:
            raise ConfigurationError(f"supervise must be one of {_SUPERVISE}, not {supervise!r}")
        if not isinstance(self._client, Canceller | AsyncCanceller):
            raise WrongType(f"client must be a Canceller or an AsyncCanceller, not {client!r}")
        if not isinstance(always, bool):
            raise WrongType(f"always must be True or False, not {always!r}")
        if supervise == "required":
            link.require()
        if provider is not None and job_id is not None:
            self.add(provider, job_id, params=params, api_key=api_key, base_url=base_url)
        elif any(each is not None for each in (provider, job_id, params, api_key, base_url)):
            raise ConfigurationError(
                "a guard's first job needs both provider and job_id; pass everything about other "
                "jobs to add()"
            )

    def add(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: AsyncApiKey | None = None,
        base_url: str | None = None,
    ) -> None:
        """Hold a job from now on.

        Args:
            provider: the provider's name, such as `"pulse"`.
            job_id: the id that the vendor returned when the job was submitted.
            params: parameters that identify the job in addition to its id.
            api_key: the API key; by default that of the guard's client, else of the environment.
            base_url: the base URL, likewise.

        Raises:
            UnknownProvider: there is no such provider; the message suggests the most similar name.
            MissingCredential: there is no API key; the message names the environment variable.
            ConfigurationError: an argument is invalid, or no job can have this id.
        """
        api_key = as_secret(api_key)
        is_text = isinstance(provider, str) and isinstance(job_id, str)
        is_plain = is_text and params is None and api_key is None and base_url is None
        if is_plain and provider in self._sources:
            source = self._sources[provider]
            job = Job(provider, job_id)
        else:
            source = self._new_source(provider, job_id, params, api_key, base_url)
            job = source.call.job
            if is_plain and not source.call.adapter.params:
                self._sources[provider] = source
        if (problem := source.call.adapter.refuse(job)) is not None:
            raise ConfigurationError(f"{provider!r} has no job {job_id!r}: {problem}")
        held = Held(source, job)
        self._held.setdefault((provider, job_id), []).append(held)
        process.activate(self)
        if self._supervise != "no":
            link.hold(held)

    def done(
        self,
        provider: str | None = None,
        job_id: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
    ) -> None:
        """Stop holding a job, because it has ended or is to go on; without arguments, all jobs.

        A job that is not held is ignored.

        Args:
            provider: the provider's name.
            job_id: the job's id.
            params: the job's params, if jobs with the same id differ in them.

        Raises:
            ConfigurationError: only one of `provider` and `job_id` is given.
        """
        if provider is None and job_id is None:
            released = self.held()
        elif provider is None or job_id is None:
            raise ConfigurationError("done() needs both provider and job_id, or none for all jobs")
        else:
            released = self._held.get((provider, job_id), [])
        if params is not None:
            wanted = params.items()
            released = [held for held in released if wanted <= held.job.params.items()]
        # The supervisor first: an exception in between must not leave it with a released job.
        link.drop(released)
        for held in list(released):
            self._remove(held)
        self._rest()

    release = done
    install = staticmethod(process.install)

    def submitting(self) -> Submitting:
        """Return a block, sync or async, that delays signals until its end.

        Submit the job and add it in this block, so that no signal gets between the two. A second
        signal of a kind is not delayed. SIGKILL and a cancelled task cannot be delayed: only the
        vendor's list of jobs shows such a job.
        """
        return Submitting()

    def close(self) -> None:
        """End a guard without a `with`, like the normal end of a block."""
        self.__exit__(None, None, None)

    def held(self) -> list[Held]:
        """Return the jobs that are held now."""
        return [held for jobs in list(self._held.values()) for held in list(jobs)]

    def settle(self, held: Held, result: CancelResult) -> None:
        """Take the result of a cancel.

        The supervisor keeps a job that may not be stopped: it tries again after our death.
        """
        self.results.append(result)
        self._remove(held)
        log.cancel_settled(result)
        if is_settled(result):
            link.drop([held])
        else:
            log.guard_left_behind(result)

    def _remove(self, held: Held) -> None:
        key = held.job.provider, held.job.job_id
        if others := [each for each in self._held.pop(key, ()) if each is not held]:
            self._held[key] = others

    def forget(self) -> None:
        """Start anew in a forked process: the jobs are its parent's."""
        self._held.clear()
        self.results = []

    def _new_source(
        self,
        provider: str,
        job_id: str,
        params: Mapping[str, str] | None,
        api_key: AsyncApiKey | None,
        base_url: str | None,
    ) -> Source:
        client = self._client
        call = client.prepare(
            provider,
            job_id,
            params=params,
            api_key=api_key,
            base_url=base_url,
            verify=self._verify or None,
        )
        return Source(call, client)

    def __enter__(self) -> Self:
        self._is_entered = True
        process.activate(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if (batch := self._last_batch(error)) is None:
            return
        interrupt = None
        try:
            interrupt = batch.run()
        finally:
            self._conclude(batch, error)
        if interrupt is not None and (error is None or isinstance(error, Exception)):
            raise interrupt

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, GeneratorExit):  # nothing can be awaited
            self.__exit__(kind, error, trace)
            return
        if (batch := self._last_batch(error)) is None:
            return
        interrupt = None
        try:
            interrupt = await batch.run_shielded()
        finally:
            self._conclude(batch, error)
        if interrupt is not None and error is None:
            raise interrupt

    def _last_batch(self, error: BaseException | None) -> Batch | None:
        """Return what the end of the block has to cancel, if anything."""
        self._is_entered = False
        if error is None and not self._always:
            self.done()
        # At last, Python collects generators. Then no thread runs and nothing can be imported; the
        # exit handler has cancelled the jobs, or left them to the supervisor.
        if (jobs := self.held()) and not sys.is_finalizing():
            return Batch(jobs, self.grace)
        self._rest()
        return None

    def _conclude(self, batch: Batch, error: BaseException | None) -> None:
        results = batch.results() if batch.is_begun else {}  # else the exit of the process cancels
        for held, result in results.items():
            self.settle(held, result)
        left = [result for result in results.values() if not is_settled(result)]
        if left and error is not None:
            error.add_note(_note(left))
        self._rest()

    def _rest(self) -> None:
        if not self._held and not self._is_entered:
            process.deactivate(self)


def _note(left: list[CancelResult]) -> str:
    jobs = [
        f"{each.provider} {each.job_id} ({each.outcome}: {each.message})"
        for each in left[:_MOST_IN_NOTE]
    ]
    if len(left) > _MOST_IN_NOTE:
        jobs.append("...")
    return f"jobcancel: guard left {len(left)} job(s) not known to be stopped: {'; '.join(jobs)}"
