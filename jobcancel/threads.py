"""A function that runs in another thread while the caller waits, for a limited time.

It works at every moment of a signal handler: `threading.Thread` has locks of its own, which a
handler may find held by the thread that it interrupted.
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
        work: what to do; it goes on when the time is up.
        seconds: how long to wait, None for as long as it takes.

    Raises:
        TimeoutError: the time is up.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:  # pragma: no cover - tracing begins with the function that it calls
        sys.settrace(threading.gettrace())  # as `threading` does
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
    except RuntimeError:  # there are no threads here, or no more at the interpreter's end
        return work()
    if not done.acquire(timeout=-1 if seconds is None else seconds):
        raise TimeoutError(f"not done within {seconds:g} seconds")
    if errors:
        raise errors[0]
    return results[0]
