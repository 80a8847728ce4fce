"""A job that a guard holds, and how it is cancelled; everything is validated when it is added."""

from __future__ import annotations

from itertools import count

from attrs import define, evolve, field

from jobcancel.api import loop_client, shared_client
from jobcancel.client import AsyncCanceller, Canceller
from jobcancel.config import awith_key, with_key
from jobcancel.errors import WrongType
from jobcancel.flow.call import Call
from jobcancel.models import CancelResult, Job, Outcome
from jobcancel.transport import pump

_numbers = count(1)
# Seconds; the flow needs a positive time.
_SHORTEST = 0.001


@define(eq=False)
class Source:
    """What the jobs of one provider have in common.

    Args:
        call: the validated call for one of them.
        client: the guard's client.

    Attributes:
        number: identifies it for the supervisor.
    """

    call: Call
    client: Canceller | AsyncCanceller
    number: int = field(init=False, factory=_numbers.__next__)


@define(eq=False)
class Held:
    """One job.

    Args:
        source: how it is cancelled.
        job: the job.

    Attributes:
        number: identifies it for the supervisor.
    """

    source: Source
    job: Job
    number: int = field(init=False, factory=_numbers.__next__)

    def cancel(self, seconds: float) -> CancelResult:
        """Cancel it in sync code; the result of any error is `unknown`.

        Args:
            seconds: the deadline.
        """
        client = self.source.client
        if not isinstance(client, Canceller) or client.is_closed:
            client = shared_client  # its connections are separated by key
        try:
            call = _with_key(self._call(seconds))
            return pump.run(client.flow(call), client.http(), call.clock, call.job)
        except Exception as error:  # noqa: BLE001 - by a callable for a key, or a plug-in
            return self._failed(error)

    async def acancel(self, seconds: float) -> CancelResult:
        """Cancel it in async code, like `cancel`."""
        client = self.source.client
        if client is shared_client or client.is_closed:
            client = await loop_client()
        elif isinstance(client, Canceller):
            from anyio import to_thread  # comes with httpx

            return await to_thread.run_sync(self.cancel, seconds, abandon_on_cancel=True)
        try:
            call = await awith_key(self._call(seconds))
            return await pump.arun(client.flow(call), client.http(), call.clock, call.job)
        except Exception as error:  # noqa: BLE001 - by a callable for a key, or a plug-in
            return self._failed(error)

    def unanswered(self, reason: str) -> CancelResult:
        """Return the result of a cancel without an answer.

        Args:
            reason: the message.
        """
        job = self.job
        return CancelResult(
            provider=job.provider,
            job_id=job.job_id,
            outcome=Outcome.UNKNOWN,
            message=reason,
            params=job.params,
            at=self.source.call.clock.now(),
        )

    def _call(self, seconds: float) -> Call:
        call = self.source.call
        seconds = max(round(seconds, 3), _SHORTEST)
        policy = evolve(call.policy, timeout=min(call.policy.timeout, seconds), deadline=seconds)
        return evolve(call, job=self.job, policy=policy)

    def _failed(self, error: Exception) -> CancelResult:
        text = f"the cancel failed: {type(error).__name__}: {error}"
        return self.unanswered(self.source.call.endpoint.key.redact(text))


def is_settled(result: CancelResult) -> bool:
    """Whether a job may be forgotten: it is stopped or stopping, or there is no such job."""
    return result.stopped or result.accepted or result.outcome is Outcome.NOT_FOUND


def _with_key(call: Call) -> Call:
    """Return a call with its key, in sync code, even if the callable for the key is async."""
    try:
        return with_key(call)
    except WrongType:
        import anyio  # comes with httpx

        return anyio.run(awith_key, call)
