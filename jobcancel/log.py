"""Log events: names with key-values, one for each request, wait and call.

All names begin with `jobcancel.`:

    cancel.sent          one cancel request and its reply            DEBUG
    status.sent          one status read and its reply               DEBUG
    cancel.waiting       a wait before the next request, or the      DEBUG
    status.waiting       like of a status() call                     DEBUG
    cancel.settled       the result of a cancel                      INFO, WARNING when unknown
    status.settled       the result of a status() call               INFO, WARNING when unknown
    bulk.circuit_opened  a vendor is down: only trial requests       WARNING
    bulk.circuit_closed  it replies again                            INFO
    bulk.rate_limited    a vendor refuses; the lane waits            INFO

They go to structlog when the application configured it, else to the standard library's logger
`jobcancel`, which is silent until the application adds a handler. (structlog unconfigured
would print every event to standard output.) Keys are never among the values.

An application's logging never decides what becomes of a call: what a filter, a processor or a
renderer of its raises is reported and goes no further, as in the standard library's handlers.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

from jobcancel._lazy import load
from jobcancel.adapter.protocol import Response
from jobcancel.models import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel.flow.events import Pause, Reply, Send
    from jobcancel.models import CancelResult, Job, JobReading

_logger = logging.getLogger("jobcancel")
_logger.addHandler(logging.NullHandler())

_METHODS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning"}


def is_enabled(level: int) -> bool:
    """Whether the application may want to see events of this level."""
    return _structlog() is not None or _logger.isEnabledFor(level)


def _structlog() -> Any:  # noqa: ANN401 - the module
    """Return structlog if the application configured it; then it has imported it."""
    structlog = sys.modules.get("structlog")
    # Nobody can have configured what another thread is still importing and is not all there.
    is_configured = getattr(structlog, "is_configured", None)
    return structlog if is_configured is not None and is_configured() else None


def emit(level: int, event: str, **values: object) -> None:
    """Log `event` with its values where the application wants to see it.

    Args:
        level: one of the standard library's levels, such as `logging.DEBUG`.
        event: the event's name.
        values: what is to be known of it; those that are None are left out. Their names are
            none of the standard library's own, such as `message`.
    """
    if not is_enabled(level):
        return
    event = f"jobcancel.{event}"
    try:
        _emit(level, event, values)
    except Exception:  # noqa: BLE001 - whatever the application's logging raises
        _report(event)


def _emit(level: int, event: str, values: Mapping[str, object]) -> None:
    # The words of a vendor may hold line breaks, lone surrogates and worse.
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


def exchanged(job: Job, send: Send, answer: Reply, seconds: float) -> None:
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
            status_code=answer.status_code if isinstance(answer, Response) else None,
            fault=None if isinstance(answer, Response) else answer.reason,
            seconds=round(seconds, 4),
        )


def circuit(provider: str, *, is_open: bool) -> None:
    """Log that a vendor is down, after several failures in a row, or replies again."""
    if is_open:
        emit(logging.WARNING, "bulk.circuit_opened", provider=provider)
    else:
        emit(logging.INFO, "bulk.circuit_closed", provider=provider)


def rate_limited(provider: str, seconds: float, rate: float | None) -> None:
    """Log that a vendor refuses requests for now.

    Args:
        provider: the provider.
        seconds: how long nothing is sent.
        rate: the rate afterwards, in requests per second, if it is known.
    """
    known = None if rate is None else round(rate, 3)
    emit(
        logging.INFO, "bulk.rate_limited", provider=provider, seconds=round(seconds, 4), rate=known
    )


def cancel_settled(result: CancelResult) -> None:
    """Log how a call to cancel ended."""
    _settled("cancel.settled", result, result.outcome)


def status_settled(reading: JobReading) -> None:
    """Log how a call to read a job ended."""
    _settled("status.settled", reading, reading.problem)


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
    """Write to standard error what the application's logging raised, once for each kind.

    It is done, or left out, under the same condition as in `logging.Handler.handleError`.
    """
    kind = sys.exc_info()[0]
    if kind in _reported or not logging.raiseExceptions:
        return
    _reported.add(kind)
    with contextlib.suppress(Exception):  # such as a standard error that is closed
        sys.stderr.write(f"jobcancel: the logging of {event!r} failed; the call goes on\n")
        traceback.print_exc()


def _one_line(value: object) -> object:
    if isinstance(value, str) and not value.isprintable():
        return repr(value)
    return value
