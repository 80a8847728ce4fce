"""Log events: their fields, and the loggers that receive them."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from jobcancel import CancelResult, JobReading, JobState, Outcome, log

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = CancelResult(
    provider="pulse",
    job_id="1",
    outcome=Outcome.CANCELLED,
    state=JobState.CANCELLED,
    attempts=1,
    elapsed=0.123456,
    message="done",
)


@pytest.fixture
def captured() -> Iterator[list[Any]]:
    structlog.configure(processors=[entries := structlog.testing.LogCapture()])
    yield entries.entries
    structlog.reset_defaults()


def test_structlog_receives_the_event_with_its_values(captured: list[Any]) -> None:
    log.cancel_settled(RESULT)
    assert [
        {
            "event": "jobcancel.cancel.settled",
            "log_level": "info",
            "provider": "pulse",
            "job_id": "1",
            "outcome": "cancelled",
            "state": "cancelled",
            "attempts": 1,
            "seconds": 0.1235,
            "detail": "done",
        }
    ] == captured


def test_structlog_over_stdlib_logging_receives_our_events(
    caplog: pytest.LogCaptureFixture,
) -> None:
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        caplog.set_level(logging.INFO)
        log.cancel_settled(RESULT)
    finally:
        structlog.reset_defaults()
    assert ["jobcancel.cancel.settled"] == caplog.messages


def test_unprintable_text_is_escaped(captured: list[Any]) -> None:
    result = CancelResult(provider="pulse", job_id="\ud800", outcome=Outcome.INVALID)
    log.cancel_settled(result)
    assert r"'\ud800'" == captured[0]["job_id"]


def test_an_unknown_outcome_is_logged_as_a_warning(captured: list[Any]) -> None:
    log.cancel_settled(CancelResult(provider="pulse", job_id="1", outcome=Outcome.UNKNOWN))
    log.status_settled(JobReading(provider="pulse", job_id="1", problem=Outcome.UNKNOWN))
    log.status_settled(JobReading(provider="pulse", job_id="1", state=JobState.RUNNING))
    assert ["warning", "warning", "info"] == [entry["log_level"] for entry in captured]


def test_without_structlog_an_event_is_one_line_in_stdlib_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="jobcancel")
    log.emit(logging.INFO, "cancel.settled", job_id="a\nevent=cancel.forged", state=None)
    assert [
        "event=jobcancel.cancel.settled job_id=\"'a\\\\nevent=cancel.forged'\""
    ] == caplog.messages


def test_a_partially_imported_structlog_is_not_used(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, logger="jobcancel")
    monkeypatch.setitem(sys.modules, "structlog", ModuleType("structlog"))
    assert log.is_enabled(logging.WARNING)
    assert not log.is_enabled(logging.INFO)


def test_a_disabled_level_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="jobcancel")
    log.emit(logging.DEBUG, "cancel.sent", provider="pulse")
    assert [] == caplog.messages


QUIET = """
import jobcancel, structlog
from jobcancel.log import cancel_settled
cancel_settled(jobcancel.CancelResult(provider="p", job_id="1", outcome=jobcancel.Outcome.UNKNOWN))
"""


def test_nothing_is_printed_without_a_logging_configuration() -> None:
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=True)
    assert ("", "") == (done.stdout, done.stderr)
