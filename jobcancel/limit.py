"""The time limit of a sync exchange: set by `drive`, kept by every operation of `backend`."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_limit = threading.local()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit what this thread's sync exchanges may take from now on, all reads together.

    Args:
        seconds: from now to the last byte of the reply.
    """
    # A signal handler may cancel a job while the thread is in the middle of another call.
    interrupted = getattr(_limit, "until", None)
    _limit.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _limit.until = interrupted


def is_limited() -> bool:
    """Return whether this thread is in an exchange, which a signal handler has interrupted."""
    return getattr(_limit, "until", None) is not None


def time_left(timeout: float | None, error: type[Exception]) -> float | None:
    """Return how many seconds an operation of this thread may take.

    Args:
        timeout: what it may take where there is no limit.
        error: what to raise when there is no time left.
    """
    until = getattr(_limit, "until", None)
    if until is None:  # used outside a call
        return timeout
    left: float = until - time.monotonic()
    if left <= 0:
        raise error("the time for the whole exchange is up")
    return left
