"""The requests of a run: how one job goes through its flow beside all the others.

What is different from a single call: each request keeps to the pace of its lane and tells the
lane what came of it, and a job that waits between two requests leaves its place to another.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from attrs import define, field

from jobcancel import log
from jobcancel.adapter.protocol import Response
from jobcancel.bulk.lane import Turn
from jobcancel.flow.call import with_longest_wait
from jobcancel.flow.events import NoReply, NotSent, Pause
from jobcancel.models import CancelResult, Outcome
from jobcancel.retry import Clock, reset_wait
from jobcancel.transport import pump
from jobcancel.transport.clients import AsyncHttpClient
from jobcancel.transport.pool import ClientPool

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Reading
    from jobcancel.bulk.lane import Lane, QueuedJob
    from jobcancel.flow.call import Call
    from jobcancel.flow.events import Reply, Send

DOWN = "the vendor is down: it could not be reached several times in a row"
STOPPED = "the run was stopped before this was settled"
CLOSED = "the run was closed before this was settled"
LATE = "its time was up before its next request could be sent"

_SERVER_ERROR = 500
_SUCCESSFUL = range(200, 300)


@define(eq=False)
class Sender:
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

    client: AsyncHttpClient | ClientPool
    clock: Clock
    wake: asyncio.Event
    in_flight: int = field(init=False, default=0)
    halt: str | None = field(init=False, default=None)
    halted: asyncio.Event = field(init=False, factory=asyncio.Event)

    def stop(self, why: str) -> None:
        """Send nothing more."""
        self.halt = why
        self.halted.set()

    async def pump(self, lane: Lane, queued: QueuedJob, epoch: int | None) -> CancelResult | None:
        """Pump a job's flow to its result.

        Args:
            lane: the job's.
            queued: the job, with a place for its first request.
            epoch: what `Pace.record_request` returned for that request.

        Returns:
            None when nothing was settled: the vendor refused the first request for now, or
            there was none because nothing more is sent.
        """
        answer: Reply | None = None
        why: str | None = None
        while True:
            try:
                step = queued.go_on(answer, why)
            except StopIteration as done:
                return cast("CancelResult", done.value)
            answer = None
            if isinstance(step, Pause):
                log.waiting(queued.call.job, step)
                self.vacate(lane, queued)
                epoch, why = None, await self.rest(step.seconds)
                continue
            if epoch is None:
                epoch, why = await self.turn(lane, queued)
            # Looked at last, so that nothing is sent whatever became of a cancellation on the way.
            why = self.halt or why
            if why is None:
                answer, told = await self.exchange(lane, queued, step, cast("int", epoch))
                first = step.call == "cancel" and queued.cancels == 1
                if first and told is not None and told.repeat:
                    queued.refusal = answer
                    return None
            elif not queued.requests:
                return None
            epoch = None

    async def exchange(
        self, lane: Lane, queued: QueuedJob, send: Send, epoch: int
    ) -> tuple[Reply, Reading | None]:
        """Send one request; return the reply or fault, interpreted if it is a refusal for now."""
        began = self.clock.monotonic()
        self.occupy(lane, queued, began)
        queued.requests += 1
        queued.cancels += send.call == "cancel"
        queued.unanswered = True
        answer = await pump.aexchange(self.client, send)
        now = self.clock.monotonic()
        job = queued.call.job
        log.exchanged(job, send, answer, now - began)
        was_open, limits = lane.is_open, lane.pace.epoch
        told = self.record(lane, queued, send, epoch, answer, began, now)
        if lane.is_open is not was_open:
            log.circuit(job.provider, is_open=lane.is_open)
        if lane.pace.epoch != limits:
            log.rate_limited(job.provider, lane.pace.paused_until - now, lane.pace.base)
        return answer, told

    def record(  # noqa: PLR0917 - each is a fact about one exchange
        self,
        lane: Lane,
        queued: QueuedJob,
        send: Send,
        epoch: int,
        answer: Reply,
        began: float,
        now: float,
    ) -> Reading | None:
        """Record one exchange in the lane; return the reading of a refusal for now."""
        pace = lane.pace
        if not isinstance(answer, Response):
            if isinstance(answer, NoReply):
                lane.record_reply_time(now - began)
            if send.call == "status" or isinstance(answer, NotSent):
                lane.record_failure(now, queued)
            return None
        if answer.status_code < _SERVER_ERROR:
            lane.record_success()
        elif send.call == "status":
            lane.record_failure(now, queued)
        told = self.refusal(queued.call, send, answer)
        if told is not None:
            pace.record_refusal(now, epoch, told.retry_after)
            return told
        lane.record_reply_time(now - began)
        pace.record_success(epoch, now - began)
        if (reset := reset_wait(answer.headers, self.clock.wall())) is not None:
            pace.record_exhausted(now, reset)
        return None

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

    async def turn(self, lane: Lane, queued: QueuedJob) -> tuple[int | None, str | None]:
        """Wait until a job that was started may send its next request.

        Returns:
            what `Pace.record_request` returned, and why nothing more is sent, if so.
        """
        if self.halt is not None:
            return None, self.halt
        now = self.clock.monotonic()
        if queued in lane.in_flight and not lane.is_open and lane.pace.due(now) <= 0:
            return lane.pace.record_request(now), None  # in the place that it has
        self.vacate(lane, queued)
        turn = Turn(queued, asyncio.get_running_loop().create_future())
        lane.turns.append(turn)
        self.wake.set()
        try:
            async with asyncio.timeout(max(0.0, queued.late_at - now)):
                return await turn.granted, None
        except TimeoutError:
            return None, LATE if not lane.is_open else DOWN
        finally:
            if turn in lane.turns:
                lane.turns.remove(turn)
                self.wake.set()

    def grant(self, lane: Lane, turn: Turn, now: float) -> None:
        """Let a job send its next request."""
        lane.turns.remove(turn)
        if not turn.granted.done():  # its time is up, or it was cancelled
            self.occupy(lane, turn.queued, now)
            turn.granted.set_result(lane.pace.record_request(now))

    def occupy(self, lane: Lane, queued: QueuedJob, now: float) -> None:
        """Count a request in flight, from now on."""
        if lane.in_flight.pop(queued, None) is None:
            self.in_flight += 1
        lane.in_flight[queued] = now

    def vacate(self, lane: Lane, queued: QueuedJob) -> None:
        """Count it out."""
        if lane.in_flight.pop(queued, None) is not None:
            self.in_flight -= 1
            self.wake.set()
