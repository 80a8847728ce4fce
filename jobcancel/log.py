"""Log events: a name with key-values, one event for each request, wait and call.

All names begin with `jobcancel.`:

    cancel.sent          a cancel request and its reply                  DEBUG
    status.sent          a status request and its reply                  DEBUG
    cancel.waiting       a wait before the next request of a cancel      DEBUG
    status.waiting       a wait before the next request of a status()    DEBUG
    cancel.settled       the result of a cancel                          INFO, WARNING if unknown
    status.settled       the result of a status()                        INFO, WARNING if unknown
    wait.settled         the last reading of a wait_for()                INFO, WARNING if unknown
    wait.timed_out       the time of a wait_for() is up                  INFO
    bulk.circuit_opened  a vendor is down; only trial requests are sent  WARNING
    bulk.circuit_closed  the vendor replies again                        INFO
    bulk.rate_limited    a vendor's rate limit; the lane waits           INFO
    guard.interrupted    the guard goes on after an interrupt            WARNING
    guard.left_behind    a job that a guard could not stop, as far as    WARNING
                         is known
    guard.unsupervised   after a kill, no process cancels these jobs     INFO

Events go to structlog if the application configured it, else to the standard library's logger
`jobcancel`, which is silent until the application adds a handler. (Unconfigured, structlog prints
every event to standard output.) The values never contain API keys.

Logging never affects a call: if a filter, a processor or a renderer of the application raises, the
exception is reported on standard error and suppressed, as in the standard library's handlers.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from jobcancel._lazy import load
from jobcancel.adapter.protocol import Response
from jobcancel.models import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobcancel.flow.events import Pause, Reply, Send
    from jobcancel.models import CancelResult, Job, JobReading

_logger = logging.getLogger("jobcancel")
_logger.addHandler(logging.NullHandler())

_METHODS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning"}


_is_muted = ContextVar("jobcancel-muted", default=False)


@contextlib.contextmanager
def muted(is_muted: bool = True) -> Iterator[None]:  # noqa: FBT001, FBT002 - like `suppress`
    """Log nothing in the block, in this context."""
    token = _is_muted.set(is_muted)
    try:
        yield
    finally:
        _is_muted.reset(token)


def is_enabled(level: int) -> bool:
    """Whether events of this level may be logged."""
    return not _is_muted.get() and (_structlog() is not None or _logger.isEnabledFor(level))


def _structlog() -> Any:  # noqa: ANN401 - the module
    """Return structlog if the application has imported and configured it."""
    structlog = sys.modules.get("structlog")
    # While another thread is importing structlog, this attribute may be missing.
    is_configured = getattr(structlog, "is_configured", None)
    return structlog if is_configured is not None and is_configured() else None


def emit(level: int, event: str, **values: object) -> None:
    """Log `event` with its values, if the level is enabled.

    Args:
        level: one of the standard library's levels, such as `logging.DEBUG`.
        event: the event's name, without the prefix.
        values: the key-values; None values are omitted. Their names must not be attributes of the
            standard library's log records, such as `message`.
    """
    if not is_enabled(level):
        return
    event = f"jobcancel.{event}"
    try:
        _emit(level, event, values)
    except Exception:  # noqa: BLE001 - the application's logging may raise anything
        _report(event)


def _emit(level: int, event: str, values: Mapping[str, object]) -> None:
    # A vendor's text may contain line breaks, lone surrogates and worse.
    known = {name: _one_line(value) for name, value in values.items() if value is not None}
    if (structlog := _structlog()) is not None:
        getattr(structlog.get_logger("jobcancel"), _METHODS[level])(event, **known)
    else:
        render = load("structlog.processors").LogfmtRenderer(key_order=["event"])
        _logger.log(level, "%s", render(None, "", {"event": event, **known}))


def waiting(job: Job, pause: Pause) -> None:
    """Log a wait before the next request of a call."""
    if is_enabled(logging.DEBUG):
        emit(
            logging.DEBUG,
            f"{pause.call}.waiting",
            provider=job.provider,
            job_id=job.job_id,
            seconds=round(pause.seconds, 4),
            reason=pause.reason,
        )


def exchanged(job: Job, send: Send, reply: Reply, seconds: float) -> None:
    """Log one request and its reply."""
    if is_enabled(logging.DEBUG):
        emit(
            logging.DEBUG,
            f"{send.call}.sent",
            provider=job.provider,
            job_id=job.job_id,
            attempt=send.attempt,
            method=send.request.method,
            url=send.request.url,
            status_code=reply.status_code if isinstance(reply, Response) else None,
            fault=None if isinstance(reply, Response) else reply.reason,
            seconds=round(seconds, 4),
        )


def circuit(provider: str, *, is_open: bool) -> None:
    """Log that a provider's circuit opened, after several failures in a row, or closed again."""
    if is_open:
        emit(logging.WARNING, "bulk.circuit_opened", provider=provider)
    else:
        emit(logging.INFO, "bulk.circuit_closed", provider=provider)


