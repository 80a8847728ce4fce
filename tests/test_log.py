"""Log events: their fields, and the loggers that receive them."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog

from jobcancel import CancelResult, JobReading, JobState, Outcome, cancel, log, status
from jobcancel.testing import reply, scripted
from tests.virtual import Vendors, after, now, play
from tests.virtual import reply as response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """Return the logged events that contain a text."""
    caplog.set_level(logging.DEBUG, "jobcancel")
    return lambda text: [message for message in caplog.messages if text in message]


def test_waits_are_logged_with_their_reason(events: Callable[[str], list[str]]) -> None:
    limited = reply(429, headers={"retry-after": "2"})
    accepted = reply(200, {"message": "Job cancelled successfully"})
    with scripted(limited, accepted, reply(503), reply(200, {"status": "processing"})):
        cancel("pulse", "1")
        status("pulse", "1")
    first, second = events(".waiting")
    assert first == (
        "event=jobcancel.cancel.waiting provider=pulse job_id=1 seconds=2.0 "
        'reason="requested by the vendor"'
    )
    assert second.startswith("event=jobcancel.status.waiting provider=pulse job_id=1 seconds=")
    assert second.endswith(" reason=back-off")


def test_polls_of_verify_are_logged(events: Callable[[str], list[str]]) -> None:
    accepted = reply(200, {"message": "Job cancelled successfully"})
    running, stopped = reply(200, {"status": "processing"}), reply(200, {"status": "canceled"})
    with scripted(accepted, running, stopped):
        cancel("pulse", "1", verify=True)
    assert ["verify"] == [text.rpartition("=")[2] for text in events(".waiting")]


def test_a_vendor_that_goes_down_and_comes_back_is_logged(
    events: Callable[[str], list[str]],
) -> None:
    async def outage(_method: str, _job_id: str) -> httpx.Response:
        if now() < 2:
            raise httpx.ConnectError("refused")
        return response(200, {"message": "Job cancelled successfully"})

    run_jobs(outage)
    assert [
        "event=jobcancel.bulk.circuit_opened provider=pulse",
        "event=jobcancel.bulk.circuit_closed provider=pulse",
    ] == events("circuit")


def test_a_rate_limit_is_logged_with_the_rate_afterwards(
    events: Callable[[str], list[str]],
) -> None:
    answers = iter([after(0.1, 429, retry_after="5")] * 3)

    async def limit(method: str, job_id: str) -> httpx.Response:
        answer = next(answers, after(0.1))
        made: httpx.Response = await answer(method, job_id)
        return made

    run_jobs(limit)
    (event,) = events("rate_limited")
    start = "event=jobcancel.bulk.rate_limited provider=pulse seconds=5.0 rate="
    assert event.startswith(start)
    assert float(event.removeprefix(start)) > 0


def run_jobs(answer: Any) -> None:
    async def scene() -> None:
        jobs = [("pulse", str(number)) for number in range(10)]
        async for result in Vendors({"pulse": answer}).run(jobs):
            assert result.stopped

    play(scene())
