"""A run of many jobs in a thread of its own, for sync code.

The thread is a daemon with its own event loop: a process that abandons a run ends at once. What
asks for results and the thread have nothing in common but a queue, which a signal may interrupt
at any moment without a result being lost.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue

from attrs import define, field

from jobcancel.bulk.scheduler import Scheduler
from jobcancel.bulk.sender import CLOSED
from jobcancel.models import CancelResult

UNCLOSED = "unclosed results of {}; use them in a `with`, or take them all"

# Seconds that the thread gets to end: when it is closed, and when the process ends.
_CLOSING, _EXITING = 5.0, 1.0
# Seconds after which a wait for a result begins anew: Python handles a signal that arrives just
# before a wait, such as Ctrl-C, only when the wait has ended.
_SIGNAL_DELAY = 0.5


@define(eq=False)
class Background:
    """A run, which begins when the first result is asked for.

    Args:
        start: begins the run, in its event loop.

    Attributes:
        process: the process that it belongs to.
    """

    start: Callable[[], Scheduler]
    process: int = field(init=False, factory=os.getpid)
    _results: SimpleQueue[CancelResult | None] = field(init=False, factory=SimpleQueue)
    _unstarted: threading.Lock = field(init=False, factory=threading.Lock)
    _thread: threading.Thread | None = field(init=False, default=None)
    _loop: asyncio.AbstractEventLoop | None = field(init=False, default=None)
    _bulk: Scheduler | None = field(init=False, default=None)
    _taken: asyncio.Event = field(init=False, factory=asyncio.Event)
    _error: BaseException | None = field(init=False, default=None)
    _given: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=False)
    _closed: bool = field(init=False, default=False)

    def next(self) -> CancelResult | None:
        """Wait for a result and return it; None at the end.

        Raises:
            BaseException: what the run ended with.
        """
        if self._unstarted.acquire(blocking=False):
            self._begin()
        while True:
            try:
                result = self._results.get(block=not self._closed, timeout=_SIGNAL_DELAY)
            except Empty:
                if self._closed:  # it cannot end: something there blocks
                    return None
            else:
                break
        if result is not None:
            self._given += 1
            if self._results.empty():
                self._tell(self._taken.set)
            return result
        self._results.put(None)  # for whoever asks next
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return None

    def stop(self) -> None:
        """Send nothing more; what is on its way is answered."""
        self._stopped = True
        if self._bulk is not None:
            self._tell(self._bulk.stop)

    def abandon(self) -> None:
        """Send nothing more, and do not wait for what is on its way."""
        self._closed = True
        if (bulk := self._bulk) is not None:
            # At once, even while something blocks the event loop.
            bulk.sender.halt = CLOSED
            self._tell(lambda: self._let_go(bulk))

    def close(self, seconds: float = _CLOSING) -> None:
        """Send nothing more, and wait until the thread has ended, but no longer than so."""
        self.abandon()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    @property
    def is_left_open(self) -> bool:
        """Whether the run was begun in this process, and neither taken to its end nor closed."""
        if self._closed or self.process != os.getpid() or not self._thread:
            return False
        bulk = self._bulk
        return bulk is None or bulk.has_more or bulk.count.answered > self._given

    def _begin(self) -> None:
        if self._stopped or self._closed:
            self._results.put(None)
            return
        context = copy_context()  # for what the application binds to its log events
        name = "jobcancel-many"
        thread = threading.Thread(target=context.run, args=[self._main], name=name, daemon=True)
        _running.add(self)
        try:
            thread.start()
        except BaseException:
            _running.discard(self)
            self._results.put(None)
            raise
        self._thread = thread

    def _main(self) -> None:
        if (sniffio := sys.modules.get("sniffio")) is not None:
            # The caller may run under trio.
            sniffio.current_async_library_cvar.set("asyncio")
        try:
            with asyncio.Runner() as runner:
                try:
                    runner.run(self._deliver())
                finally:
                    # Whatever is left in the event loop, the results are complete.
                    self._results.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where results are asked for
            self._error = error
            self._results.put(None)
        finally:
            _running.discard(self)

    async def _deliver(self) -> None:
        """Put the results into the queue, no more at a time than are taken."""
        self._loop = asyncio.get_running_loop()
        self._bulk = bulk = self.start()
        # What was asked for in the meantime had nobody to tell it to.
        if self._closed:
            bulk.abandon()
        elif self._stopped:
            bulk.stop()
        try:
            while (result := await bulk.next()) is not None:
                self._taken.clear()
                self._results.put(result)
                if not bulk.results and not self._closed:
                    await self._taken.wait()
        except BaseException as error:  # noqa: BLE001 - likewise
            self._error = error

    def _let_go(self, bulk: Scheduler) -> None:
        bulk.abandon()
        self._taken.set()

    def _tell(self, what: Callable[[], object]) -> None:
        """Have something done in the thread's event loop."""
        if self._loop is not None and self.process == os.getpid():
            with contextlib.suppress(RuntimeError):  # the event loop is closed: it has ended
                self._loop.call_soon_threadsafe(what)


_running: set[Background] = set()
# In a forked process, the threads of its parent are not there.
os.register_at_fork(after_in_child=_running.clear)


@atexit.register
def _end_all() -> None:
    """End what still runs, so that no thread is in the middle of it when the interpreter goes."""
    runs = list(_running)
    left_open = any(run.is_left_open for run in runs)
    for run in runs:
        run.abandon()
    for run in runs:
        run.close(_EXITING / len(runs))
    if left_open:
        warnings.warn(UNCLOSED.format("cancel_many"), ResourceWarning, stacklevel=1)