def rate_limited(provider: str, seconds: float, rate: float | None) -> None:
    """Log that a vendor's rate limit rejected a request.

    Args:
        provider: the provider.
        seconds: how long the lane sends nothing.
        rate: the rate afterwards, in requests per second, if it is known.
    """
    known = None if rate is None else round(rate, 3)
    emit(
        logging.INFO, "bulk.rate_limited", provider=provider, seconds=round(seconds, 4), rate=known
    )


def cancel_settled(result: CancelResult) -> None:
    """Log the result of a cancel."""
    _settled("cancel.settled", result, result.outcome)


def status_settled(reading: JobReading) -> None:
    """Log the result of a `status()`."""
    _settled("status.settled", reading, reading.problem)


def wait_settled(reading: JobReading) -> None:
    """Log the reading that ended a wait."""
    _settled("wait.settled", reading, reading.problem)


def wait_timed_out(reading: JobReading) -> None:
    """Log that the time for a wait is up, with its last reading."""
    emit(
        logging.INFO,
        "wait.timed_out",
        provider=reading.provider,
        job_id=reading.job_id,
        outcome=reading.problem and reading.problem.value,
        state=reading.state and reading.state.value,
        attempts=reading.attempts,
        seconds=round(reading.elapsed, 4),
    )


def guard_interrupted(jobs: int, interrupt: str) -> None:
    """Log that a guard goes on after an interrupt; the next one ends it."""
    emit(logging.WARNING, "guard.interrupted", jobs=jobs, interrupt=interrupt)


def guard_left_behind(result: CancelResult) -> None:
    """Log a job that a guard could not stop, as far as is known."""
    emit(
        logging.WARNING,
        "guard.left_behind",
        provider=result.provider,
        job_id=result.job_id,
        outcome=result.outcome.value,
        detail=result.message,
    )


def guard_unsupervised(reason: str) -> None:
    """Log that no other process cancels this process's jobs when it is killed."""
    emit(logging.INFO, "guard.unsupervised", reason=reason)


def _settled(event: str, result: CancelResult | JobReading, outcome: Outcome | None) -> None:
    level = logging.WARNING if outcome is Outcome.UNKNOWN else logging.INFO
    if not is_enabled(level):
        return
    emit(
        level,
        event,
        provider=result.provider,
        job_id=result.job_id,
        outcome=outcome and outcome.value,
        state=result.state and result.state.value,
        attempts=result.attempts,
        seconds=round(result.elapsed, 4),
        status_code=result.status_code,
        code=result.code,
        retry_after=result.retry_after,
        request_id=result.request_id,
        detail=result.message,
    )


_reported: set[type[BaseException] | None] = set()


def _report(event: str) -> None:
    """Write an exception of the application's logging to standard error, once for each type.

    `logging.raiseExceptions` disables it, as in `logging.Handler.handleError`.
    """
    kind = sys.exc_info()[0]
    if kind in _reported or not logging.raiseExceptions:
        return
    _reported.add(kind)
    with contextlib.suppress(Exception):  # standard error may be closed
        sys.stderr.write(f"jobcancel: logging of {event!r} failed; the call continues\n")
        traceback.print_exc()


def _one_line(value: object) -> object:
    if isinstance(value, str) and not value.isprintable():
        return repr(value)
    return value
