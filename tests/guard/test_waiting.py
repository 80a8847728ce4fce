"""`wait_for` and `await_for` against the sandbox, sync and async (asyncio and trio)."""

from __future__ import annotations

import asyncio
import inspect
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
import pytest
from attrs import evolve

from jobcancel import (
    AsyncCanceller,
    Canceller,
    CancelResult,
    ConfigurationError,
    JobReading,
    JobState,
    MissingCredential,
    Outcome,
    Progress,
    UnknownProvider,
    await_for,
    register,
    registry,
    wait_for,
)
from jobcancel.errors import WrongType
from jobcancel.sandbox import Fault
from jobcancel.vendors.pulse import PULSE
from tests.test_lifetime import wait_until

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox

# Seconds. No test waits for it.
LONG = 300.0
UNKNOWN = "unknown-job"

Call = Callable[..., Any]


@pytest.fixture
def served(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A reset sandbox, and the environment set to use it."""
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    return sandbox


def running(sandbox: Sandbox, provider: str = "pulse", *, reads: int | None = None) -> str:
    """Submit a job that runs for long, or succeeds just before its status is read once more."""
    job_id = sandbox.submit(provider, pending=0.0, running=1e6)
    if reads is not None:
        if reads:
            sandbox.fault(provider, job_id, Fault(), on="status", times=reads)
        sandbox.fault(provider, job_id, Fault(finish=JobState.SUCCEEDED), on="status")
    return job_id


def sent(sandbox: Sandbox, job_id: str) -> list[str]:
    return [each.method for each in sandbox.requests if job_id in each.path]


def _of_asyncio(*args: Any, **settings: Any) -> object:
    return anyio.run(lambda: await_for(*args, **settings), backend="asyncio")


def _of_trio(*args: Any, **settings: Any) -> object:
    return anyio.run(lambda: await_for(*args, **settings), backend="trio")


every = pytest.mark.parametrize(
    "wait", [wait_for, _of_asyncio, _of_trio], ids=["sync", "asyncio", "trio"]
)


# The end of the wait


@every
def test_a_job_that_ends_is_reported_and_not_cancelled(served: Sandbox, wait: Call) -> None:
    job_id = running(served, reads=2)
    reading = wait("pulse", job_id, timeout=LONG, poll=0.1)
    assert isinstance(reading, JobReading)
    assert (JobState.SUCCEEDED, 3) == (reading.state, reading.attempts)
    assert ["GET"] * 3 == sent(served, job_id)


@every
def test_a_job_is_cancelled_when_the_time_is_up(served: Sandbox, wait: Call) -> None:
    job_id = running(served)
    result = wait("pulse", job_id, timeout=0.15, poll=0.1)
    assert isinstance(result, CancelResult)
    assert Outcome.CANCELLED is result.outcome
    *reads, last = sent(served, job_id)
    assert ({"GET"}, "DELETE") == ({*reads}, last)
    assert JobState.CANCELLED is served.job("pulse", job_id).state


@every
def test_a_job_may_be_left_running_when_the_time_is_up(served: Sandbox, wait: Call) -> None:
    job_id = running(served)
    reading = wait("pulse", job_id, timeout=1, poll=0.5, cancel=False)
    assert isinstance(reading, JobReading)
    assert JobState.RUNNING is reading.state
    assert "DELETE" not in sent(served, job_id)


@every
@pytest.mark.parametrize(
    ("status", "problem"),
    [(404, Outcome.NOT_FOUND), (403, Outcome.FORBIDDEN), (401, Outcome.UNAUTHORIZED)],
)
def test_a_permanent_problem_is_returned_and_nothing_is_cancelled(
    served: Sandbox, wait: Call, status: int, problem: Outcome
) -> None:
    job_id = running(served)
    fault = Fault(status=status, body={"error": {"code": "X", "message": "no"}})
    served.fault("pulse", job_id, fault, on="status")
    reading = wait("pulse", job_id, timeout=LONG)
    assert (None, problem) == (reading.state, reading.problem)
    assert ["GET"] == sent(served, job_id)


@every
def test_lost_replies_and_rate_limits_do_not_end_a_wait(served: Sandbox, wait: Call) -> None:
    job_id = running(served)
    limit = Fault(status=429, headers={"retry-after-ms": "1"})
    for fault in (Fault(drop=True), limit, Fault(finish=JobState.FAILED)):
        served.fault("pulse", job_id, fault, on="status")
    assert JobState.FAILED is wait("pulse", job_id, timeout=LONG, poll=0.1).state


@every
def test_an_invalid_id_is_invalid_and_nothing_is_sent(served: Sandbox, wait: Call) -> None:
    reading = wait("pulse", "..", timeout=LONG)
    assert (Outcome.INVALID, 0, []) == (reading.problem, reading.attempts, served.requests)


@every
def test_a_job_that_cannot_be_cancelled_in_time_is_reported(served: Sandbox, wait: Call) -> None:
    job_id = running(served)
    limit = Fault(status=429, headers={"retry-after": "3600"})
    served.fault("pulse", job_id, limit)
    result = wait("pulse", job_id, timeout=0.01)
    assert (Outcome.RATE_LIMITED, 3600) == (result.outcome, result.retry_after)


# Progress


@every
def test_progress_is_called_after_each_read(served: Sandbox, wait: Call) -> None:
    job_id = served.submit("talonic", pending=0.0, running=1e6)
    served.fault("talonic", job_id, Fault(), on="status", times=2)
    served.fault("talonic", job_id, Fault(finish=JobState.SUCCEEDED), on="status")
    readings: list[JobReading] = []
    last = wait("talonic", job_id, timeout=LONG, poll=0.1, on_progress=readings.append)
    assert [1, 2, 3] == [each.attempts for each in readings]
    assert (last, Progress(12, 12)) == (readings[-1], last.progress)


@pytest.mark.anyio
async def test_progress_may_be_async(served: Sandbox) -> None:
    job_id = running(served, reads=1)
    readings = []

    async def report(reading: JobReading) -> None:
        await anyio.lowlevel.checkpoint()
        readings.append(reading)

    await await_for("pulse", job_id, timeout=LONG, poll=0.1, on_progress=report)
    assert [JobState.RUNNING, JobState.SUCCEEDED] == [each.state for each in readings]


# Interruptions


class _Interruption(BaseException):
    pass


@every
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, _Interruption, ZeroDivisionError])
def test_an_exception_cancels_the_job_and_continues_with_a_note(
    served: Sandbox, wait: Call, kind: type[BaseException]
) -> None:
    job_id = running(served)

    def interrupt(_: JobReading) -> NoReturn:
        raise kind

    with pytest.raises(kind) as raised:
        wait("pulse", job_id, timeout=LONG, on_progress=interrupt)
    assert JobState.CANCELLED is served.job("pulse", job_id).state
    end = "cancelled: Job cancelled successfully"
    note = f"jobcancel: the wait was interrupted; job {job_id!r} at 'pulse': {end}"
    assert [note] == raised.value.__notes__


@every
def test_an_exception_leaves_a_job_running_without_cancel(served: Sandbox, wait: Call) -> None:
    job_id = running(served)
    with pytest.raises(ZeroDivisionError) as raised:
        wait("pulse", job_id, timeout=LONG, cancel=False, on_progress=lambda _: 1 / 0)
    assert ["GET"] == sent(served, job_id)
    assert not hasattr(raised.value, "__notes__")


@every
def test_an_exception_after_the_end_cancels_nothing(served: Sandbox, wait: Call) -> None:
    job_id = running(served, reads=0)
    with pytest.raises(ZeroDivisionError) as raised:
        wait("pulse", job_id, timeout=LONG, on_progress=lambda _: 1 / 0)
    assert ["GET"] == sent(served, job_id)
    assert not hasattr(raised.value, "__notes__")


@every
def test_a_note_says_that_the_job_may_not_be_stopped(served: Sandbox, wait: Call) -> None:
    job_id = running(served)
    fault = Fault(status=403, body={"error": {"code": "AUTH_004", "message": "not yours"}})
    served.fault("pulse", job_id, fault)
    with pytest.raises(ZeroDivisionError) as raised:
        wait("pulse", job_id, timeout=LONG, on_progress=lambda _: 1 / 0)
    (note,) = raised.value.__notes__
    assert note.startswith("jobcancel: guard left 1 job(s) not known to be stopped: ")
    assert note.endswith(f"pulse {job_id} (forbidden: not yours)")


@pytest.mark.anyio
async def test_a_cancelled_scope_cancels_the_job(served: Sandbox) -> None:
    job_id = running(served)
    with anyio.CancelScope() as scope:
        await await_for("pulse", job_id, timeout=LONG, on_progress=lambda _: scope.cancel())
    assert scope.cancelled_caught
    assert JobState.CANCELLED is served.job("pulse", job_id).state


def test_a_cancelled_task_cancels_the_job(served: Sandbox) -> None:
    job_id = running(served)

    async def run() -> list[str]:
        is_waiting = asyncio.Event()
        waiting = await_for("pulse", job_id, timeout=LONG, on_progress=lambda _: is_waiting.set())
        task = asyncio.create_task(waiting)
        await is_waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return sent(served, job_id)

    assert ["GET", "DELETE"] == asyncio.run(run())


def test_asyncio_timeout_raises_its_own_error(served: Sandbox) -> None:
    job_id = running(served)

    async def run() -> None:
        async with asyncio.timeout(None) as limit:
            now = asyncio.get_running_loop().time()
            await await_for(
                "pulse", job_id, timeout=LONG, on_progress=lambda _: limit.reschedule(now)
            )

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert JobState.CANCELLED is served.job("pulse", job_id).state


WAITS = """
import sys
from jobcancel import wait_for
wait_for("pulse", sys.argv[1], timeout=600, poll=0.1, on_progress=lambda _: print(flush=True))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name
)
def test_a_job_is_cancelled_when_a_signal_ends_the_process(
    served: Sandbox, number: signal.Signals
) -> None:
    job_id = running(served)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, job_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate()
    assert -number == process.returncode
    # After SIGKILL, another process cancels it.
    wait_until(lambda: served.job("pulse", job_id).state is JobState.CANCELLED)
    assert ("cancelled: Job cancelled successfully" in errors) == (number is signal.SIGINT)


