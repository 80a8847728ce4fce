"""Clocks on which waiting takes no time; a `Canceller` takes one as its `_clock`."""

from __future__ import annotations

import time
from contextvars import ContextVar

from attrs import define, field

from jobcancel.retry import Clock

# In September 2026.
_BEGIN = 1_790_000_000.0
_HALF = 0.5


@define(eq=False)
class StillClock:
    """A clock that only waits and `now` move, so that all is the same at every run.

    Chance is one half on it: a back-off takes half of the most that it may take.

    Attributes:
        now: seconds since it began.
        waits: the seconds of each wait.
        clock: what to give to a client.
    """

    now: float = field(init=False, default=0.0)
    waits: list[float] = field(init=False, factory=list)
    clock: Clock = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock = Clock(
            monotonic=lambda: self.now,
            wall=lambda: _BEGIN + self.now,
            random=lambda: _HALF,
            sleep=self.wait,
            asleep=self.await_,
        )

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.waits.append(seconds)
        self.now += seconds

    async def await_(self, seconds: float) -> None:
        """Do the same for async code, and let others go on."""
        self.wait(seconds)
        await _let_others_go_on()


# Each thread and each task has skipped its own waits, and is no closer to another's deadline.
_skipped: ContextVar[float] = ContextVar("jobcancel_skipped", default=0.0)


@define(eq=False)
class SkippingClock:
    """The system's clock, but a wait is over at once and counts as waited.

    Attributes:
        waits: the seconds of each wait.
        clock: what to give to a client.
    """

    waits: list[float] = field(init=False, factory=list)
    clock: Clock = field(init=False)

    def __attrs_post_init__(self) -> None:
        _skipped.set(0.0)
        self.clock = Clock(
            monotonic=lambda: time.monotonic() + _skipped.get(),
            wall=lambda: time.time() + _skipped.get(),
            sleep=self.wait,
            asleep=self.await_,
        )

    def wait(self, seconds: float) -> None:
        """Let so many seconds count as passed."""
        self.waits.append(seconds)
        _skipped.set(_skipped.get() + seconds)

    async def await_(self, seconds: float) -> None:
        """Do the same for async code, and let others go on."""
        self.wait(seconds)
        await _let_others_go_on()


async def _let_others_go_on() -> None:
    from anyio.lowlevel import checkpoint  # comes with httpx; works under asyncio and trio

    await checkpoint()
