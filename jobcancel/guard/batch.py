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
# Waits of this length without an answer, after which the threads of a handler seem to be stuck.
_STUCK = 4
# Seconds, for the connections of exchanges that are cut off.
_CLOSING = 0.2
# So many cancellations of a task are overlooked.
_OVERLOOKED = 3


class Batch:
    """Jobs that are cancelled together. A wait may be interrupted and begun again.

    Args:
        jobs: the jobs.
        seconds: how long this may take in all.

    Attributes:
        is_begun: whether anything was tried.
    """

    def __init__(self, jobs: Iterable[Held], seconds: float) -> None:
        self.is_begun = False
        self._jobs = list(jobs)
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._queue = deque(self._jobs)
        self._answers: dict[Held, CancelResult] = {}
        self._answered: SimpleQueue[None] = SimpleQueue()
        self._threads = 0

    def run(self, *, in_handler: bool = False) -> BaseException | None:
        """Cancel the jobs in threads; go on after a first interrupt, such as Ctrl-C.

        Args:
            in_handler: whether a signal handler calls. The code that the signal interrupted may
                hold a lock, such as that of a log, for which the threads would wait in vain. So
                they log nothing, and this thread does its share, and theirs if they are stuck.

        Returns:
            the exception that the handler of the first interrupt raised.

        Raises:
            BaseException: the exception of a second interrupt.
        """
        try:
            self.is_begun = True
            self._start_threads(len(self._jobs) - in_handler, is_muted=in_handler)
            self._proceed(in_handler=in_handler)
        except BaseException as interrupt:  # noqa: BLE001 - handlers may raise anything
            overlooked = interrupt
        else:
            return None
        self._log_interrupt(overlooked)
        self._proceed(in_handler=in_handler)
        return overlooked

    async def run_shielded(self) -> BaseException | None:
        """Cancel the jobs in the running event loop, even if the current task is cancelled.

        Returns:
            the last cancellation of the task meanwhile. A few are overlooked.
        """
        import anyio  # comes with httpx

        self.is_begun = True
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

    def _start_threads(self, number: int, *, is_muted: bool) -> None:
        def work() -> None:
            with log.muted(is_muted):
                self._work()

        for _ in range(min(_CONCURRENCY, number)):
            try:
                start(work)
            except RuntimeError:
                return
            self._threads += 1

    def _proceed(self, *, in_handler: bool) -> None:
        """Wait until all jobs are answered, or the time is up."""
        if in_handler or not self._threads:
            self._work()
        waits = 0
        while (left := self._left) > 0 and len(self._answers) < len(self._jobs):
            try:
                self._answered.get(timeout=min(left, _SIGNAL_DELAY))
                waits = 0
            except Empty:
                waits += 1
            if in_handler and waits == _STUCK:
                self._queue += [held for held in self._jobs if held not in self._answers]
                self._work()

    def _work(self) -> None:
        while (held := self._next()) is not None:
            try:
                self._answer(held, held.cancel(self._left))
            except BaseException:  # the handler of an interrupt raised
                self._queue.appendleft(held)
                raise

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
