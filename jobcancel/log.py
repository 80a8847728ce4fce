"""Log events: names with key-values, one per request sent and one per call.

    cancel.sent      one cancel request: what was sent and what came back       DEBUG
    status.sent      one status read                                            DEBUG
    cancel.settled   what became of a cancel() call      INFO, WARNING when unknown
    status.settled   what a status() call found          INFO, WARNING when unknown

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
from jobcancel.models import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel.models import CancelResult, JobReading

_logger = logging.getLogger("jobcancel")
_logger.addHandler(logging.NullHandler())

_METHODS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning"}


def is_wanted(level: int) -> bool:
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
    if not is_wanted(level):
        return
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


def cancel_settled(result: CancelResult) -> None:
    """Log how a call to cancel ended."""
    _settled("cancel.settled", result, result.outcome)


def status_settled(reading: JobReading) -> None:
    """Log how a call to read a job ended."""
    _settled("status.settled", reading, reading.problem)


def _settled(event: str, result: CancelResult | JobReading, outcome: Outcome | None) -> None:
    level = logging.WARNING if outcome is Outcome.UNKNOWN else logging.INFO
    if not is_wanted(level):
        return
    emit(
        level,
        event,
        provider=result.provider,
        job_id=result.job_id,
        outcome=outcome and outcome.value,
        state=result.state and result.state.value,
        attempts=result.attempts,
        elapsed=round(result.elapsed, 4),
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
