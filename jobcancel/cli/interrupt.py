"""Ctrl-C and SIGTERM: the first stops sending, the second abandons requests in flight."""

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
"""Shells report 128 + the signal's number for a process that a signal ended."""


@define
class Interrupts:
    """The signals that a run received.

    Attributes:
        count: how many.
        exit_status: 130 for Ctrl-C, 143 for SIGTERM; 0 if there was none.
    """

    count: int = 0
    exit_status: int = 0

    @contextmanager
    def handled(
        self, *reactions: Callable[[], object], signals: tuple[signal.Signals, ...] = _SIGNALS
    ) -> Iterator[None]:
        """Have the first signal call the first reaction, and so on.

        Raises:
            KeyboardInterrupt: in the block, if there are more signals than reactions.
        """
        left = list(reactions)

        def received(number: int, _frame: object) -> None:
            self.count += 1
            self.exit_status = self.exit_status or _BY_SIGNAL + number
            if self.count == 1:
                # Not through `sys.stderr`: the signal may have interrupted a write to it.
                with suppress(OSError):
                    os.write(2, _FINISHING + _AGAIN[signal.Signals(number)])
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        usual = {each: signal.signal(each, received) for each in signals}
        try:
            yield
        finally:
            for each, handler in usual.items():
                signal.signal(each, handler)
