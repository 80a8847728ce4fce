"""How runs end: closed, stopped, abandoned or broken, each job has at most one result."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
import structlog
from attrs import evolve

from jobcancel import (
    AsyncCanceller,
    ConfigurationError,
    Outcome,
    acancel_many,
    cancel_many,
    flow,
    log,
    register,
    registry,
)
from jobcancel.bulk.background import Background
from jobcancel.bulk.lane import Lane, QueuedJob
from jobcancel.bulk.pace import Pace
from jobcancel.bulk.sender import Sender
from jobcancel.retry import Clock
from jobcancel.sandbox import Fault
from jobcancel.transport.pool import ClientPool
from jobcancel.vendors.pulse import PULSE
from tests.virtual import CANCELLED, Vendors, after, now, play, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jobcancel import CancelResult
    from jobcancel.bulk.scheduler import Scheduler
    from jobcancel.sandbox import Sandbox

RUNNING: dict[str, Any] = {"pending": 0.0, "running": 1e6}


def where(sandbox: Sandbox) -> dict[str, Any]:
    return {"base_urls": sandbox.base_urls, "api_keys": sandbox.api_keys}


def pulse(number: int) -> list[tuple[str, str]]:
    return [("pulse", str(each)) for each in range(number)]


def until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.01)


# Closing


async def limited_once(_method: str, job_id: str) -> httpx.Response:
    """Rate-limit one of the first jobs, so that the lane learns a rate."""
    await asyncio.sleep(0.01)
    return reply(429, retry_after="1") if job_id == "3" and now() < 0.5 else reply(200, CANCELLED)


@pytest.mark.parametrize("settings", [{}, {"rate": "100/s"}, {"concurrency": 1}])
@pytest.mark.parametrize("taken", [1, 4, 30])
@pytest.mark.parametrize("how", ["close", "with", "cancel", "timeout"])
def test_nothing_is_sent_after_a_run_ends(how: str, taken: int, settings: dict[str, Any]) -> None:
    async def take(results: Any) -> None:
        for _ in range(taken):
            await anext(results)

    async def scene() -> tuple[int, int]:
        vendors = Vendors({"pulse": limited_once})
        results = vendors.run(pulse(1000), **settings)
        if how == "close":
            await take(results)
            await results.aclose()
        elif how == "with":
            async with results:
                await take(results)
        elif how == "cancel":
            task = asyncio.create_task(take(results))
            await asyncio.sleep(0.011)
            task.cancel()
            await asyncio.wait([task])
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.2345):
                    async for _ in results:
                        await asyncio.sleep(0)
        await results.aclose()
        sent = len(vendors.sent)
        assert {asyncio.current_task()} == asyncio.all_tasks()
        await asyncio.sleep(60)
        return sent, len(vendors.sent)

    before, later = play(scene())
    assert before == later < 1000


def test_a_job_that_is_read_while_the_run_is_stopped_is_not_added() -> None:
    async def scene() -> tuple[list[CancelResult], int]:
        async def jobs() -> AsyncIterator[tuple[str, str]]:
            yield "pulse", "1"
            assert results._bulk is not None
            results._bulk.stop()
            yield "pulse", "2"

        vendors = Vendors({"pulse": after(0.01)})
        results = vendors.run(jobs())
        return [result async for result in results], results.unanswered

    assert ([], 2) == play(scene())


def test_close_ends_a_run_whose_client_swallows_cancellation() -> None:
    async def stubborn(_method: str, _job_id: str) -> httpx.Response:
        for _ in range(50):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue
        return reply(200, CANCELLED)

    async def scene() -> tuple[list[CancelResult], int, float]:
        vendors = Vendors({"pulse": stubborn})
        results = vendors.run(pulse(100), concurrency=4, timeout=1e6, deadline=1e6)
        asyncio.get_running_loop().call_later(1, asyncio.create_task, results.aclose())
        received = [result async for result in results]
        ended = now()
        await asyncio.sleep(200)
        return received, len(vendors.sent), ended

    received, sent, ended = play(scene())
    assert ({Outcome.UNKNOWN: 4}, 4) == (Counter(result.outcome for result in received), sent)
    assert ended < 10


@pytest.mark.usefixtures("_plug_in")
def test_every_sent_job_has_a_result_after_close() -> None:
    register(evolve(PULSE, name="quick"))

    async def scene() -> tuple[list[CancelResult], Vendors]:
        vendors = Vendors({"pulse": after(5.0)})
        vendors.answers["quick"] = after(0.01)
        jobs = [*pulse(5), *(("quick", f"quick-{number}") for number in range(5))]
        results = vendors.run(jobs, concurrency=8)
        first = await anext(results)
        await results.aclose()
        return [first, *[result async for result in results]], vendors

    received, vendors = play(scene())
    assert {job_id for *_, job_id, _ in vendors.sent} == {result.job_id for result in received}
    abandoned = [result for result in received if result.outcome is Outcome.UNKNOWN]
    assert abandoned
    assert {1} == {result.attempts for result in received}
    assert all("the run was closed" in result.message for result in abandoned)
    assert all(result.at is not None for result in received)


def test_a_closed_sync_run_yields_its_remaining_results(sandbox: Sandbox) -> None:
    jobs = [("pulse", sandbox.submit("pulse", **RUNNING)) for _ in range(6)]
    sandbox.fault(*jobs[5], Fault(stall=60))
    results = cancel_many(jobs, **where(sandbox))
    received = [next(results)]
    until(lambda: len({r.path for r in sandbox.requests if jobs[5][1] in r.path}) == 1)
    results.close()
    received += results
    assert {job_id for _, job_id in jobs} == {result.job_id for result in received}
    assert Outcome.UNKNOWN is {r.job_id: r.outcome for r in received}[jobs[5][1]]
    assert [] == list(results)


def test_closing_before_the_start_sends_nothing(sandbox: Sandbox) -> None:
    results = cancel_many(pulse(3), **where(sandbox))
    results.close()
    assert [] == list(results)

    async def run() -> list[CancelResult]:
        results = acancel_many(pulse(3), **where(sandbox))
        await results.aclose()
        return [result async for result in results]

    assert [] == asyncio.run(run())
    assert [] == sandbox.requests


def test_close_does_not_wait_for_a_blocked_thread(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent when the thread continues, either."""
    blocked, goes_on = threading.Event(), threading.Event()

    class Blocking(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            blocked.set()
            return goes_on.wait(60)

    jobs = [("pulse", sandbox.submit("pulse", **RUNNING)) for _ in range(20)]
    logger, blocking = logging.getLogger("jobcancel"), Blocking()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addFilter(blocking)
    results = cancel_many(jobs, concurrency=1, **where(sandbox))
    threading.Thread(target=lambda: next(results, None), daemon=True).start()
    try:
        assert blocked.wait(20)
        sent = len(sandbox.requests)
        monkeypatch.setattr(Background.close, "__defaults__", (0.2,))  # instead of 5 s
        results.close()
        assert next(results, None) is None
    finally:
        goes_on.set()
        logger.removeFilter(blocking)
        logger.setLevel(level)
    until(lambda: not results._run._thread.is_alive())  # type: ignore[union-attr]
    assert sent == len(sandbox.requests)


@pytest.mark.parametrize("end", ["stop", "close"])
def test_ending_a_run_during_its_start_sends_nothing(end: str, sandbox: Sandbox) -> None:
    results = cancel_many(pulse(3), **where(sandbox))
    begin = results._run.start

    def start() -> Scheduler:
        bulk = begin()
        getattr(results, end)()
        return bulk

    results._run.start = start
    assert [] == list(results)
    assert [] == sandbox.requests


def test_a_run_without_a_thread_raises_once_and_has_no_results(sandbox: Sandbox) -> None:
    results = cancel_many(pulse(3), **where(sandbox))
    size = threading.stack_size(1 << 60)  # more memory than there is
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            next(results)
    finally:
        threading.stack_size(size)
    assert [] == list(results)
    assert [] == sandbox.requests


def test_a_run_without_an_event_loop_raises_once_and_has_no_results(sandbox: Sandbox) -> None:
    code = """
import asyncio, os, resource
from jobcancel import cancel_many
results = cancel_many([("pulse", "never-sent")])
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
try:
    next(results)
except OSError as error:
    print(error.strerror)
finally:
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
print(list(results))
"""
    done = run_code(sandbox, code)
    assert "Too many open files\n[]\n" == done.stdout, done.stderr
    assert not [each for each in sandbox.requests if "never-sent" in each.path]


def test_every_sent_job_has_a_result_if_all_tasks_are_cancelled() -> None:
    async def stubborn(_method: str, _job_id: str) -> httpx.Response:
        for _ in range(50):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
        return reply(200, CANCELLED)

    async def scene(answer: Any, times: int) -> tuple[list[CancelResult], Vendors]:
        vendors = Vendors({"pulse": answer})
        results = vendors.run(pulse(100), concurrency=4, timeout=1e6, deadline=1e6)
        collected = asyncio.create_task(_list(results))
        await asyncio.sleep(0.5)
        for _ in range(times):
            for task in asyncio.all_tasks() - {asyncio.current_task(), collected}:
                task.cancel()
            await asyncio.sleep(0.1)
        await collected
        await results.aclose()
        return collected.result(), vendors

    for answer, times in ((after(5.0), 1), (stubborn, 2)):
        received, vendors = play(scene(answer, times))
        assert {Outcome.UNKNOWN: 4} == Counter(result.outcome for result in received)
        assert {job_id for *_, job_id, _ in vendors.sent} == {result.job_id for result in received}


async def _list(results: AsyncIterator[CancelResult]) -> list[CancelResult]:
    return [result async for result in results]


# Stopping


@pytest.mark.parametrize("times", [1, 2])
def test_a_job_waiting_for_its_next_request_has_a_result_after_stop(times: int) -> None:
    async def scene() -> tuple[list[CancelResult], int]:
        vendors = Vendors({"pulse": after(0.01)})
        results = vendors.run(pulse(1), rate="6/min", verify=True)
        for _ in range(times):
            asyncio.get_running_loop().call_later(1, results.stop)
        return await _list(results), len(vendors.sent)

    received, sent = play(scene())
    assert ([Outcome.CANCELLING], 1) == ([result.outcome for result in received], sent)


def test_stopping_before_the_start_sends_nothing(sandbox: Sandbox) -> None:
    results = cancel_many(pulse(3), **where(sandbox))
    results.stop()
    assert ([], 0) == (list(results), results.unanswered)

    async def run() -> list[CancelResult]:
        results = acancel_many(pulse(3), **where(sandbox))
        results.stop()
        return await _list(results)

    assert [] == asyncio.run(run())
    assert [] == sandbox.requests


def test_stop_ends_reading_a_source_that_swallows_cancellation() -> None:
    read = []

    async def jobs() -> AsyncIterator[tuple[str, str]]:
        for job in pulse(10):
            read.append(job)
            yield job
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)

    async def scene() -> tuple[list[CancelResult], int]:
        results = Vendors({"pulse": after(0.01)}).run(jobs())
        asyncio.get_running_loop().call_later(0.5, results.stop)
        return await _list(results), results.unanswered

    received, unanswered = play(scene())
    assert (["0"], 1) == ([result.job_id for result in received], unanswered)
    assert pulse(2) == read


