"""The requests of a run: how one job goes through its flow beside all the others.

What is different from a single call: each request keeps to the pace of its lane and tells the
lane what came of it, and a job that waits between two requests leaves its place to another.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from attrs import define, field

from jobcancel.adapter.protocol import Response
from jobcancel.bulk.lane import Turn
from jobcancel.flow.call import with_longest_wait
from jobcancel.flow.events import NoReply, NotSent, Pause
from jobcancel.models import CancelResult, Outcome
from jobcancel.retry import Clock, reset_wait
from jobcancel.transport import pump
from jobcancel.transport.clients import AsyncHttpClient
from jobcancel.transport.pool import AsyncClients

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Reading
    from jobcancel.bulk.lane import Entry, Lane
    from jobcancel.flow.call import Call
    from jobcancel.flow.events import Reply, Send

DOWN = "the vendor is down: it could not be reached several times in a row"
STOPPED = "the run was stopped before this was settled"
CLOSED = "the run was closed before this was settled"
LATE = "its time was up before its next request could be sent"

_SERVER_ERROR = 500
_SUCCESSFUL = range(200, 300)


@define(eq=False)
class Traffic:
    """What is in flight.

    Args:
        client: what to send with.
        clock: where time and chance come from.
        wake: set whenever another request may perhaps be sent.

    Attributes:
        in_flight: how many requests are.
        halt: why nothing more is sent, once that is so.
        halted: set then.
    """

    client: AsyncHttpClient | AsyncClients
    clock: Clock
    wake: asyncio.Event
    in_flight: int = field(init=False, default=0)
    halt: str | None = field(init=False, default=None)
    halted: asyncio.Event = field(init=False, factory=asyncio.Event)

    def stop(self, why: str) -> None:
        """Send nothing more."""
        self.halt = why
        self.halted.set()

    async def pump(self, lane: Lane, entry: Entry, epoch: int | None) -> CancelResult | None:
        """Pump a job's flow to its result.

        Args:
            lane: the job's.
            entry: the job, with a place for its first request.
            epoch: what `Pace.sent` returned for that request.

        Returns:
            None when nothing was settled: the vendor refused the first request for now, or
            there was none because nothing more is sent.
        """
        answer: Reply | None = None
        why: str | None = None
        while True:
            try:
                step = entry.go_on(answer, why)
            except StopIteration as done:
                return cast("CancelResult", done.value)
            answer = None
            if isinstance(step, Pause):
                self.vacate(lane, entry)
                epoch, why = None, await self.rest(step.seconds)
                continue
            if epoch is None:
                epoch, why = await self.turn(lane, entry)
            # Looked at last, so that nothing is sent whatever became of a cancellation on the way.
            why = self.halt or why
            if why is None:
                answer, told = await self.exchange(lane, entry, step, cast("int", epoch))
                first = step.call == "cancel" and entry.cancels == 1
                if first and told is not None and told.repeat:
                    entry.refusal = answer
                    return None
            elif not entry.requests:
                return None
            epoch = None

    async def exchange(
        self, lane: Lane, entry: Entry, send: Send, epoch: int
    ) -> tuple[Reply, Reading | None]:
        """Send one request and tell the lane what came; with what it means if it refuses."""
        clock, pace, call = self.clock, lane.pace, entry.call
        began = clock.monotonic()
        self.occupy(lane, entry, began)
        entry.requests += 1
        entry.cancels += send.call == "cancel"
        entry.unanswered = True
        answer = await pump.aexchange(self.client, send)
        now = clock.monotonic()
        pump.log_exchange(call.job, send, answer, now - began)
        if not isinstance(answer, Response):
            if isinstance(answer, NoReply):
                lane.took(now - began)
            if send.call == "status" or isinstance(answer, NotSent):
                lane.failed(now, entry)
            return answer, None
        if answer.status_code < _SERVER_ERROR:
            lane.worked()
        elif send.call == "status":
            lane.failed(now, entry)
        told = self.refusal(call, send, answer)
        if told is not None:
            pace.refused(now, epoch, told.retry_after)
            return answer, told
        lane.took(now - began)
        pace.took(epoch, now - began)
        if (reset := reset_wait(answer.headers, clock.wall())) is not None:
            pace.nothing_left(now, reset)
        return answer, None

    def refusal(self, call: Call, send: Send, answer: Response) -> Reading | None:
        """Return what a reply means that refuses for now; None for any other."""
        if answer.status_code in _SUCCESSFUL:
            return None
        adapter = call.adapter
        read = adapter.read_cancel if send.call == "cancel" else adapter.read_status
        told = with_longest_wait(read(call.job, answer), answer, self.clock.wall())
        return told if told.outcome is Outcome.RATE_LIMITED else None

    async def rest(self, seconds: float) -> str | None:
        """Wait between two requests of a job; why there is to be no other, if that is so."""
        # Not `asyncio.wait_for`: that of Python 3.11 swallows a cancellation which comes together
        # with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.halted.wait()
        return self.halt

    async def turn(self, lane: Lane, entry: Entry) -> tuple[int | None, str | None]:
        """Wait until a job that was started may send its next request.

        Returns:
            what `Pace.sent` returned, and why there is to be no other request, if that is so.
        """
        if self.halt is not None:
            return None, self.halt
        now = self.clock.monotonic()
        if entry in lane.in_flight and lane.opened is None and lane.pace.due(now) <= 0:
            return lane.pace.sent(now), None  # in the place that it has
        self.vacate(lane, entry)
        turn = Turn(entry, asyncio.get_running_loop().create_future())
        lane.turns.append(turn)
        self.wake.set()
        try:
            async with asyncio.timeout(max(0.0, entry.late_at - now)):
                return await turn.granted, None
        except TimeoutError:
            return None, LATE if lane.opened is None else DOWN
        finally:
            if turn in lane.turns:
                lane.turns.remove(turn)
                self.wake.set()

    def grant(self, lane: Lane, turn: Turn, now: float) -> None:
        """Let a job send its next request."""
        lane.turns.remove(turn)
        if not turn.granted.done():  # its time is up, or it was cancelled
            self.occupy(lane, turn.entry, now)
            turn.granted.set_result(lane.pace.sent(now))

    def occupy(self, lane: Lane, entry: Entry, now: float) -> None:
        """Count a request in flight, from now on."""
        if lane.in_flight.pop(entry, None) is None:
            self.in_flight += 1
        lane.in_flight[entry] = now

    def vacate(self, lane: Lane, entry: Entry) -> None:
        """Count it out."""
        if lane.in_flight.pop(entry, None) is not None:
            self.in_flight -= 1
            self.wake.set()
