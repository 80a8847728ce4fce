"""Runs one measurement of the guard, or of what it is compared with, in a process of its own.

`guard` starts it, with the vendor's key and base URL in the environment. It prints the result as
one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

from benchmarks.clients import KEY, gathered, job_ids
from benchmarks.measure import timed
from jobcancel import Outcome, guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.guard import Guard
    from jobcancel.guard.block import Supervise

    Figures = dict[str, float | list[float]]

JOBS = 200
"""The number of jobs that one guard holds."""
CONCURRENCY = 32
"""The requests in flight when jobs are cancelled: the guard's own number, also for its peers."""

_BATCHES = 50
_BLOCKS = 500


class _Failure(Exception):
    """What leaves the blocks."""


def _forget(job_id: str) -> None:
    """Stand for a cancel; the cost of registering does not depend on what is registered."""


# --- Registering jobs: seconds per job, by batch ---


def atexit_register() -> Figures:
    """Register a function per job that runs at exit."""

    def add(ids: list[str]) -> float:
        def run() -> None:
            for job_id in ids:
                atexit.register(_forget, job_id)

        seconds = timed(run)
        atexit.unregister(_forget)
        return seconds

    return _batches(add)


def exit_stack_callback() -> Figures:
    """Register a function per job that runs at the end of a block."""

    def add(ids: list[str]) -> float:
        with ExitStack() as stack:

            def run() -> None:
                for job_id in ids:
                    stack.callback(_forget, job_id)

            seconds = timed(run)
            stack.pop_all()
        return seconds

    return _batches(add)


def add_unsupervised() -> Figures:
    """Add jobs to a guard without a supervisor."""
    return _batches(lambda ids: _add("no", ids))


def add_supervised() -> Figures:
    """Add jobs to a guard with a supervisor that runs."""

    def add(ids: list[str]) -> float:
        _wait_for_supervisor()  # it has read the messages of the last batch
        return _add("auto", ids)

    return _batches(add)


def _add(supervise: Supervise, ids: list[str]) -> float:
    with guard(supervise=supervise) as held:

        def run() -> None:
            for job_id in ids:
                held.add("pulse", job_id)

        return timed(run)


def _batches(add: Callable[[list[str]], float]) -> Figures:
    ids = list(job_ids(JOBS))
    add(ids)  # warm up
    return {"seconds": [add(ids) / JOBS for _ in range(_BATCHES)]}


# --- Blocks with one job that end normally: seconds per block ---


def block_unsupervised() -> Figures:
    """Enter and leave blocks without a supervisor."""
    return _blocks("no")


def block_supervised() -> Figures:
    """Enter and leave blocks with a supervisor that runs."""
    _wait_for_supervisor()
    return _blocks("auto")


def _blocks(supervise: Supervise) -> Figures:
    def run() -> None:
        with guard("pulse", "abc123-def456-ghi789", supervise=supervise):
            pass

    run()  # warm up
    return {"seconds": [timed(run) for _ in range(_BLOCKS)]}


# --- Starting a supervisor ---


def start_process() -> Figures:
    """Start a Python process, and do not wait for it."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", ""]):
        seconds = time.perf_counter() - began
    return {"seconds": [seconds]}


def start_supervisor() -> Figures:
    """Add a first job with a supervisor; everything that adding needs is loaded before."""
    _add("no", ["abc123-def456-ghi789"])
    return {"seconds": [_add("auto", ["abc123-def456-ghi789"])]}


# --- Jobs whose caller is killed ---


def hold() -> Figures:
    """Hold the jobs until this process is killed, or its standard input ends."""
    _wait_for_supervisor()
    with _holding():
        sys.stdout.write(f"{os.getpid()}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return {}


# --- Jobs whose block is left by an exception: seconds from the exception to the end of the block


def leave() -> Figures:
    """Leave a sync block."""
    began = 0.0
    with suppress(_Failure), _holding() as held:
        began = time.perf_counter()
        _fail()
    return {"seconds": [time.perf_counter() - began], "cancelled": _cancelled(held)}


def aleave() -> Figures:
    """Leave an async block."""

    async def run() -> Figures:
        began = 0.0
        with suppress(_Failure):
            async with _holding() as held:
                began = time.perf_counter()
                _fail()
        return {"seconds": [time.perf_counter() - began], "cancelled": _cancelled(held)}

    return asyncio.run(run())


def leave_exit_stack() -> Figures:
    """Cancel with the vendor's SDK in an `ExitStack`, which cancels one job after another."""
    from pulse import Pulse

    pulse = Pulse(api_key=KEY, base_url=_base_url())
    began = 0.0
    with suppress(_Failure), ExitStack() as stack:
        for job_id in job_ids(JOBS):
            stack.callback(pulse.jobs.cancel_job, job_id)
        began = time.perf_counter()
        _fail()
    return {"seconds": [time.perf_counter() - began], "cancelled": JOBS}


def leave_threads() -> Figures:
    """Cancel with the vendor's SDK in threads, in an `except`."""
    from pulse import Pulse

    pulse = Pulse(api_key=KEY, base_url=_base_url())
    began = time.perf_counter()
    try:
        _fail()
    except _Failure:
        with ThreadPoolExecutor(CONCURRENCY) as threads:
            replies = list(threads.map(pulse.jobs.cancel_job, job_ids(JOBS)))
    return {"seconds": [time.perf_counter() - began], "cancelled": len(replies)}


def aleave_gather() -> Figures:
    """Cancel with the vendor's async SDK and `gather`, in an `except`."""
    from pulse import AsyncPulse, DefaultAioHttpClient

    async def run() -> Figures:
        async with DefaultAioHttpClient() as client:
            pulse = AsyncPulse(api_key=KEY, base_url=_base_url(), httpx_client=client)

            async def cancel(job_id: str) -> bool:
                return bool((await pulse.jobs.cancel_job(job_id)).job_id == job_id)

            began = time.perf_counter()
            try:
                _fail()
            except _Failure:
                cancelled = await gathered(job_ids(JOBS), CONCURRENCY, cancel)
            return {"seconds": [time.perf_counter() - began], "cancelled": cancelled}

    return asyncio.run(run())


def _fail() -> NoReturn:
    raise _Failure


def _holding() -> Guard:
    held = guard()
    for job_id in job_ids(JOBS):
        held.add("pulse", job_id)
    return held


def _cancelled(held: Guard) -> int:
    return sum(result.outcome is Outcome.CANCELLED for result in held.results)


def _base_url() -> str:
    return os.environ["PULSE_BASE_URL"]


def _wait_for_supervisor() -> None:
    guard(supervise="required")


MEASUREMENTS: dict[str, Callable[[], Figures]] = {
    each.__name__: each
    for each in (
        atexit_register,
        exit_stack_callback,
        add_unsupervised,
        add_supervised,
        block_unsupervised,
        block_supervised,
        start_process,
        start_supervisor,
        hold,
        leave,
        aleave,
        leave_exit_stack,
        leave_threads,
        aleave_gather,
    )
}


def main() -> None:
    """Run the measurement named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurement", choices=MEASUREMENTS)
    asked = parser.parse_args()
    sys.stdout.write(json.dumps(MEASUREMENTS[asked.measurement]()) + "\n")


if __name__ == "__main__":
    main()
