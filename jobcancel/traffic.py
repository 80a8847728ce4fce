"""The requests of a run: how a job of `bulk` goes through its flow beside all the others.

What is different from a single call: each request keeps to the pace of its lane and tells the
lane what came of it, and a job that waits between two of them leaves its place to another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from attrs import define, field

from jobcancel import drive
from jobcancel.adapter import Response
from jobcancel.call import NotSent, Pause, Stopped, with_longest_wait
from jobcancel.http import AsyncHttpClient
from jobcancel.models import CancelResult, Outcome
from jobcancel.retry import Clock, reset_wait
from jobcancel.transport import AsyncClients

if TYPE_CHECKING:
    from jobcancel.adapter import Reading
    from jobcancel.call import Flow, Reply, Send
    from jobcancel.lane import Entry, Lane
    from jobcancel.prepare import Call

DOWN = "the vendor is down: it could not be reached several times in a row"
STOPPED = "the run was stopped before this was settled"

_SERVER_ERROR = 500
_SUCCESSFUL = range(200, 300)


@define(eq=False)
class Traffic:
    """What is in flight.

    Args:
        client: what to send with.
        clock: where time and chance come from.
        concurrency: requests in flight at the most, over all lanes.
        max_wait: seconds that is waited at the most because of a lane's pace.
        wake: set whenever another job may perhaps be started.
    """

    client: AsyncHttpClient | AsyncClients
    clock: Clock
    concurrency: int
    max_wait: float
    wake: asyncio.Event
    in_flight: int = field(init=False, default=0)
    stopping: bool = field(init=False, default=False)
    freed: asyncio.Event = field(init=False, factory=asyncio.Event)

    async def pump(
        self, flow: Flow[CancelResult], lane: Lane, entry: Entry, epoch: int | None
    ) -> CancelResult | None:
        """Pump a flow to its result; None when nothing was settled and it is to be sent later."""
        answer: Reply | None = None
        stopped: str | None = None
        while True:
            try:
                step = flow.throw(Stopped(stopped)) if stopped else flow.send(answer)
            except StopIteration as done:
                return cast("CancelResult", done.value)
            answer = None
            if isinstance(step, Pause):
                stopped = await self.rest(lane, entry, step.seconds)
                continue
            if epoch is None:
                stopped = await self.await_turn(lane, entry)
            if stopped is None:
                answer = await self.exchange(lane, entry, step, epoch)
                epoch = None
                if answer is None:
                    return None

    async def exchange(
        self, lane: Lane, entry: Entry, send: Send, epoch: int | None
    ) -> Reply | None:
        """Send one request and tell the lane what came; None for a job to be sent again later."""
        clock, pace, call = self.clock, lane.pace, entry.call
        began = clock.monotonic()
        if epoch is None:  # the first request was noted when the job was started
            epoch = pace.sent(began)
        answer = await drive.aexchange(self.client, send)
        now = clock.monotonic()
        drive.log_exchange(call.job, send, answer, now - began)
        if not isinstance(answer, Response):
            if send.call == "status" or isinstance(answer, NotSent):
                lane.failed(now, entry)
            return answer
        if answer.status_code < _SERVER_ERROR:
            lane.worked()
        elif send.call == "status":
            lane.failed(now, entry)
        told = self.refusal(call, send, answer)
        if told is None:
            pace.took(epoch, now - began)
            if (reset := reset_wait(answer.headers, clock.wall())) is not None:
                pace.nothing_left(now, reset)
            return answer
        pace.refused(now, epoch, told.retry_after)
        first = send.call == "cancel" and send.attempt == 1
        return None if first and told.repeat else answer

    def refusal(self, call: Call, send: Send, answer: Response) -> Reading | None:
        """Return what a reply means that refuses for now; None for any other."""
        if answer.status_code in _SUCCESSFUL:
            return None
        adapter = call.adapter
        read = adapter.read_cancel if send.call == "cancel" else adapter.read_status
        told = with_longest_wait(read(call.job, answer), answer, self.clock.wall())
        return told if told.outcome is Outcome.RATE_LIMITED else None

    async def rest(self, lane: Lane, entry: Entry, seconds: float) -> str | None:
        """Wait between two requests of a job; why there is to be no other, if that is so."""
        self.vacate(lane)
        now = self.clock.monotonic()
        pause = lane.pace.paused_until - now
        why = await self.sleep(lane, max(seconds, self.bearable(entry, now, pause)))
        while self.is_full:
            self.freed.clear()
            await self.freed.wait()
        self.occupy(lane)
        return why

    async def await_turn(self, lane: Lane, entry: Entry) -> str | None:
        """Wait until the pace lets a job that is under way go on, before any new one; as `rest`."""
        lane.turns += 1
        try:
            while not self.stopping:
                now = self.clock.monotonic()
                wait = self.bearable(entry, now, lane.pace.due(now))
                if wait <= 0:
                    return None
                if (why := await self.sleep(lane, wait)) is not None:
                    return why
            return STOPPED
        finally:
            lane.turns -= 1
            self.wake.set()

    def bearable(self, entry: Entry, now: float, wait: float) -> float:
        """Return a wait, or none instead of one after which the job could not be settled."""
        left = entry.began + entry.call.policy.deadline - now
        return wait if wait < min(self.max_wait, left) else 0.0

    async def sleep(self, lane: Lane, seconds: float) -> str | None:
        """Wait; why the wait was cut short, if it was."""
        if self.stopping:
            return STOPPED
        try:
            await asyncio.wait_for(lane.went_down.wait(), seconds)
        except TimeoutError:
            return None
        return STOPPED if self.stopping else DOWN

    @property
    def is_full(self) -> bool:
        """Whether as many requests are in flight as may be."""
        return self.in_flight >= self.concurrency

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