# Clients and keys


def test_a_client_has_the_key_and_the_url(sandbox: Sandbox) -> None:
    job_id = running(sandbox, reads=1)
    with Canceller(api_keys=sandbox.api_keys, base_urls=sandbox.base_urls) as client:
        reading = wait_for("pulse", job_id, timeout=LONG, poll=0.1, client=client)
    assert JobState.SUCCEEDED is reading.state


@pytest.mark.anyio
async def test_an_async_client_has_the_key_and_the_url(sandbox: Sandbox) -> None:
    job_id = running(sandbox, reads=1)
    settings: dict[str, Any] = {"api_keys": sandbox.api_keys, "base_urls": sandbox.base_urls}
    async with AsyncCanceller(**settings) as client:
        reading = await await_for("pulse", job_id, timeout=LONG, poll=0.1, client=client)
    assert JobState.SUCCEEDED is reading.state


@every
def test_a_callable_is_asked_for_the_key_before_each_request(sandbox: Sandbox, wait: Call) -> None:
    job_id = running(sandbox)
    asked = count()

    def key() -> str:
        next(asked)
        return sandbox.api_keys["pulse"]

    url = sandbox.base_urls["pulse"]
    wait("pulse", job_id, timeout=0.1, poll=0.1, api_key=key, base_url=url)
    # The supervisor needs it, too.
    assert len(sent(sandbox, job_id)) + 1 == next(asked)