def test_only_sent_jobs_have_results_after_stop() -> None:
    async def answer(_method: str, job_id: str) -> httpx.Response:
        await asyncio.sleep(0.1 + int(job_id) / 1000)
        if int(job_id) % 3 == 0:
            return reply(429, retry_after="30")
        if int(job_id) % 3 == 1:
            return reply(500)
        return reply(200, CANCELLED)

    async def scene(seconds: float) -> None:
        vendors, read = Vendors({"pulse": answer}), []

        async def jobs() -> AsyncIterator[tuple[str, str]]:
            for job in pulse(200):
                read.append(job)
                yield job

        results = vendors.run(jobs(), concurrency=8)
        asyncio.get_running_loop().call_later(seconds, results.stop)
        received = [result async for result in results]
        sent = {job_id for *_, job_id, _ in vendors.sent}
        assert Counter(sent) == Counter(result.job_id for result in received)
        assert len(read) - len(sent) == results.unanswered
        for result in received:
            if int(result.job_id) % 3 == 0:
                assert (Outcome.RATE_LIMITED, 1) == (result.outcome, result.attempts)

    for seconds in (0.0, 0.05, 0.105, 0.2, 1.0, 3.0):
        play(scene(seconds))


# Errors in one job


@pytest.fixture
def _plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


