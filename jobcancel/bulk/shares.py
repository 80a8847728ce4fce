"""Who gets the next free place: how the requests in flight are divided between lanes.

A request that was sent keeps its place until its reply comes. So a lane with slow replies, if it
merely took its turn, would soon have all places and leave none to the others. Free places go to
the lane with the fewest requests in flight, and slow lanes together get no more than what the
faster ones leave, or a sixth. A lane that is alone gets everything.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Self

from attrs import frozen

from jobcancel.bulk.lane import Lane

# A lane is slow whose replies take so many times as long as the fastest one's, and so many
# seconds on top: less is our own doing, on a busy machine.
_TIMES, _SECONDS = 4.0, 0.05
# Seconds that a reply takes at a vendor that leaves places free for vendors that may come.
_SLOW = 1.0


@frozen
class Shares:
    """How places are divided at one moment.

    Args:
        slow: the lanes that share a part only.
        most: how many places they may have together.
    """

    slow: Collection[Lane]
    most: float

    @classmethod
    def of(cls, lanes: Iterable[Lane], places: int, now: float, *, more_may_come: bool) -> Self:
        """Divide places.

        Args:
            lanes: all of the run.
            places: how many there are.
            now: seconds on the clock.
            more_may_come: whether jobs for other lanes may be read at any moment.
        """
        times = {lane: lane.slowness(now) for lane in lanes}
        busy = [lane for lane in times if lane.is_busy]
        if len(busy) < 2 and not more_may_come:  # noqa: PLR2004 - alone
            return cls((), math.inf)
        known = (times[lane] for lane in busy if not lane.is_open)
        fastest = min((time for time in known if time is not None), default=None)
        sixth = math.ceil(places / 6) if places > 1 else 0
        if fastest is None and len(busy) > 1:  # each is tried with a little
            return cls(times.keys(), sixth)
        slow = {
            lane
            for lane, time in times.items()
            if fastest is None or time is None or time > _TIMES * fastest + _SECONDS
        }
        wanted = sum(lane.wants(now) for lane in busy if lane not in slow)
        if slow and wanted:
            return cls(slow, places - min(max(wanted, sixth), places - sixth))
        if more_may_come and (fastest is None or fastest > _SLOW):
            return cls(times.keys(), places - sixth)
        return cls((), math.inf)

    def next(self, ready: Iterable[Lane]) -> Lane | None:
        """Return the lane, of those that are ready, that gets the next place; None for none."""
        taken = sum(len(lane.in_flight) for lane in self.slow)
        may = (
            lane
            for lane in ready
            if taken < self.most or lane not in self.slow or not lane.in_flight
        )
        return min(may, key=lambda lane: (len(lane.in_flight), lane.last), default=None)
