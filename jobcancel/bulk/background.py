"""A run of many jobs in a background thread, for sync code.

The thread is a daemon with its own event loop, so it never keeps the process from exiting. The
consumer and the thread share only a queue. A signal may interrupt the consumer at any moment
without losing a result.
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

UNCLOSED = "unclosed results of {}; use a `with` block, or iterate to the end"

# Seconds to wait for the thread to end: when the run is closed, and when the process exits.
_CLOSING, _EXITING = 5.0, 1.0
# Maximum of one wait for a result, in seconds: if a signal such as Ctrl-C arrives just before a
# wait, Python handles it only after the wait.
_SIGNAL_DELAY = 0.5


@define(eq=False)
class Background:
    """A run, which starts when the first result is requested.

    Args:
        start: starts the run, in its event loop.

    Attributes:
        process: the id of the process that the run belongs to.
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
    _returned: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=False)
    _closed: bool = field(init=False, default=False)

    def next(self) -> CancelResult | None:
        """Wait for a result and return it; None at the end.

        Raises:
            BaseException: the exception that ended the run.
        """
        if self._unstarted.acquire(blocking=False):
            self._start_thread()
        while True:
            try:
                result = self._results.get(block=not self._closed, timeout=_SIGNAL_DELAY)
            except Empty:
                if self._closed:  # the thread is blocked and cannot end
                    return None
            else:
                break
        if result is not None:
            self._returned += 1
            if self._results.empty():
                self._call_in_loop(self._taken.set)
            return result
        self._results.put(None)  # for the next caller
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return None

    def stop(self) -> None:
        """Stop sending; wait for requests in flight."""
        self._stopped = True
        if self._bulk is not None:
            self._call_in_loop(self._bulk.stop)

    def abandon(self) -> None:
        """Stop sending; do not wait for requests in flight."""
        self._closed = True
        if (bulk := self._bulk) is not None:
            # Effective immediately, even while something blocks the event loop.
            bulk.sender.halt = CLOSED
            self._call_in_loop(lambda: self._abandon(bulk))

    def close(self, seconds: float = _CLOSING) -> None:
        """Stop sending; wait at most `seconds` until the thread has ended."""
        self.abandon()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    @property
    def is_left_open(self) -> bool:
        """Whether the run was started in this process, and neither consumed nor closed."""
        if self._closed or self.process != os.getpid() or not self._thread:
            return False
        bulk = self._bulk
        return bulk is None or bulk.has_more or bulk.count.answered > self._returned

    def _start_thread(self) -> None:
        if self._stopped or self._closed:
            self._results.put(None)
            return
        context = copy_context()  # contains values that the application binds to its log events
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
                    # The results are complete, even if tasks are left in the event loop.
                    self._results.put(None)
        except BaseException as error:  # noqa: BLE001 - raised by `next`
            self._error = error
            self._results.put(None)
        finally:
            _running.discard(self)

    async def _deliver(self) -> None:
        """Put the results into the queue, no faster than they are consumed."""
        self._loop = asyncio.get_running_loop()
        self._bulk = bulk = self.start()
        # `abandon` or `stop` may have been called before there was a run.
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
        except BaseException as error:  # noqa: BLE001 - raised by `next`
            self._error = error

    def _abandon(self, bulk: Scheduler) -> None:
        bulk.abandon()
        self._taken.set()

    def _call_in_loop(self, function: Callable[[], object]) -> None:
        """Call a function in the thread's event loop."""
        if self._loop is not None and self.process == os.getpid():
            with contextlib.suppress(RuntimeError):  # the event loop is closed: the run has ended
                self._loop.call_soon_threadsafe(function)


_running: set[Background] = set()
# A forked process does not have the threads of its parent.
os.register_at_fork(after_in_child=_running.clear)


@atexit.register
def _end_all() -> None:
    """End all runs, so that none of their threads runs while the interpreter shuts down."""
    runs = list(_running)
    left_open = any(run.is_left_open for run in runs)
    for run in runs:
        run.abandon()
    for run in runs:
        run.close(_EXITING / len(runs))
    if left_open:
        warnings.warn(UNCLOSED.format("cancel_many"), ResourceWarning, stacklevel=1)