class Broken:
    """A plug-in with a bug in one of its methods."""

    def __init__(self, name: str, method: str, kind: type[BaseException]) -> None:
        self.name, self.credentials_of = name, None
        self._method, self._kind = method, kind

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return self._fail
        return getattr(PULSE, name)

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise self._kind("oh, sk-very-secret")


@pytest.mark.parametrize("method", ["read_cancel", "cancel_request", "refuse", "must_read_first"])
@pytest.mark.usefixtures("_plug_in")
def test_a_bug_in_a_plug_in_makes_its_jobs_unknown(method: str) -> None:
    registry._registered["broken"] = Broken("broken", method, ZeroDivisionError)

    async def scene() -> list[CancelResult]:
        vendors = Vendors({"pulse": after(0.05, 404), "broken": after(0.05, 404)})
        jobs = [*pulse(20), *(("broken", f"b-{number}") for number in range(20))]
        return [result async for result in vendors.run(jobs)]

    received = play(scene())
    assert 40 == len({result.job_id for result in received}) == len(received)
    broken = [result for result in received if result.provider == "broken"]
    assert {Outcome.UNKNOWN} == {result.outcome for result in broken}
    assert all("ZeroDivisionError" in result.message for result in broken)
    assert {Outcome.NOT_FOUND} == {r.outcome for r in received if r.provider == "pulse"}


