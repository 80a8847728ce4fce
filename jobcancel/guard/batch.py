"""Cancels the jobs of a guard within a limited time, in sync and in async code.

The sync code may run in a signal handler, in an exit handler, or while an event loop is closing.
It therefore uses plain threads, and no lock that the interrupted code may hold.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from jobcancel import log
from jobcancel.threads import start

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobcancel.guard.held import Held
    from jobcancel.models import CancelResult

_CONCURRENCY = 32
# Seconds. Python handles a signal that arrives just before a wait only after the wait.
_SIGNAL_DELAY = 0.5
# Seconds, for the connections of exchanges that are cut off.
_CLOSING = 0.2
# So many cancellations of a task are overlooked.
_OVERLOOKED = 3


class Batch:
    """Jobs that are cancelled together. A wait may be interrupted and begun again.

    Args:
        jobs: the jobs.
        seconds: how long this may take in all.
    """

    def __init__(self, jobs: Iterable[Held], seconds: float) -> None:
        self._jobs = list(jobs)
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._queue = deque(self._jobs)
        self._answers: dict[Held, CancelResult] = {}
        self._answered: SimpleQueue[None] = SimpleQueue()
        self._threads = 0

    def run(self, *, quiet: bool = False) -> BaseException | None:
        """Cancel the jobs; go on after a first interrupt, such as Ctrl-C.

        Args:
            quiet: whether the threads log nothing. A signal handler must not wait for a thread
                that waits for the lock of a log file, which the interrupted code may hold.

        Returns:
            the exception that the handler of the first interrupt raised.

        Raises:
            BaseException: the exception of a second interrupt.
        """
        try:
            self._start_threads(quiet=quiet)
            self._proceed()
        except BaseException as interrupt:  # noqa: BLE001 - handlers may raise anything
            overlooked = interrupt
        else:
            return None
        self._log_interrupt(overlooked)
        self._proceed()
        return overlooked

    async def run_shielded(self) -> BaseException | None:
        """Cancel the jobs in the running event loop, even if the current task is cancelled.

        Returns:
            the last cancellation of the task meanwhile. A few are overlooked.
        """
        import anyio  # comes with httpx

        interrupt = None
        with anyio.CancelScope(shield=True):
            if _is_asyncio():
                interrupt = await self._run_in_own_task()
            else:  # trio, whose tasks are cancelled in scopes only
                await self._run_in_loop()
        return interrupt

    async def _run_in_own_task(self) -> BaseException | None:
        import asyncio

        task = asyncio.create_task(self._run_in_loop())
        interrupts: list[BaseException] = []
        while not task.done() and self._left > -_CLOSING and len(interrupts) <= _OVERLOOKED:
            try:
                await asyncio.wait([task], timeout=self._left + _CLOSING)
            except asyncio.CancelledError as interrupt:
                self._log_interrupt(interrupt)
                interrupts.append(interrupt)
        task.cancel()
        return interrupts[-1] if interrupts else None

    def _log_interrupt(self, interrupt: BaseException) -> None:
        log.guard_interrupted(len(self._jobs) - len(self._answers), type(interrupt).__name__)

    async def _run_in_loop(self) -> None:
        import anyio

        with anyio.move_on_after(self._left):
            async with anyio.create_task_group() as workers:
                for _ in range(min(_CONCURRENCY, len(self._jobs))):
                    workers.start_soon(self._work_in_loop)

    def results(self) -> dict[Held, CancelResult]:
        """Begin no more requests, and return the results; a job without one is `unknown`."""
        self._queue.clear()
        reason = f"no conclusive reply within {self._seconds:g} seconds"
        answers = dict(self._answers)
        return {
            held: answers[held] if held in answers else held.unanswered(reason)
            for held in self._jobs
        }

    @property
    def _left(self) -> float:
        """Seconds until the time is up."""
        return self._until - time.monotonic()

    def _start_threads(self, *, quiet: bool) -> None:
        def work() -> None:
            with log.muted(quiet):
                self._work()

        for _ in range(min(_CONCURRENCY, len(self._jobs))):
            try:
                start(work)
            except RuntimeError:
                return
            self._threads += 1

    def _proceed(self) -> None:
        """Wait until all jobs are answered, or the time is up; without threads, do the work."""
        if not self._threads:
            self._work()
            return
        while len(self._answers) < len(self._jobs) and (left := self._left) > 0:
            with suppress(Empty):
                self._answered.get(timeout=min(left, _SIGNAL_DELAY))

    def _work(self) -> None:
        while (held := self._next()) is not None:
            self._answer(held, held.cancel(self._left))

    async def _work_in_loop(self) -> None:
        while (held := self._next()) is not None:
            self._answer(held, await held.acancel(self._left))

    def _next(self) -> Held | None:
        with suppress(IndexError):
            return self._queue.popleft() if self._left > 0 else None
        return None

    def _answer(self, held: Held, result: CancelResult) -> None:
        self._answers[held] = result
        self._answered.put(None)


def _is_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.current_task() is not None
    except RuntimeError:  # no running event loop
        return False
