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
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from attrs import define, evolve, field

from jobcancel import drive, log
from jobcancel.adapter import Response
from jobcancel.call import Flow, NotSent, Pause, Reply, Send
from jobcancel.http import AsyncHttpClient
from jobcancel.lane import Entry, Key, Lane
from jobcancel.models import CancelResult, Outcome
from jobcancel.pace import Pace
from jobcancel.prepare import Call
from jobcancel.retry import Clock, requested_wait, reset_wait
from jobcancel.transport import AsyncClients

# Jobs that may wait for their lanes, for each that may be in flight: so far ahead is read.
_ROOM = 50
# Results that may wait to be taken, for each request that may be in flight.
_BACKLOG = 4
# Results that are remembered to answer a job that is given again.
_REMEMBERED = 1000
_SERVER_ERROR = 500


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
    prepare: Callable[[Any], Call]
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
    finishing: bool = field(init=False, default=False)
    in_flight: int = field(init=False, default=0)
    waiting: int = field(init=False, default=0)
    wake: asyncio.Event = field(init=False, factory=asyncio.Event)
    news: asyncio.Event = field(init=False, factory=asyncio.Event)
    freed: asyncio.Event = field(init=False, factory=asyncio.Event)
    room: asyncio.Event = field(init=False, factory=asyncio.Event)
    reader: asyncio.Task[None] = field(init=False)
    runner: asyncio.Task[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
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
        self.finishing = True
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
            if not self.finishing:
                await self.reader
        finally:
            tasks = [self.reader, *self.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self) -> None:
        """Read the jobs into their lanes, no further ahead than there is room."""
        async for item in self.items:
            self.add(self.prepare(item))
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
            self.waiting += 1
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
            self.answer_all(lane, Outcome.UNKNOWN, _DOWN, None)
            return True
        if self.in_flight >= self.concurrency or len(self.results) >= self.concurrency * _BACKLOG:
            return False
        entry = lane.waiting.popleft()
        entry.probes = lane.probing = lane.is_down
        self.waiting -= 1
        self.room.set()
        self.occupy(lane)
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
            result = await self.pump(flow, lane, entry, epoch)
        finally:
            flow.close()
            self.vacate(lane)
            if entry.probes:
                entry.probes = lane.probing = False
        if result is not None:
            self.answer(entry, result)
        elif self.finishing:
            del self.working[entry.key]
        else:
            lane.waiting.appendleft(entry)
            self.waiting += 1

    async def pump(
        self, flow: Flow[CancelResult], lane: Lane, entry: Entry, epoch: int | None
    ) -> CancelResult | None:
        """Pump a flow to its result; None when nothing was settled and it is to be sent later."""
        answer: Reply | None = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as done:
                return cast("CancelResult", done.value)
            if self.finishing:
                sent = epoch is None
                return entry.unsent(Outcome.UNKNOWN, _STOPPED) if sent else None
            if isinstance(step, Pause):
                answer = None
                if not await self.rest(lane, step.seconds):
                    why = _STOPPED if self.finishing else _DOWN
                    return entry.unsent(Outcome.UNKNOWN, why)
            else:
                answer = await self.exchange(lane, entry, step, epoch)
                epoch = None
                if answer is None:
                    return None

    async def exchange(
        self, lane: Lane, entry: Entry, send: Send, epoch: int | None
    ) -> Reply | None:
        """Send one request and tell the lane what came; None for a job to be sent again later."""
        clock, pace, job = self.clock, lane.pace, entry.call.job
        began = clock.monotonic()
        if epoch is None:  # the first request was noted when the job was started
            epoch = pace.sent(began)
        answer = await drive.aexchange(self.client, send)
        now = clock.monotonic()
        drive.log_exchange(job, send, answer, now - began)
        if not isinstance(answer, Response):
            if send.call == "status" or isinstance(answer, NotSent):
                lane.failed(now)
            return answer
        if answer.status_code < _SERVER_ERROR:
            lane.worked()
        elif send.call == "status":
            lane.failed(now)
        if answer.status_code != _TOO_MANY_REQUESTS:
            pace.took(epoch, now - began)
            if (reset := reset_wait(answer.headers, clock.wall())) is not None:
                pace.nothing_left(now, reset)
            return answer
        told = entry.call.adapter.read_cancel(job, answer)
        asked = requested_wait(answer.status_code, answer.headers, clock.wall())
        pace.refused(now, epoch, told.retry_after or asked)
        first = send.call == "cancel" and send.attempt == 1
        return None if first and told.repeat else answer

    async def rest(self, lane: Lane, seconds: float) -> bool:
        """Wait between two requests of a job; False when there is to be no other."""
        self.vacate(lane)
        wait = max(seconds, lane.pace.paused_until - self.clock.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(lane.went_down.wait(), wait)
        while self.in_flight >= self.concurrency:
            self.freed.clear()
            await self.freed.wait()
        self.occupy(lane)
        return not (lane.went_down.is_set() or self.finishing)

    def occupy(self, lane: Lane) -> None:
        """Count a request in flight."""
        self.in_flight += 1
        lane.in_flight += 1

    def vacate(self, lane: Lane) -> None:
        """Count it out, and tell those that wait for that."""
        self.in_flight -= 1
        lane.in_flight -= 1
        self.freed.set()
        self.wake.set()

    # Answers

    def answer_all(self, lane: Lane, outcome: Outcome, message: str, wait: float | None) -> None:
        """Answer every job that waits in a lane without sending anything for it."""
        self.waiting -= len(lane.waiting)
        while lane.waiting:
            entry = lane.waiting.popleft()
            self.answer(entry, evolve(entry.unsent(outcome, message), retry_after=wait))

    def answer(self, entry: Entry, result: CancelResult) -> None:
        """Hand a job's result on, as often as the job was given."""
        log.cancel_settled(result)
        del self.working[entry.key]
        self.finished[entry.key] = evolve(result, body=None)
        if len(self.finished) > _REMEMBERED:
            self.finished.popitem(last=False)
        for _ in range(entry.times):
            self.hand_on(result)

    def hand_on(self, result: CancelResult) -> None:
        """Give one result to whoever waits for it."""
        self.results.append(result)
        self.news.set()


_DOWN = "the vendor is down: it could not be reached several times in a row"
_STOPPED = "the run was stopped before this was settled"
_TOO_MANY_REQUESTS = 429