@pytest.mark.usefixtures("_plug_in")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_system_exit_is_raised_after_the_results(kind: type[BaseException]) -> None:
    registry._registered["broken"] = Broken("broken", "read_cancel", kind)

    async def scene() -> list[CancelResult]:
        vendors = Vendors({"broken": after(0.05, 404)})
        results = vendors.run([("broken", "1"), ("broken", "2")])
        received = [await anext(results), await anext(results)]
        with pytest.raises(kind):
            await anext(results)
        return received

    assert {"1", "2"} == {result.job_id for result in play(scene())}


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, asyncio.CancelledError])
def test_an_error_in_a_client_hook_makes_its_job_unknown(
    error: type[BaseException],
) -> None:
    async def raise_for_status(response: httpx.Response) -> None:
        response.raise_for_status()
        raise error("a hook, key")

    async def scene() -> tuple[list[CancelResult], int]:
        async def answer(_method: str, job_id: str) -> httpx.Response:
            return reply(200, CANCELLED) if int(job_id) % 2 else reply(404)

        vendors = Vendors({"pulse": answer})
        client = {"event_hooks": {"response": [raise_for_status]}}
        received = [result async for result in vendors.run(pulse(40), client=client)]
        return received, len(vendors.sent)

    received, sent = play(scene())
    assert (40, 40) == (len({result.job_id for result in received}), sent)
    assert ({Outcome.UNKNOWN}, {1}) == (
        {r.outcome for r in received},
        {r.attempts for r in received},
    )


def test_every_job_has_a_result_without_free_file_descriptors(sandbox: Sandbox) -> None:
    code = """
import resource, sys
from jobcancel import cancel_many
jobs = [("pulse", f"j-{n}") for n in range(60)]
results = cancel_many(iter(jobs), deadline=2, concurrency=40)
first = next(results)
used = len(__import__("os").listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (used + 3, used + 3))
received = [first, *results]
print(len(received), len({r.job_id for r in received}), sorted({str(r.outcome) for r in received}))
"""
    for transport in ("aiohttp", "httpx"):
        done = run_code(sandbox, code, JOBCANCEL_TRANSPORT=transport)
        assert 0 == done.returncode, done.stderr
        assert re.match(r"60 60 \['not-found'(, 'unknown')?\]\n", done.stdout), done.stdout


@pytest.mark.usefixtures("_plug_in")
def test_a_plug_in_that_fails_before_sending_is_unknown_without_keys() -> None:
    class Nowhere(Broken):
        @property
        def default_url(self) -> str:
            return str(self._fail())

    registry._registered["broken"] = Nowhere("broken", "", ZeroDivisionError)

    async def scene() -> tuple[list[CancelResult], list[str]]:
        vendors = Vendors({"api": after(0.05)})
        canceller = AsyncCanceller(
            http_client=httpx.AsyncClient(transport=httpx.MockTransport(vendors)),
            api_keys={"pulse": "key", "broken": "sk-very-secret"},
            base_urls={"pulse": "https://api.example"},
        )
        jobs = [("broken", "1"), *pulse(2), ("broken", "2")]
        results = await _list(canceller.cancel_many(jobs))
        return results, [vendor for vendor, *_ in vendors.sent]

    received, sent = play(scene())
    broken = {result.job_id: result for result in received if result.provider == "broken"}
    assert (4, {"1", "2"}, ["api", "api"]) == (len(received), set(broken), sent)
    for result in broken.values():
        assert (Outcome.UNKNOWN, 0) == (result.outcome, result.attempts)
        assert result.message == "an unexpected error: ZeroDivisionError: oh, [redacted]"


