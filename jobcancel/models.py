"""The values of the public interface: jobs, outcomes and results.

Everything here is immutable and knows nothing of HTTP or of any vendor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from html import escape
from typing import Any, NoReturn, Self, TypeVar, cast

from attrs import field, frozen

from jobcancel.errors import CancelFailed

T = TypeVar("T")


class Outcome(StrEnum):
    """What became of our request to cancel."""

    CANCELLED = "cancelled"
    """The job is cancelled, by this call."""
    CANCELLING = "cancelling"
    """The vendor accepted the request; the job has not been seen to end yet."""
    ALREADY_TERMINAL = "already-terminal"
    """The job had ended, or ended by itself, before the cancel took effect."""
    REFUSED = "refused"
    """The vendor refuses to cancel this job, which runs on; calling again soon will not help."""
    NOT_FOUND = "not-found"
    """No such job for this key."""
    FORBIDDEN = "forbidden"
    """The key is valid but may not cancel this job."""
    UNAUTHORIZED = "unauthorized"
    """The key is missing, wrong or expired at the vendor."""
    RATE_LIMITED = "rate-limited"
    """The vendor refuses for now; `retry_after` says how long when known."""
    INVALID = "invalid"
    """The job id (or a parameter) is not acceptable to us or to the vendor."""
    UNKNOWN = "unknown"
    """No trustworthy answer within the deadline; safe to call again."""

    @property
    def stopped(self) -> bool:
        """Whether the job will do no more work, because it is cancelled or had ended before."""
        return self in _STOPPED

    @property
    def accepted(self) -> bool:
        """Whether the vendor accepted the cancel, so that the job is cancelled or stopping."""
        return self in _ACCEPTED

    @property
    def retryable(self) -> bool:
        """Whether calling again later may give another outcome."""
        return self in _RETRYABLE


_STOPPED = frozenset({Outcome.CANCELLED, Outcome.ALREADY_TERMINAL})
_ACCEPTED = frozenset({Outcome.CANCELLED, Outcome.CANCELLING})
_RETRYABLE = frozenset({Outcome.RATE_LIMITED, Outcome.UNKNOWN})


class JobState(StrEnum):
    """Where a job is, in one vocabulary for all vendors."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """The vendor used a word we do not know; it is kept in `raw_state`."""

    @property
    def final(self) -> bool:
        """Whether a job in this state has ended and will do no more work."""
        return self in _FINAL

    @property
    def active(self) -> bool:
        """Whether a job in this state is known not to have ended."""
        return self in _ACTIVE


_FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
_ACTIVE = frozenset({JobState.PENDING, JobState.RUNNING, JobState.CANCELLING})


def _own_copy(params: Mapping[str, str]) -> dict[str, str]:
    return dict(params)


@frozen
class Job:
    """One job at one vendor.

    Args:
        provider: a provider's name, such as `"pulse"`.
        job_id: the id that the vendor gave when the job was submitted.
        params: what else the vendor needs to find the job (most need nothing).
    """

    provider: str
    job_id: str
    params: Mapping[str, str] = field(factory=dict, converter=_own_copy, hash=False)


LARGEST_KEPT = 256 * 1024
"""Bytes of the largest reply whose body is kept in a result."""


def _kept(body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a body as it is kept: none that is too large, nor numbers that JSON cannot write."""
    if body is None:
        return None
    left = LARGEST_KEPT
    finite = True
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            left -= sum(len(str(name)) + 4 for name in value)
            waiting += value.values() if left > 0 else ()
        elif isinstance(value, list):
            left -= 2 * len(value)
            waiting += value if left > 0 else ()
        elif isinstance(value, str):
            left -= len(value)
        elif isinstance(value, float):
            finite = finite and math.isfinite(value)
        if left < 0:
            return None
    return body if finite else cast("Mapping[str, Any]", _with_finite_numbers(body))


