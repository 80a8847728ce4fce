"""Divides the slots for requests in flight between the lanes.

A request occupies a slot until its reply arrives. With simple round robin, a lane with slow
replies would soon occupy all slots. Therefore a free slot goes to the lane with the fewest requests
in flight, and all slow lanes together get only the slots that the faster lanes do not need, but at
least a sixth. A single lane gets all slots.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Self

from attrs import frozen

from jobcancel.bulk.lane import Lane

# A lane is slow if its replies take this many times as long as those of the fastest lane, plus this
# many seconds: a smaller difference may be caused by a busy machine.
_TIMES, _SECONDS = 4.0, 0.05
# Seconds; if replies take longer, slots are reserved for vendors whose jobs may still be read.
_SLOW = 1.0


@frozen
class Shares:
    """The division of the slots at one moment.

    Args:
        slow: the slow lanes, which share a limited number of slots.
        most: the maximum number of slots for all of them.
    """

    slow: Collection[Lane]
    most: float

    @classmethod
    def of(cls, lanes: Iterable[Lane], slots: int, now: float, *, more_may_come: bool) -> Self:
        """Divide the slots.

        Args:
            lanes: all lanes of the run.
            slots: the total number of slots.
            now: the current time, in seconds on the clock.
            more_may_come: whether jobs for further lanes may be read at any moment.
        """
        times = {lane: lane.slowness(now) for lane in lanes}
        busy = [lane for lane in times if lane.is_busy]
        if len(busy) < 2 and not more_may_come:  # noqa: PLR2004 - a single lane
            return cls((), math.inf)
        known = (times[lane] for lane in busy if not lane.is_open)
        fastest = min((time for time in known if time is not None), default=None)
        sixth = math.ceil(slots / 6) if slots > 1 else 0
        if fastest is None and len(busy) > 1:  # start slowly until a reply time is known
            return cls(times.keys(), sixth)
        slow = {
            lane
            for lane, time in times.items()
            if fastest is None or time is None or time > _TIMES * fastest + _SECONDS
        }
        wanted = sum(lane.wants(now) for lane in busy if lane not in slow)
        if slow and wanted:
            return cls(slow, slots - min(max(wanted, sixth), slots - sixth))
        if more_may_come and (fastest is None or fastest > _SLOW):
            return cls(times.keys(), slots - sixth)
        return cls((), math.inf)

    def next(self, ready: Iterable[Lane]) -> Lane | None:
        """Return the ready lane that gets the next slot, or None if none of them may have it."""
        taken = sum(len(lane.in_flight) for lane in self.slow)
        eligible = (
            lane
            for lane in ready
            if taken < self.most or lane not in self.slow or not lane.in_flight
        )
        return min(eligible, key=lambda lane: (len(lane.in_flight), lane.last), default=None)