def test_an_error_in_a_trial_request_does_not_block_the_lane() -> None:
    errors: list[str] = []

    async def answer(_method: str, job_id: str) -> httpx.Response:
        if now() < 0.2:
            raise httpx.ConnectError("refused")
        if not errors:
            errors.append(job_id)
            raise ZeroDivisionError
        return reply(200, CANCELLED)

    received = play(_all_of(Vendors({"pulse": answer})))
    unknown = [result.job_id for result in received if result.outcome is Outcome.UNKNOWN]
    assert (30, errors) == (len(received), unknown)
    assert {Outcome.CANCELLED: 29, Outcome.UNKNOWN: 1} == Counter(r.outcome for r in received)


def test_a_turn_granted_to_a_cancelled_job_uses_no_capacity() -> None:
    async def scene() -> None:
        canceller = AsyncCanceller(api_keys={"pulse": "key"})
        entry = QueuedJob(("pulse", "1", ()), canceller.prepare("pulse", "1"))
        lane = Lane(Pace(most=4, fixed=None, now=now()))
        sender = Sender(ClientPool(), Clock(monotonic=now), asyncio.Event())
        entry.begin(flow.cancel(entry.call), now())
        task = asyncio.create_task(sender.turn(lane, entry))
        await asyncio.sleep(0)
        (turn,) = lane.turns
        task.cancel()
        sender.grant(lane, turn, now())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (0, {}, 0) == (sender.in_flight, lane.in_flight, len(lane.turns))

    play(scene())


# Logging


@pytest.fixture
def _reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_reported", set())


@pytest.mark.usefixtures("_reported")
@pytest.mark.parametrize("way", ["structlog", "filter"])
def test_a_logging_error_changes_no_outcome_and_is_reported_once(
    way: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    caplog.set_level(logging.DEBUG, logger="jobcancel")
    if way == "structlog":
        structlog.configure(processors=[fail])
    else:
        logging.getLogger("jobcancel").addFilter(fail)
    try:
        received = play(_all_of(Vendors({"pulse": after(0.05)})))
    finally:
        structlog.reset_defaults()
        logging.getLogger("jobcancel").removeFilter(fail)
    assert {Outcome.CANCELLED: 30} == Counter(result.outcome for result in received)
    assert 1 == capsys.readouterr().err.count("logging of 'jobcancel.cancel.sent' failed")


async def _all_of(vendors: Vendors) -> list[CancelResult]:
    return [result async for result in vendors.run(pulse(30))]


@pytest.mark.usefixtures("_reported")
def test_logging_errors_are_silent_without_raise_exceptions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(logging, "raiseExceptions", False)
    structlog.configure(processors=[fail])
    try:
        log.emit(logging.INFO, "cancel.sent")
    finally:
        structlog.reset_defaults()
    assert "" == capsys.readouterr().err


# Processes


def run_code(
    sandbox: Sandbox, code: str, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, **sandbox.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.fixture
def stalled(sandbox: Sandbox) -> Sandbox:
    """A sandbox with many jobs whose requests are not answered for a minute."""
    for number in range(50):
        sandbox.fault("pulse", f"stalled-{number}", Fault(stall=60.0), times=None)
    return sandbox


ABANDONED = """
import sys
from jobcancel import cancel_many
jobs = [("pulse", "unknown"), *(("pulse", f"stalled-{n}") for n in range(50))]
results = cancel_many(jobs, timeout=60, deadline=60, max_wait=60)
print(next(results).outcome, flush=True)
"""

# Prints a line as soon as the main thread waits for a result.
WAITING = """
import signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever it was inherited as
from jobcancel.bulk.background import Background
main = threading.get_ident()
def watch():
    while sys._current_frames()[main].f_code is not Background.next.__code__:
        time.sleep(0.01)
    print("waiting", flush=True)
threading.Thread(target=watch).start()
for result in results: pass
"""


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("raise ZeroDivisionError", 1, "ZeroDivisionError"),
        (WAITING, 1, "KeyboardInterrupt"),
        ("del results; import gc; gc.collect()", 0, ""),
    ],
    ids=["end", "exit", "error", "signal", "garbage"],
)
def test_a_process_that_abandons_a_run_exits_at_once(
    stalled: Sandbox, how: str, status: int, message: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "always::ResourceWarning", "-c", ABANDONED + how],
        env={**os.environ, **stalled.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "not-found\n" == process.stdout.readline()
            if message == "KeyboardInterrupt":
                assert "waiting\n" == process.stdout.readline()
                until(lambda: any("stalled" in request.path for request in stalled.requests))
                process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=15)
        finally:
            process.kill()
    assert status == process.returncode
    assert message in err
    assert ("unclosed results of cancel_many" in err) == (message != "KeyboardInterrupt")
    assert "Fatal" not in err


