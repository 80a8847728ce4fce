"""Runs a function in another thread while the caller waits, for a limited time.

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


def call_in_thread(work: Callable[[], T], seconds: float | None) -> T:
    """Return what `work` returns, or raise what it raises.

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

    def run() -> None:  # pragma: no cover - tracing starts with the function that it calls
        sys.settrace(threading.gettrace())  # like `threading`
        work_and_report()

    def work_and_report() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
            errors.append(error)
        finally:
            done.release()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError:  # no threads on this platform, or the interpreter is shutting down
        return work()
    if not done.acquire(timeout=-1 if seconds is None else seconds):
        raise TimeoutError(f"not finished within {seconds:g} seconds")
    if errors:
        raise errors[0]
    return results[0]
