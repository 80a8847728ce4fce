"""Delays signals between the vendor's answer to a submission and the `add` of its job."""

from __future__ import annotations

import signal
import threading
from typing import Any

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class _Delay:
    """The handlers that are replaced while any block of this process submits."""

    def __init__(self) -> None:
        self._blocks = 0
        self._arrived: list[int] = []
        self._handlers: dict[int, Any] = {}

    def begin(self) -> None:
        """Record signals from now on."""
        self._blocks += 1
        if self._blocks == 1:
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler not in {None, signal.SIG_IGN}:  # None: a handler that is not Python's
                    self._handlers[number] = handler
                    signal.signal(number, self._record)

    def end(self) -> None:
        """At the end of the last block, send again what has arrived."""
        self._blocks -= 1
        if self._blocks == 0:
            self._deliver()

    def _record(self, number: int, _frame: object) -> None:
        self._arrived.append(number)
        if self._arrived.count(number) > 1:
            self._deliver()

    def _deliver(self) -> None:
        while self._handlers:
            number, handler = self._handlers.popitem()
            if signal.getsignal(number) == self._record:
                signal.signal(number, handler)
        arrived = dict.fromkeys(self._arrived)
        self._arrived.clear()
        for number in arrived:
            signal.raise_signal(number)


_delay = _Delay()


class Submitting:
    """A block in which SIGINT, SIGTERM and SIGHUP are delayed until its end.

    Handlers run in the main thread, so it has no effect in other threads. A second signal of a
    kind is not delayed: a submission may hang. SIGKILL cannot be delayed, nor can the cancellation
    of a task.
    """

    def __init__(self) -> None:
        self._delays = False

    def __enter__(self) -> None:
        self._delays = threading.get_ident() == threading.main_thread().ident
        if self._delays:
            _delay.begin()

    def __exit__(self, *_: object) -> None:
        if self._delays:
            _delay.end()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
