"""Many cancels at once: one lane for each provider and key, none of which slows another.

Jobs are read lazily, started as the pace of their lane allows, and their results handed on as
they come. Each job goes through the same flow as a single one; what is different is that a
rate limit holds up its whole lane instead of one job, and that a vendor that is down is
noticed once for all its jobs. Runs under asyncio; `many` runs it from a thread for sync code.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from attrs import define, evolve, field

from jobcancel import log
from jobcancel.http import AsyncHttpClient
from jobcancel.lane import Entry, Key, Lane
from jobcancel.models import CancelResult, Outcome
from jobcancel.pace import Pace
from jobcancel.prepare import Call
from jobcancel.retry import Clock
from jobcancel.traffic import DOWN, Traffic
from jobcancel.transport import AsyncClients

# Jobs that may wait for their lanes, for each that may be in flight: so far ahead is read.
_ROOM = 50
# Results that may wait to be taken, for each request that may be in flight.
_BACKLOG = 4
# Results that are remembered to answer a job that is given again after it was stopped.
_REMEMBERED = 1000


@define(eq=False)
class Bulk:
    """One run over many jobs.

    Args:
        items: the jobs, as they come.
        prepare: checks one and says what the call is; raises for one that cannot be.
        client: what to send with.
        clock: where time and chance come from.
        concurrency: requests in flight at the most, over all lanes.
        rates: fixed requests per second by provider.
        max_wait: seconds that a lane waits at the most; what would wait longer is answered.
    """

    items: AsyncIterator[Any]
    prepare: Callable[[Any], Awaitable[Call]]
    client: AsyncHttpClient | AsyncClients
    clock: Clock
    concurrency: int
    rates: dict[str, float]
    max_wait: float
    lanes: dict[object, Lane] = field(init=False, factory=dict)
    working: dict[Key, Entry] = field(init=False, factory=dict)
    finished: OrderedDict[Key, CancelResult] = field(init=False, factory=OrderedDict)
    results: deque[CancelResult] = field(init=False, factory=deque)
    tasks: set[asyncio.Task[None]] = field(init=False, factory=set)
    wake: asyncio.Event = field(init=False, factory=asyncio.Event)
    news: asyncio.Event = field(init=False, factory=asyncio.Event)
    room: asyncio.Event = field(init=False, factory=asyncio.Event)
    traffic: Traffic = field(init=False)
    reader: asyncio.Task[None] = field(init=False)
    runner: asyncio.Task[None] = field(init=False)

    @property
    def waiting(self) -> int:
        """Jobs that were read and not begun."""
        return sum(len(lane.waiting) for lane in self.lanes.values())

    def __attrs_post_init__(self) -> None:
        self.traffic = Traffic(self.client, self.clock, self.concurrency, self.max_wait, self.wake)
        self.reader = asyncio.create_task(self.read())
        self.reader.add_done_callback(lambda _: self.wake.set())
        self.runner = asyncio.create_task(self.run())
        self.runner.add_done_callback(lambda _: self.news.set())

    async def some(self) -> list[CancelResult]:
        """Wait for results and return them all; none at the end.

        Raises:
            JobCancelError: an item cannot be a job; raised when those before it are answered.
        """
        while not self.results and not self.runner.done():
            self.news.clear()
            await self.news.wait()
        some = list(self.results)
        self.results.clear()
        self.room.set()
        self.wake.set()
        if not some:
            await self.runner
        return some

    def finish(self) -> None:
        """Send nothing more, and let what is on its way be answered."""
        self.traffic.stopping = True
        self.reader.cancel()
        for lane in self.lanes.values():
            while lane.waiting:
                del self.working[lane.waiting.popleft().key]
            lane.went_down.set()
        self.wake.set()

    async def stop(self) -> None:
        """Send nothing more, and abandon what is on its way."""
        self.runner.cancel()
        await asyncio.wait([self.runner])

    async def run(self) -> None:
        """Read, start and wait until every job that was read is answered."""
        try:
            while not self.reader.done() or self.working:
                # One moment for both: a lane that became ready between two would be slept over.
                now = self.clock.monotonic()
                self.start_what_may(now)
                await self.sleep_until_something_may(now)
            if not self.traffic.stopping:
                await self.reader
        finally:
            tasks = [self.reader, *self.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self) -> None:
        """Read the jobs into their lanes, no further ahead than there is room."""
        async for item in self.items:
            self.add(await self.prepare(item))
            while self.waiting + len(self.results) >= _ROOM * self.concurrency:
                self.room.clear()
                await self.room.wait()

    def add(self, call: Call) -> None:
        """Put a job into its lane, unless it is in the works or was answered a moment ago."""
        key = (call.job.provider, call.job.job_id, tuple(sorted(call.job.params.items())))
        if key in self.working:
            self.working[key].times += 1
        elif key in self.finished:
            self.hand_on(self.finished[key])
        else:
            entry = self.working[key] = Entry(key, call)
            self.lane_of(call).waiting.append(entry)
            self.wake.set()

    def lane_of(self, call: Call) -> Lane:
        """Return the lane of a job: that of its vendor's address and key."""
        where = (call.adapter.shares or call.adapter.name, call.endpoint)
        if where not in self.lanes:
            fixed = self.rates.get(call.adapter.name, self.rates.get(""))
            now = self.clock.monotonic()
            self.lanes[where] = Lane(Pace(most=self.concurrency, fixed=fixed, now=now))
        return self.lanes[where]

    # Starting

    def start_what_may(self, now: float) -> None:
        """Start every job whose lane is ready, the lanes in turn."""
        started = True
        while started:
            started = False
            for lane in self.lanes.values():
                if lane.waiting and lane.delay(now, self.max_wait) == 0.0:
                    started = self.start_next(lane, now) or started

    def start_next(self, lane: Lane, now: float) -> bool:
        """Start, or answer without sending, what waits in a lane; False when nothing may."""
        if lane.is_closed(now, self.max_wait):
            wait = lane.pace.paused_until - now
            self.answer_all(lane, Outcome.RATE_LIMITED, "the vendor refuses for now", wait)
            return True
        if lane.is_down and not lane.may_probe(now):
            self.answer_all(lane, Outcome.UNKNOWN, DOWN)
            return True
        if self.traffic.is_full or len(self.results) >= self.concurrency * _BACKLOG:
            return False
        entry = lane.waiting.popleft()
        entry.began = now
        if lane.in_doubt:
            lane.probe = entry
        self.room.set()
        self.traffic.occupy(lane)
        epoch = lane.pace.sent(now)
        task = asyncio.create_task(self.cancel(lane, entry, epoch))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return True

    async def sleep_until_something_may(self, now: float) -> None:
        """Sleep until a lane is ready, or something has happened."""
        delays = [lane.delay(now, self.max_wait) for lane in self.lanes.values() if lane.waiting]
        soonest = min((delay for delay in delays if delay), default=None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), soonest)
        self.wake.clear()

    # One job

    async def cancel(self, lane: Lane, entry: Entry, epoch: int | None) -> None:
        """Take one job through its flow; a refused one goes back to the head of its lane."""
        flow = entry.call.cancel()
        try:
            result = await self.traffic.pump(flow, lane, entry, epoch)
        finally:
            flow.close()
            self.traffic.vacate(lane)
            if lane.probe is entry:
                lane.probe = None
        if result is not None:
            self.answer(entry, result)
        elif self.traffic.stopping:
            del self.working[entry.key]
        else:
            lane.waiting.appendleft(entry)

    # Answers

    def answer_all(
        self, lane: Lane, outcome: Outcome, message: str, wait: float | None = None
    ) -> None:
        """Answer every job that waits in a lane without sending anything for it."""
        while lane.waiting:
            entry = lane.waiting.popleft()
            self.answer(entry, entry.unsent(outcome, message, wait, at=self.clock.now()))

    def answer(self, entry: Entry, result: CancelResult) -> None:
        """Hand a job's result on, as often as the job was given."""
        log.cancel_settled(result)
        del self.working[entry.key]
        if result.stopped:
            self.finished[entry.key] = evolve(result, body=None)
        if len(self.finished) > _REMEMBERED:
            self.finished.popitem(last=False)
        for _ in range(entry.times):
            self.hand_on(result)

    def hand_on(self, result: CancelResult) -> None:
        """Give one result to whoever waits for it."""
        self.results.append(result)
        self.news.set()
