"""Ctrl-C and SIGTERM: the first ends a run in order, the second one at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FINISHING = "Finishing in-flight requests"
_AGAIN = {
    signal.SIGINT: "press Ctrl-C again to quit now.",
    signal.SIGTERM: "send SIGTERM again to quit now.",
}
_BY_SIGNAL = 128
"""Shells report 128 + the signal's number for a process that a signal ended."""


@define
class Interrupts:
    """The signals that a run received.

    Args:
        doing: what is done after the first one, for a message; empty for no message.

    Attributes:
        count: how many.
        exit_status: 130 for Ctrl-C, 143 for SIGTERM; 0 if there was none.
    """

    doing: str = _FINISHING
    count: int = field(init=False, default=0)
    exit_status: int = field(init=False, default=0)

    @contextmanager
    def handled(
        self, *reactions: Callable[[], object], signals: tuple[signal.Signals, ...] = _SIGNALS
    ) -> Iterator[None]:
        """Have the first signal call the first reaction, and so on.

        Raises:
            KeyboardInterrupt: in the block, if there are more signals than reactions.
        """
        left = iter(reactions)

        def received(number: int, _frame: object) -> None:
            self.count += 1
            # At once: the next signal may interrupt this function.
            react = next(left, None)
            self.exit_status = self.exit_status or _BY_SIGNAL + number
            if self.count == 1 and self.doing:
                message = f"\njobcancel: {self.doing}... {_AGAIN[signal.Signals(number)]}\n"
                # Not through `sys.stderr`: the signal may have interrupted a write to it.
                with suppress(OSError):
                    os.write(2, message.encode())
            if react is None:
                raise KeyboardInterrupt
            react()

        usual = {each: signal.signal(each, received) for each in signals}
        try:
            yield
        finally:
            for each, handler in usual.items():
                signal.signal(each, handler)