def _with_finite_numbers(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _with_finite_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_finite_numbers(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@frozen
class Progress:
    """How much of a job was done when the vendor answered, in the vendor's units."""

    done: int
    total: int | None = None


@frozen(kw_only=True)
class JobReading:
    """What one `status()` call found out about a job.

    Attributes:
        state: the job's state, or None when it could not be read.
        raw_state: the vendor's own word for it.
        problem: why the state could not be read (`NOT_FOUND`, `FORBIDDEN`, `UNAUTHORIZED`,
            `RATE_LIMITED`, `INVALID` or `UNKNOWN`); None when it was read.
        message: the vendor's words, or what happened instead.
        code: the vendor's error code, if it gave one.
        status_code: HTTP status code of the deciding reply, if there was one.
        retry_after: seconds that the vendor asked to wait, if it did.
        attempts: how many status requests were sent.
        elapsed: seconds that the call took.
        request_id: the vendor's id for the deciding request, for its support.
        progress: how much of the job is done, if the vendor says so.
        body: the deciding reply's JSON object, if it was one of at most 256 KiB.
        params: the job's params, defaults included; left out of `to_dict()` when there are none.
    """

    provider: str
    job_id: str
    state: JobState | None = None
    raw_state: str | None = None
    problem: Outcome | None = None
    message: str = ""
    code: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    attempts: int = 0
    elapsed: float = 0.0
    request_id: str | None = None
    progress: Progress | None = None
    body: Mapping[str, Any] | None = field(default=None, converter=_kept, hash=False, repr=False)
    params: Mapping[str, str] = field(factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the reading as plain values that `json.dumps` takes."""
        return _unstructure(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the reading that `to_dict()` made `data` from; `ValueError` if it did not."""
        return _structure(data, cls)


@frozen(kw_only=True)
class CancelResult:
    """The result of one request to cancel, whichever vendor it went to.

    It has no truth value: ask `result.stopped` or `result.accepted`.

    Attributes:
        outcome: what became of the request.
        state: where the job is, or None when no reply told it (`verify=True` reads it).
        raw_state: the vendor's own word for the state.
        verified: the job's final state was seen, in the reply itself or in a status read.
        message: the vendor's words, or what happened instead.
        code: the vendor's error code, if it gave one.
        status_code: HTTP status code of the deciding reply, if there was one.
        retry_after: seconds that the vendor asked to wait, if it did.
        attempts: how many cancel requests were sent (status reads are not counted).
        elapsed: seconds that the call took.
        request_id: the vendor's id for the deciding request, for its support.
        progress: how much was done before the job stopped, if the vendor says so.
        body: the deciding reply's JSON object, if it was one of at most 256 KiB.
        params: the job's params, defaults included; left out of `to_dict()` when there are none.
        at: when the outcome was settled, in UTC; None in a result that was made by hand.
    """

    provider: str
    job_id: str
    outcome: Outcome
    state: JobState | None = None
    raw_state: str | None = None
    verified: bool = False
    message: str = ""
    code: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    attempts: int = 0
    elapsed: float = 0.0
    request_id: str | None = None
    progress: Progress | None = None
    body: Mapping[str, Any] | None = field(default=None, converter=_kept, hash=False, repr=False)
    params: Mapping[str, str] = field(factory=dict, hash=False)
    at: datetime | None = None

    @property
    def stopped(self) -> bool:
        """Whether the job will do no more work, because it is cancelled or had ended before."""
        return self.outcome.stopped

    @property
    def accepted(self) -> bool:
        """Whether the vendor accepted the cancel, so that the job is cancelled or stopping."""
        return self.outcome.accepted

    @property
    def retryable(self) -> bool:
        """Whether calling again later may give another outcome."""
        return self.outcome.retryable

    def __bool__(self) -> NoReturn:
        raise TypeError("a CancelResult is neither true nor false; ask .stopped or .accepted")

    def raise_for_outcome(self) -> Self:
        """Return the result if the job is stopped; raise `CancelFailed` carrying it if not."""
        if not self.stopped:
            raise CancelFailed(self)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values that `json.dumps` takes."""
        return _unstructure(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the result that `to_dict()` made `data` from; `ValueError` if it did not."""
        return _structure(data, cls)

    def _repr_html_(self) -> str:
        """Return the result as a table, for notebooks."""
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
            for name, value in self.to_dict().items()
            if name != "body"
        )
        return f"<table>{rows}</table>"


def _unstructure(value: JobReading | CancelResult) -> dict[str, Any]:
    from jobcancel.convert import unstructure

    return unstructure(value)


def _structure(data: Mapping[str, Any], cls: type[T]) -> T:
    from jobcancel.convert import structure

    return structure(data, cls)
