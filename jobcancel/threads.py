"""Runs functions in other threads.

It is safe in signal handlers at any moment. `threading.Thread` is not: it uses locks, and the
thread that the handler interrupted may hold one of them.
"""

from __future__ import annotations

import _thread
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def start(work: Callable[[], object]) -> None:
    """Start a thread; the process does not wait for it.

    Args:
        work: what the thread does; it must not raise.

    Raises:
        RuntimeError: no thread can be started: the platform has none, there are too many, or the
            interpreter is shutting down.
    """

    def run() -> None:  # pragma: no cover - tracing starts with the function that it calls
        sys.settrace(threading.gettrace())  # like `threading`
        work()

    _thread.start_new_thread(run, ())


def call_in_thread(work: Callable[[], T], seconds: float | None) -> T:
    """Run a function in another thread; return what it returns, or raise what it raises.

    Args:
        work: the function. It keeps running after a timeout.
        seconds: how long to wait, in seconds; None to wait without a limit.

    Raises:
        TimeoutError: the function did not return in time.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()
    done.acquire()

    def work_and_report() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
            errors.append(error)
        finally:
            done.release()

    try:
        start(work_and_report)
    except RuntimeError:
        return work()
    if not done.acquire(timeout=-1 if seconds is None else seconds):
        raise TimeoutError(f"not finished within {seconds:g} seconds")
    if errors:
        raise errors[0]
    return results[0]
