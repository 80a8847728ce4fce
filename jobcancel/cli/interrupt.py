"""Ctrl-C and SIGTERM: the first sends nothing more, the second abandons what is on its way."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FINISHING = b"\njobcancel: Finishing in-flight requests... "
_AGAIN = {
    signal.SIGINT: b"press Ctrl-C again to quit now.\n",
    signal.SIGTERM: b"send SIGTERM again to quit now.\n",
}
_BY_SIGNAL = 128
"""What shells add to a signal's number to make the exit status of what it ended."""


@define
class Stopping:
    """What a run was asked by signals.

    Attributes:
        times: how many there were.
        exit_status: 130 for Ctrl-C, 143 for SIGTERM; 0 while there was none.
        is_writing: whether a result is being written, which the second leaves to be finished; not
            so the third, for who reads the results may have stopped to.
    """

    times: int = 0
    exit_status: int = 0
    is_writing: bool = False

    @contextmanager
    def calling(
        self, stop: Callable[[], object], signals: tuple[signal.Signals, ...] = _SIGNALS
    ) -> Iterator[None]:
        """Have the first signal call `stop`, and others raise `KeyboardInterrupt`."""

        def received(number: int, _frame: object) -> None:
            self.times += 1
            if self.times == 1:
                self.exit_status = _BY_SIGNAL + number
                stop()
                # Not by way of `sys.stderr`, in the middle of whose writing this may be.
                with suppress(OSError):
                    os.write(2, _FINISHING + _AGAIN[signal.Signals(number)])
            elif self.times > 2 or not self.is_writing:  # noqa: PLR2004 - the third
                raise KeyboardInterrupt

        usual = {each: signal.signal(each, received) for each in signals}
        try:
            yield
        finally:
            for each, handler in usual.items():
                signal.signal(each, handler)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Let what is written be written to its end."""
        self.is_writing, before = True, self.times
        yield
        self.is_writing = False
        if self.times > max(before, 1):
            raise KeyboardInterrupt
