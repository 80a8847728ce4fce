"""Many cancels at once: one lane for each vendor and key, none of which slows another.

Jobs are read lazily, started as the pace of their lane allows, and their results handed on as
they come. Each job goes through the same flow as a single one; what is different is that a
rate limit holds up its whole lane instead of one job, and that a vendor that is down is
noticed once for all its jobs. Runs under asyncio; `background` runs it in a thread for sync code.

Whatever happens in one job, its result tells: no task of a run ever raises.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from typing import Any

from attrs import define, evolve, field

from jobcancel import log
from jobcancel.bulk.lane import Key, Lane, QueuedJob, reason
from jobcancel.bulk.pace import Pace
from jobcancel.bulk.sender import CLOSED, DOWN, STOPPED, Sender
from jobcancel.bulk.shares import Shares
from jobcancel.bulk.source import Count
from jobcancel.errors import JobCancelError
from jobcancel.flow.call import Call
from jobcancel.flow.events import Flow
from jobcancel.models import CancelResult, Job, Outcome
from jobcancel.retry import Clock
from jobcancel.secret import Secret
from jobcancel.transport.clients import AsyncHttpClient
from jobcancel.transport.pool import ClientPool

# Jobs that may wait for their lanes, for each request that may be in flight: so far ahead is read,
# and further while a lane would run dry, up to the second number of jobs.
_ROOM, _FURTHEST = 50, 20_000
# Results that may wait to be taken, for each request that may be in flight.
_BACKLOG = 4
# Results that are remembered to answer a job that is given again after it was stopped.
_REMEMBERED = 1000
# Values of a body, and characters of each, that are remembered with the result.
_FEW, _SHORT = 8, 200
# Seconds until it is looked again whether a lane that had its share may have more.
_LOOK_AGAIN = 0.5
# Whatever swallows a cancellation gets so many, so many seconds apart, and is then left alone.
_CANCELS, _APART = 5, 0.5

_NO_REPLY = "its reply was not waited for"
_CANCELLED = "its task was cancelled by something else"


@define(eq=False)
class Scheduler:
    """One run over many jobs.

    Args:
        items: the jobs, as they come.
        count: counts what was read and answered.
        job_of: makes a job of an item; raises for what can be none.
        prepare: validates a job and returns its call, or raises.
        flow: the decisions of a call.
        keys: the keys that no message may show.
        client: what to send with.
        clock: where time and chance come from.
        concurrency: requests in flight at the most, over all lanes.
        rates: fixed requests per second by provider.
        max_wait: seconds that a lane waits at the most; what would wait longer is answered.
        then: what to do at the end.

    Attributes:
        error: what is to be raised when the results before it have been given.
        ended: whether nothing is going on any more.
        abandoned: whether what was on its way was given up.
    """

    items: AsyncGenerator[Any]
    count: Count
    job_of: Callable[[Any], Job]
    prepare: Callable[[Job], Awaitable[Call]]
    flow: Callable[[Call], Flow[CancelResult]]
    keys: Collection[Secret]
    client: AsyncHttpClient | ClientPool
    clock: Clock
    concurrency: int
    rates: dict[str, float]
    max_wait: float
    then: Callable[[], Awaitable[None]]
    lanes: dict[object, Lane] = field(init=False, factory=dict)
    working: dict[Key, QueuedJob] = field(init=False, factory=dict)
    finished: OrderedDict[Key, CancelResult] = field(init=False, factory=OrderedDict)
    results: deque[CancelResult] = field(init=False, factory=deque)
    tasks: set[asyncio.Task[None]] = field(init=False, factory=set)
    starts: int = field(init=False, default=0)
    wake: asyncio.Event = field(init=False, factory=asyncio.Event)
    news: asyncio.Event = field(init=False, factory=asyncio.Event)
    room: asyncio.Event = field(init=False, factory=asyncio.Event)
    error: BaseException | None = field(init=False, default=None)
    ended: bool = field(init=False, default=False)
    abandoned: bool = field(init=False, default=False)
    sender: Sender = field(init=False)
    reader: asyncio.Task[None] = field(init=False)
    runner: asyncio.Task[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.room.set()
        self.sender = Sender(self.client, self.clock, self.wake)
        self.reader = asyncio.create_task(self.read())
        self.reader.add_done_callback(lambda _: self.wake.set())
        self.runner = asyncio.create_task(self.run())

    async def next(self) -> CancelResult | None:
        """Wait for a result and return it; None at the end.

        Raises:
            JobCancelError: an item cannot be a job; raised when those before it are answered.
        """
        while not self.results and not self.ended:
            self.news.clear()
            await self.news.wait()
        if self.results:
            result = self.results.popleft()
            if len(self.results) == self.concurrency * _BACKLOG - 1:
                self.room.set()
                self.wake.set()
            return result
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return None

    def stop(self) -> None:
        """Send nothing more, and let what is on its way be answered."""
        self._halt(STOPPED)

    def abandon(self) -> None:
        """Send nothing more, and give up what is on its way; the run ends in a moment."""
        self.abandoned = self.abandoned or not self.ended
        self._halt(CLOSED)
        for task in self.tasks:
            task.cancel()

    async def close(self) -> None:
        """Abandon what is on its way, and wait until that is done."""
        self.abandon()
        await asyncio.wait([self.runner])

    def _halt(self, why: str) -> None:
        self.sender.stop(why)
        self.reader.cancel()
        for lane in self.lanes.values():
            waiting, lane.waiting = lane.waiting, deque()
            for queued in waiting:
                self.drop(queued)
            for turn in lane.turns:
                if not turn.granted.done():
                    turn.granted.set_result(None)
        self.wake.set()

    async def run(self) -> None:
        """Start and wait until every job that was read is answered."""
        try:
            while not self.is_over:
                # One moment for both: a lane that became ready between two would be slept over.
                now = self.clock.monotonic()
                held_back = self.start_ready(now)
                await self.wait_until_ready(now, held_back=held_back)
        except BaseException as error:  # noqa: BLE001 - the task of a run never raises
            self.fail(error)
        for end in (self.wind_up, self.then):
            try:
                await end()
            except BaseException as error:  # noqa: BLE001 - likewise
                self.fail(error)
        self.ended = True
        self.news.set()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        if self.abandoned:
            return True
        return not self.working and (self.reader.done() or self.sender.halt is not None)

    @property
    def has_more(self) -> bool:
        """Whether there are results to come, or never will be because the run was abandoned."""
        return bool(self.results) or self.abandoned or not self.is_over

    async def wind_up(self) -> None:
        """End all tasks in bounded time, and answer what they leave."""
        self.sender.stop(self.sender.halt or CLOSED)
        left: set[asyncio.Task[None]] = {self.reader, *self.tasks}
        try:
            for _ in range(_CANCELS):
                for task in left:
                    task.cancel()
                _, left = await asyncio.wait(left, timeout=_APART)
                if not left:
                    break
        finally:  # even if this task is cancelled, too
            for queued in list(self.working.values()):
                self.drop(queued)

    def fail(self, error: BaseException) -> None:
        """End the run for an error that is none of one job."""
        if not isinstance(error, asyncio.CancelledError):
            self.error = self.error or error
        self.abandon()

    # Reading

    async def read(self) -> None:
        """Read the jobs into their lanes, no further ahead than there is room."""
        try:
            async with contextlib.aclosing(self.items) as items:
                async for item in items:
                    if self.sender.halt is not None:
                        break
                    await self.add(self.job_of(item))
                    while not self.has_room:
                        self.room.clear()  # which others look at, too
                        self.wake.set()
                        await self.room.wait()
        except BaseException as error:  # noqa: BLE001 - raised when what was read is answered
            if self.sender.halt is None:
                self.error = error

    @property
    def has_room(self) -> bool:
        """Whether another job may be read."""
        room = _ROOM * self.concurrency
        waiting = sum(len(lane.waiting) for lane in self.lanes.values())
        if waiting + len(self.results) < room:
            return True
        if waiting >= _FURTHEST or len(self.results) >= self.concurrency * _BACKLOG:
            return False
        busy = [len(lane.waiting) for lane in self.lanes.values() if lane.is_busy or lane.in_flight]
        return len(busy) > 1 and min(busy) < room // len(busy)

    async def add(self, job: Job) -> None:
        """Put a job into its lane, unless it is in the works or was answered a moment ago."""
        try:
            call = await self.prepare(job)
        except (JobCancelError, Warning):
            raise
        except Exception as error:  # noqa: BLE001 - a plug-in's, which stops no other job
            self.emit(
                CancelResult(
                    provider=job.provider,
                    job_id=job.job_id,
                    outcome=Outcome.UNKNOWN,
                    message=f"an unexpected error: {reason(error, self.keys)}",
                    params=job.params,
                    at=self.clock.now(),
                )
            )
            return
        key = (call.job.provider, call.job.job_id, tuple(sorted(call.job.params.items())))
        if key in self.working:
            self.working[key].times += 1
        elif key in self.finished:
            self.emit(self.finished[key])
        else:
            queued = self.working[key] = QueuedJob(key, call)
            self.lane_of(call).waiting.append(queued)
            self.wake.set()

    def lane_of(self, call: Call) -> Lane:
        """Return the lane of a job: that of its vendor's address and key."""
        where = (call.adapter.credentials_of or call.adapter.name, call.endpoint)
        if where not in self.lanes:
            fixed = self.rates.get(call.adapter.name, self.rates.get(""))
            now = self.clock.monotonic()
            self.lanes[where] = Lane(Pace(most=self.concurrency, fixed=fixed, now=now))
        return self.lanes[where]

    # Starting

    def start_ready(self, now: float) -> bool:
        """Start every request that may be; whether some might but for their lane's share."""
        for lane in self.lanes.values():
            if lane.waiting:
                self.answer_unsent(lane, now)
        ready = [lane for lane in self.lanes.values() if self.is_ready(lane, now)]
        if not ready:
            return False
        shares = Shares.of(
            self.lanes.values(),
            self.concurrency,
            now,
            more_may_come=self.room.is_set() and not self.reader.done(),
        )
        while ready and self.sender.in_flight < self.concurrency:
            if (next_lane := shares.next(ready)) is None:
                return True
            self.starts += 1
            next_lane.last = self.starts
            self.start_next(next_lane, now)
            if not self.is_ready(next_lane, now):
                ready.remove(next_lane)
        return False

    def is_ready(self, lane: Lane, now: float) -> bool:
        """Whether a lane may send another request, if there is a place."""
        if lane.turns and lane.next_turn(now, self.max_wait) is not None:
            return True
        return len(self.results) < self.concurrency * _BACKLOG and lane.may_start(now)

    def start_next(self, lane: Lane, now: float) -> None:
        """Let the next job of a lane send, one that was started before any new one."""
        if (turn := lane.next_turn(now, self.max_wait)) is not None:
            queued = turn.queued
            self.sender.grant(lane, turn, now)
        else:
            queued = lane.waiting.popleft()
            queued.begin(self.flow(queued.call), now)
            lane.started += 1
            self.sender.occupy(lane, queued, now)
            task = asyncio.create_task(self.cancel(lane, queued, lane.pace.record_request(now)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            self.room.set()
        if lane.is_open:
            lane.trial = queued

    async def wait_until_ready(self, now: float, *, held_back: bool) -> None:
        """Sleep until a lane is ready, or something has happened."""
        delays = [lane.delay(now, self.max_wait) for lane in self.lanes.values()]
        if held_back:
            delays.append(_LOOK_AGAIN)
        soonest = min((delay for delay in delays if delay), default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(soonest):
                await self.wake.wait()
        self.wake.clear()

    # One job

    async def cancel(self, lane: Lane, queued: QueuedJob, epoch: int) -> None:
        """Take one job through its flow; a refused one goes back to the head of its lane."""
        result: CancelResult | None = None
        try:
            result = await self.sender.pump(lane, queued, epoch)
        except asyncio.CancelledError:
            result = self.conclude(queued, self.sender.halt or _CANCELLED, _NO_REPLY)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the job's result tells
            fault = f"an unexpected error: {reason(error, [queued.call.endpoint.key])}"
            result = self.conclude(queued, "nothing more was sent for this job", fault)
            if not isinstance(error, Exception):
                self.fail(error)
        self.sender.vacate(lane, queued)
        lane.started -= 1
        if lane.trial is queued:
            lane.trial = None
        self.wake.set()
        if self.working.get(queued.key) is not queued:
            return  # it took so long to end that it was answered without
        if result is not None:
            self.answer(queued, result)
        elif self.sender.halt is not None:
            self.drop(queued)
        else:
            lane.waiting.appendleft(queued)

    def conclude(self, queued: QueuedJob, why: str, fault: str) -> CancelResult:
        """Return the result of a job that was started and for which nothing more is sent."""
        elapsed = self.clock.monotonic() - queued.began
        return queued.conclude(why, fault, elapsed=elapsed, at=self.clock.now())

    # Answers

    def drop(self, queued: QueuedJob) -> None:
        """Answer a job if anything was sent for it; else it has no result."""
        if queued.requests:
            why = self.sender.halt or CLOSED
            self.answer(queued, self.conclude(queued, why, _NO_REPLY))
        else:
            del self.working[queued.key]

    def answer_unsent(self, lane: Lane, now: float) -> None:
        """Answer what waits in a lane, if that would wait too long."""
        if lane.exceeds_max_wait(now, self.max_wait):
            wait = lane.pace.paused_until - now
            self.answer_all(lane, Outcome.RATE_LIMITED, "the vendor refuses for now", wait)
        elif lane.is_given_up(now, self.max_wait) and not lane.may_try(now):
            self.answer_all(lane, Outcome.UNKNOWN, DOWN)

    def answer_all(
        self, lane: Lane, outcome: Outcome, message: str, wait: float | None = None
    ) -> None:
        """Answer every job that waits in a lane without sending anything more for it."""
        while lane.waiting:
            queued = lane.waiting.popleft()
            if queued.requests:
                result = self.conclude(queued, message, _NO_REPLY)
            else:
                result = queued.unsent(outcome, message, at=self.clock.now())
            self.answer(queued, result if wait is None else evolve(result, retry_after=wait))
        self.room.set()

    def answer(self, queued: QueuedJob, result: CancelResult) -> None:
        """Hand a job's result on, as often as the job was given."""
        log.cancel_settled(result)
        del self.working[queued.key]
        self.wake.set()
        if result.stopped:
            self.finished[queued.key] = result if _is_light(result) else evolve(result, body=None)
        if len(self.finished) > _REMEMBERED:
            self.finished.popitem(last=False)
        for _ in range(queued.times):
            self.emit(result)

    def emit(self, result: CancelResult) -> None:
        """Give one result to whoever waits for it."""
        self.results.append(result)
        self.count.answered += 1
        self.news.set()


def _is_light(result: CancelResult) -> bool:
    """Whether a result takes little memory: its body has a few short values."""
    values = (result.body or {}).values()
    return len(values) <= _FEW and all(
        len(value) <= _SHORT if isinstance(value, str) else not isinstance(value, dict | list)
        for value in values
    )
