"""The values of the public interface: jobs, outcomes and results.

Everything here is immutable and independent of HTTP and of any vendor.
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
    """The outcome of a request to cancel."""

    CANCELLED = "cancelled"
    """The job is cancelled, by this call."""
    CANCELLING = "cancelling"
    """The vendor accepted the request, but the job has not stopped yet, as far as is known."""
    ALREADY_TERMINAL = "already-terminal"
    """The job ended before the cancel took effect."""
    REFUSED = "refused"
    """The vendor refuses to cancel this job; it keeps running. Retrying soon will not help."""
    NOT_FOUND = "not-found"
    """The vendor has no job with this id for this API key."""
    FORBIDDEN = "forbidden"
    """The API key is valid but may not cancel this job."""
    UNAUTHORIZED = "unauthorized"
    """The vendor rejects the API key as missing, wrong or expired."""
    RATE_LIMITED = "rate-limited"
    """The vendor's rate limit rejected the request; `retry_after` is the wait, if known."""
    INVALID = "invalid"
    """The job id or a param is invalid, for jobcancel or for the vendor."""
    UNKNOWN = "unknown"
    """No conclusive reply within the deadline; it is safe to call again."""

    @property
    def stopped(self) -> bool:
        """Whether the job has stopped, because it is cancelled or had already ended."""
        return self in _STOPPED

    @property
    def accepted(self) -> bool:
        """Whether the vendor accepted the cancel, so that the job is cancelled or stopping."""
        return self in _ACCEPTED

    @property
    def retryable(self) -> bool:
        """Whether a later call may have another outcome."""
        return self in _RETRYABLE


_STOPPED = frozenset({Outcome.CANCELLED, Outcome.ALREADY_TERMINAL})
_ACCEPTED = frozenset({Outcome.CANCELLED, Outcome.CANCELLING})
_RETRYABLE = frozenset({Outcome.RATE_LIMITED, Outcome.UNKNOWN})


class JobState(StrEnum):
    """The state of a job, in one vocabulary for all vendors."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """The vendor's word for the state is not known; it is in `raw_state`."""

    @property
    def final(self) -> bool:
        """Whether a job in this state has ended."""
        return self in _FINAL

    @property
    def active(self) -> bool:
        """Whether a job in this state has certainly not ended."""
        return self in _ACTIVE


_FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
_ACTIVE = frozenset({JobState.PENDING, JobState.RUNNING, JobState.CANCELLING})


def _copy(params: Mapping[str, str]) -> dict[str, str]:
    return dict(params)


@frozen
class Job:
    """One job.

    Args:
        provider: the provider's name, such as `"pulse"`.
        job_id: the id that the vendor returned when the job was submitted.
        params: parameters that identify the job in addition to its id (most vendors need none).
    """

    provider: str
    job_id: str
    params: Mapping[str, str] = field(factory=dict, converter=_copy, hash=False)


LARGEST_KEPT = 256 * 1024
"""Maximum size of a body that a result contains, in bytes."""


def _kept(body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the body for a result: None if it is too large, and no infinite or NaN numbers."""
    if body is None:
        return None
    left = LARGEST_KEPT
    finite = True
    pending: list[Any] = [body]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            left -= sum(len(str(name)) + 4 for name in value)
            pending += value.values() if left > 0 else ()
        elif isinstance(value, list):
            left -= 2 * len(value)
            pending += value if left > 0 else ()
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
    """How much of a job was done when the vendor replied, in the vendor's units."""

    done: int
    total: int | None = None


@frozen(kw_only=True)
class JobReading:
    """The result of one `status()` call.

    Attributes:
        provider: the provider's name.
        job_id: the job's id.
        state: the job's state, or None if it could not be read.
        raw_state: the vendor's own word for the state.
        problem: why the state could not be read (`NOT_FOUND`, `FORBIDDEN`, `UNAUTHORIZED`,
            `RATE_LIMITED`, `INVALID` or `UNKNOWN`); None if it was read.
        message: the vendor's message, or a description of the reply or the failure.
        code: the vendor's error code, if there is one.
        status_code: HTTP status code of the deciding reply, if there was one.
        retry_after: the wait that the vendor requests, in seconds, if any.
        attempts: number of status requests that were sent.
        elapsed: duration of the call, in seconds.
        request_id: the vendor's id for the deciding request, for its support team.
        progress: how much of the job is done, if the vendor reports it.
        body: the JSON object in the deciding reply, unless it is larger than 256 KiB.
        params: the job's params, including defaults; `to_dict()` omits them if there are none.
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
        """Return the reading as plain values that `json.dumps` accepts."""
        return _unstructure(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the reading for data from `to_dict()`; raise `ValueError` if `data` is invalid."""
        return _structure(data, cls)


@frozen(kw_only=True)
class CancelResult:
    """The result of one request to cancel, the same for all vendors.

    It has no truth value: use `result.stopped` or `result.accepted`.

    Attributes:
        provider: the provider's name.
        job_id: the job's id.
        outcome: the outcome of the request.
        state: the job's state, or None if no reply contained it (`verify=True` reads it).
        raw_state: the vendor's own word for the state.
        verified: whether a reply showed that the job has ended, to the cancel or to a status read.
        message: the vendor's message, or a description of the reply or the failure.
        code: the vendor's error code, if there is one.
        status_code: HTTP status code of the deciding reply, if there was one.
        retry_after: the wait that the vendor requests, in seconds, if any.
        attempts: number of cancel requests that were sent (without status reads).
        elapsed: duration of the call, in seconds.
        request_id: the vendor's id for the deciding request, for its support team.
        progress: how much was done before the job stopped, if the vendor reports it.
        body: the JSON object in the deciding reply, unless it is larger than 256 KiB.
        params: the job's params, including defaults; `to_dict()` omits them if there are none.
        at: when the outcome was settled, in UTC; None in a result that you construct yourself.
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
        """Whether the job has stopped, because it is cancelled or had already ended."""
        return self.outcome.stopped

    @property
    def accepted(self) -> bool:
        """Whether the vendor accepted the cancel, so that the job is cancelled or stopping."""
        return self.outcome.accepted

    @property
    def retryable(self) -> bool:
        """Whether a later call may have another outcome."""
        return self.outcome.retryable

    def __bool__(self) -> NoReturn:
        raise TypeError("a CancelResult has no truth value; use .stopped or .accepted")

    def raise_for_outcome(self) -> Self:
        """Return the result if the job has stopped; raise `CancelFailed` otherwise."""
        if not self.stopped:
            raise CancelFailed(self)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values that `json.dumps` accepts."""
        return _unstructure(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the result for data from `to_dict()`; raise `ValueError` if `data` is invalid."""
        return _structure(data, cls)

    def _repr_html_(self) -> str:
        """Return the result as an HTML table, for notebooks."""
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