@pytest.mark.anyio
async def test_the_callable_for_the_key_may_be_async(sandbox: Sandbox) -> None:
    job_id = running(sandbox)

    async def key() -> str:
        await anyio.lowlevel.checkpoint()
        return sandbox.api_keys["pulse"]

    url = sandbox.base_urls["pulse"]
    result = await await_for("pulse", job_id, timeout=0.01, api_key=key, base_url=url)
    assert isinstance(result, CancelResult)
    assert Outcome.CANCELLED is result.outcome


# Arguments


@every
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"timeout": 0}, ConfigurationError, "timeout must be more than 0"),
        ({"timeout": "1"}, WrongType, "timeout must be a number of seconds"),
        ({"poll": 0}, ConfigurationError, "poll must be more than 0"),
        ({"poll": -1.0}, ConfigurationError, "poll must be more than 0"),
        ({"cancel": None}, WrongType, "cancel must be True or False"),
        ({"on_progress": 3}, WrongType, "on_progress must be a function, not 3"),
        ({"client": "x"}, WrongType, "needs an? (Async)?Canceller as client, not 'x'"),
        ({"params": {"a": "b"}}, ConfigurationError, "'pulse' has no param 'a'"),
    ],
)
def test_an_invalid_argument_is_reported(
    served: Sandbox,
    wait: Call,
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        wait("pulse", "1", **{"timeout": LONG, **settings})
    assert [] == served.requests


@every
def test_unknown_providers_and_missing_keys_are_reported(wait: Call) -> None:
    with pytest.raises(UnknownProvider, match="did you mean 'pulse'"):
        wait("plse", "1", timeout=LONG)
    with pytest.raises(MissingCredential, match="PULSE_API_KEY"):
        wait("pulse", "1", timeout=LONG)


@every
def test_a_provider_without_a_status_endpoint_is_refused(
    served: Sandbox, monkeypatch: pytest.MonkeyPatch, wait: Call
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    register(evolve(PULSE, name="blind", title="Blind", status=None))
    with pytest.raises(ConfigurationError, match=r"'blind' has no status endpoint, .*; wait in an"):
        wait("blind", "1", timeout=LONG)
    assert [] == served.requests


@pytest.mark.usefixtures("served")
def test_an_async_callback_needs_await_for() -> None:
    async def report(_: JobReading) -> None: ...

    with pytest.raises(WrongType, match="on_progress is async; use await_for"):
        wait_for("pulse", "1", timeout=LONG, on_progress=report)


def test_both_functions_have_the_same_arguments() -> None:
    sync, asynchronous = (inspect.signature(each).parameters for each in (wait_for, await_for))
    assert [*sync] == [*asynchronous]
    assert [each.default for each in sync.values()] == [
        each.default for each in asynchronous.values()
    ]


# Log events


def test_the_end_of_a_wait_is_logged(served: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "jobcancel")
    ended, endless = running(served, reads=1), running(served)
    wait_for("pulse", ended, timeout=LONG, poll=0.1)
    wait_for("pulse", endless, timeout=0.01)
    events = [line.split()[0] for line in caplog.messages]
    names = [event.removeprefix("event=jobcancel.") for event in events]
    assert [
        *("status.sent", "status.sent", "wait.settled"),
        *("status.sent", "wait.timed_out", "cancel.sent", "cancel.settled"),
    ] == [name for name in names if name != "status.waiting" and not name.startswith("guard.")]
    assert "reason=poll" in caplog.messages[names.index("status.waiting")]
