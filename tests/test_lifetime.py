"""Many concurrent calls, and calls that are cancelled or interrupted."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING

import pytest

from jobcancel import AsyncCanceller, Canceller, JobState, Outcome
from jobcancel.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.sandbox import Sandbox


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "the condition did not become true"
        time.sleep(0.01)


def sandbox_connections() -> list[object]:
    """Return the open connections of this process's event loops."""
    kinds = ("_SelectorSocketTransport",)
    return [
        thing
        for thing in gc.get_objects()
        if type(thing).__name__ in kinds and not thing.is_closing()
    ]


def test_a_thousand_tasks_get_true_outcomes(sandbox: Sandbox) -> None:
    """A quarter of the jobs each: running, completed, running with a lost reply, unknown."""
    kinds: tuple[tuple[dict[str, float], Outcome], ...] = (
        ({"pending": 0.0, "running": 1e6}, Outcome.CANCELLED),
        ({"pending": 0.0, "running": 0.0}, Outcome.ALREADY_TERMINAL),
        ({"pending": 0.0, "running": 1e6}, Outcome.CANCELLED),
        ({}, Outcome.NOT_FOUND),
    )
    expected = {}
    for number in range(1000):
        settings, outcome = kinds[number % 4]
        job_id = sandbox.submit("pulse", **settings) if settings else f"unknown-{number}"  # type: ignore[arg-type]
        if number % 4 == 2:
            sandbox.fault("pulse", job_id, Fault(drop=True, apply=True))
        expected[job_id] = outcome

    async def run() -> dict[str, Outcome]:
        settings = {"base_urls": sandbox.base_urls, "api_keys": sandbox.api_keys}
        async with AsyncCanceller(**settings) as canceller:  # type: ignore[arg-type]
            calls = [canceller.cancel("pulse", job_id) for job_id in expected]
            return {result.job_id: result.outcome for result in await asyncio.gather(*calls)}

    assert expected == asyncio.run(run())


@pytest.fixture
def stalled(sandbox: Sandbox) -> str:
    """A job whose first cancel request gets no reply for a minute."""
    job_id = sandbox.submit("pulse", pending=0.0, running=1e6)
    sandbox.fault("pulse", job_id, Fault(stall=60.0))
    return job_id


def test_a_cancelled_task_leaves_no_connection_or_task_open(sandbox: Sandbox, stalled: str) -> None:
    async def run() -> Outcome:
        settings = {"base_urls": sandbox.base_urls, "api_keys": sandbox.api_keys}
        async with AsyncCanceller(**settings, timeout=60) as canceller:  # type: ignore[arg-type]
            task = asyncio.create_task(canceller.cancel("pulse", stalled))
            await asyncio.to_thread(wait_until, lambda: sandbox.requests)
            before = asyncio.all_tasks()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0)
            assert before - {task} == asyncio.all_tasks()
            ours = [connection for connection in sandbox_connections() if _is_client(connection)]
            assert [] == ours
            return (await canceller.cancel("pulse", stalled)).outcome

    def _is_client(connection: object) -> bool:
        port = int(sandbox.url.rpartition(":")[2])
        peer = connection.get_extra_info("peername")  # type: ignore[attr-defined]
        return bool(peer) and peer[1] == port

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Outcome.CANCELLED is asyncio.run(run())
        gc.collect()


def test_a_keyboard_interrupt_leaves_the_client_usable(sandbox: Sandbox, stalled: str) -> None:
    def interrupt() -> None:
        wait_until(lambda: sandbox.requests)
        os.kill(os.getpid(), signal.SIGINT)

    settings = {"base_urls": sandbox.base_urls, "api_keys": sandbox.api_keys}
    with Canceller(**settings, timeout=60) as canceller:  # type: ignore[arg-type]
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            canceller.cancel("pulse", stalled)
        assert Outcome.CANCELLED is canceller.cancel("pulse", stalled).outcome
    assert JobState.CANCELLED is sandbox.job("pulse", stalled).state


INTERRUPTED = """
import asyncio, os, signal, sys, threading, time
from jobcancel import acancel
async def main():
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    await acancel("pulse", sys.argv[1], timeout=60)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_keyboard_interrupt_of_the_event_loop_is_clean(sandbox: Sandbox, stalled: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", INTERRUPTED, stalled],
        env={**os.environ, **sandbox.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ("interrupted\n", "") == (done.stdout, done.stderr)


LOOPS = """
import asyncio, gc, os, sys, weakref
import anyio
from jobcancel import acancel, astatus
loops, descriptors = [], []
async def main():
    if sys.argv[1] == "asyncio":
        loops.append(weakref.ref(asyncio.get_running_loop()))
    else:
        import trio
        loops.append(weakref.ref(trio.lowlevel.current_trio_token()))
    await astatus("pulse", "unknown")
    await acancel("pulse", "unknown")
for _ in range(8):
    if len(sys.argv) > 2:
        asyncio.run(main())
    else:
        anyio.run(main, backend=sys.argv[1])
    gc.collect()
    descriptors.append(len(os.listdir("/proc/self/fd")))
print([loop() is None for loop in loops].count(False), descriptors[1] == descriptors[-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
@pytest.mark.parametrize("by", ["aiohttp", "httpx"])
@pytest.mark.parametrize("runner", [["asyncio", "run"], ["asyncio"], ["trio"]])
def test_an_event_loop_that_ended_is_garbage_collected(
    sandbox: Sandbox, by: str, runner: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOPS, *runner],
        env={**os.environ, **sandbox.environ, "JOBCANCEL_TRANSPORT": by},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ("0 True\n", "") == (done.stdout, done.stderr)


AT_EXIT = """
import atexit
def at_exit():
    for _ in range(2):
        print(jobcancel.cancel("pulse", "unknown").outcome, flush=True)
atexit.register(at_exit)
import jobcancel
if {first}:
    jobcancel.cancel("pulse", "unknown")
"""


@pytest.mark.parametrize("first", [True, False])
def test_an_exit_handler_that_cancels_leaves_nothing_open(sandbox: Sandbox, *, first: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", AT_EXIT.format(first=first)],
        env={**os.environ, **sandbox.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ("not-found\nnot-found\n", "") == (done.stdout, done.stderr)