def test_a_run_raises_in_a_forked_process(stalled: Sandbox) -> None:
    code = """
import os
if (child := os.fork()) == 0:
    try:
        next(results)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    results.stop(); results.close()
    sys.exit(0)
print(os.waitpid(child, 0)[1])
results.close()
"""
    quiet = "ignore:This process:DeprecationWarning"  # which has threads
    done = run_code(stalled, ABANDONED + code, "-W", quiet)
    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith(
        "not-found\nConfigurationError this run belongs to the parent process"
    )
    assert done.stdout.endswith("\n0\n")
    assert "" == done.stderr


def test_a_forked_process_does_not_stop_its_parents_async_run(
    stalled: Sandbox,
) -> None:
    code = """
import asyncio, os
from jobcancel import acancel_many
async def main():
    jobs = [("pulse", "unknown"), ("pulse", "stalled-1")]
    results = acancel_many(jobs, timeout=60, deadline=60)
    print((await anext(results)).outcome, flush=True)
    if (child := os.fork()) == 0:
        results.stop()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
    results.stop()
    await results.aclose()
    print([result.outcome async for result in results])
asyncio.run(main())
"""
    done = run_code(stalled, code)
    assert "not-found\n0\n[<Outcome.UNKNOWN: 'unknown'>]\n" == done.stdout, done.stderr


def test_several_threads_may_take_results(sandbox: Sandbox) -> None:
    jobs = [("pulse", sandbox.submit("pulse", **RUNNING)) for _ in range(60)]
    results = cancel_many(jobs, **where(sandbox))
    received: list[CancelResult] = []
    threads = [threading.Thread(target=lambda: received.extend(results)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(job_id for _, job_id in jobs) == sorted(result.job_id for result in received)


def test_an_async_run_raises_in_another_event_loop(sandbox: Sandbox) -> None:
    results = acancel_many(pulse(2), **where(sandbox))

    async def first() -> CancelResult:
        return await anext(results)

    async def second() -> None:
        with pytest.raises(ConfigurationError, match="belong to another event loop"):
            await anext(results)
        await results.aclose()
        results.stop()

    assert Outcome.NOT_FOUND is asyncio.run(first()).outcome
    asyncio.run(second())


def test_dropping_the_results_ends_their_run() -> None:
    async def scene() -> tuple[int, int]:
        vendors = Vendors({"pulse": after(1.0)})
        results = vendors.run(pulse(1000))
        await anext(results)
        with pytest.warns(ResourceWarning, match="unclosed results of acancel_many"):
            del results
        await asyncio.sleep(0.1)
        sent = len(vendors.sent)
        await asyncio.sleep(60)
        return sent, len(vendors.sent)

    before, later = play(scene())
    assert before == later < 100


def test_cancel_many_works_under_trio(sandbox: Sandbox) -> None:
    async def run() -> list[CancelResult]:
        return list(cancel_many(pulse(3), **where(sandbox)))

    assert {Outcome.NOT_FOUND} == {result.outcome for result in anyio.run(run, backend="trio")}


def test_a_permanently_rate_limited_run_ends() -> None:
    async def scene() -> tuple[Counter[Outcome], float]:
        vendors = Vendors({"pulse": after(0.01, 429, {}, retry_after="1")})
        received = [result async for result in vendors.run(pulse(100), max_wait=10)]
        return Counter(result.outcome for result in received), now()

    outcomes, seconds = play(scene())
    assert {Outcome.RATE_LIMITED: 100} == outcomes
    assert seconds < 15


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
def test_a_run_that_is_left_early_leaves_no_connection_open(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", transport)
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: unraisable.append(error.exc_value))
    options: dict[str, Any] = {"api_keys": sandbox.api_keys, "base_urls": sandbox.base_urls}
    jobs = [("pulse", sandbox.submit("pulse")) for _ in range(12)]

    async def leave() -> None:
        async with AsyncCanceller(**options) as canceller:
            results = canceller.cancel_many(jobs, concurrency=3)
            await anext(results)
            await results.aclose()

    for _ in range(15):
        asyncio.run(leave())
        gc.collect()
    assert [] == unraisable
