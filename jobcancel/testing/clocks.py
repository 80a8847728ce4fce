"""Clocks on which waits take no time, for the `_clock` of a `Canceller`."""

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
    """A clock that only waits and `now` advance, so that every run is the same.

    Its random numbers are 0.5: a back-off waits half of its maximum.

    Attributes:
        now: seconds since its start.
        waits: the seconds of each wait.
        clock: the clock for a client.
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
            async_sleep=self.async_wait,
        )

    def wait(self, seconds: float) -> None:
        """Advance the clock."""
        self.waits.append(seconds)
        self.now += seconds

    async def async_wait(self, seconds: float) -> None:
        """Advance the clock, and let other tasks run."""
        self.wait(seconds)
        await _run_other_tasks()


# For each thread and task: skipping a wait in one must not bring the deadline of another closer.
_skipped: ContextVar[float] = ContextVar("jobcancel_skipped", default=0.0)


@define(eq=False)
class SkippingClock:
    """The system's clock, on which waits end at once but count for deadlines.

    Attributes:
        waits: the seconds of each wait.
        clock: the clock for a client.
    """

    waits: list[float] = field(init=False, factory=list)
    clock: Clock = field(init=False)

    def __attrs_post_init__(self) -> None:
        _skipped.set(0.0)
        self.clock = Clock(
            monotonic=lambda: time.monotonic() + _skipped.get(),
            wall=lambda: time.time() + _skipped.get(),
            sleep=self.wait,
            async_sleep=self.async_wait,
        )

    def wait(self, seconds: float) -> None:
        """Skip a wait."""
        self.waits.append(seconds)
        _skipped.set(_skipped.get() + seconds)

    async def async_wait(self, seconds: float) -> None:
        """Advance the clock, and let other tasks run."""
        self.wait(seconds)
        await _run_other_tasks()


async def _run_other_tasks() -> None:
    from anyio.lowlevel import checkpoint  # comes with httpx; works under asyncio and trio

    await checkpoint()
