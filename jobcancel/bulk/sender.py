"""Sends the requests of a run: pumps the flow of each job, concurrently with all others.

Unlike in a single call, each request respects the rate of its lane and records its reply there,
and a job that waits between two requests releases its slot.
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

DOWN = "the vendor is down: several requests in a row failed"
STOPPED = "the run was stopped before the outcome was known"
CLOSED = "the run was closed before the outcome was known"
LATE = "the deadline passed before the next request could be sent"

_SERVER_ERROR = 500
_SUCCESSFUL = range(200, 300)


@define(eq=False)
class Sender:
    """The requests in flight.

    Args:
        client: the HTTP client.
        clock: the source of time and randomness.
        wake: set whenever another request might be sent.

    Attributes:
        in_flight: number of requests in flight.
        halt: why no more requests are sent; None while requests are sent.
        halted: set when no more requests are sent.
    """

    client: AsyncHttpClient | ClientPool
    clock: Clock
    wake: asyncio.Event
    in_flight: int = field(init=False, default=0)
    halt: str | None = field(init=False, default=None)
    halted: asyncio.Event = field(init=False, factory=asyncio.Event)

    def stop(self, why: str) -> None:
        """Stop sending."""
        self.halt = why
        self.halted.set()

    async def pump(self, lane: Lane, queued: QueuedJob, epoch: int | None) -> CancelResult | None:
        """Pump a job's flow to its result.

        Args:
            lane: the job's lane.
            queued: the job, with a slot for its first request.
            epoch: the epoch of that request, from `Pace.record_request`.

        Returns:
            the result, or None if there is none yet: the vendor's rate limit rejected the first
            request, or nothing was sent because the run has stopped.
        """
        reply: Reply | None = None
        why: str | None = None
        while True:
            try:
                step = queued.advance(reply, why)
            except StopIteration as done:
                return cast("CancelResult", done.value)
            reply = None
            if isinstance(step, Pause):
                log.waiting(queued.call.job, step)
                self.vacate(lane, queued)
                epoch, why = None, await self.wait(step.seconds)
                continue
            if epoch is None:
                epoch, why = await self.turn(lane, queued)
            # Check last, so that nothing is sent even if a cancellation was swallowed before.
            why = self.halt or why
            if why is None:
                reply, refusal = await self.exchange(lane, queued, step, cast("int", epoch))
                first = step.call == "cancel" and queued.cancels == 1
                if first and refusal is not None and refusal.repeat:
                    queued.refusal = reply
                    return None
            elif not queued.requests:
                return None
            epoch = None

    async def exchange(
        self, lane: Lane, queued: QueuedJob, send: Send, epoch: int
    ) -> tuple[Reply, Reading | None]:
        """Send one request; return the reply or fault, and the reading if it is a rate limit."""
        began = self.clock.monotonic()
        self.occupy(lane, queued, began)
        queued.requests += 1
        queued.cancels += send.call == "cancel"
        queued.unanswered = True
        reply = await pump.aexchange(self.client, send)
        now = self.clock.monotonic()
        job = queued.call.job
        log.exchanged(job, send, reply, now - began)
        was_open, old_epoch = lane.is_open, lane.pace.epoch
        refusal = self.record(lane, queued, send, epoch, reply, began, now)
        if lane.is_open is not was_open:
            log.circuit(job.provider, is_open=lane.is_open)
        if lane.pace.epoch != old_epoch:
            log.rate_limited(job.provider, lane.pace.paused_until - now, lane.pace.base)
        return reply, refusal

    def record(  # noqa: PLR0917 - each is a fact about one exchange
        self,
        lane: Lane,
        queued: QueuedJob,
        send: Send,
        epoch: int,
        reply: Reply,
        began: float,
        now: float,
    ) -> Reading | None:
        """Record one exchange in the lane; return the reading if it is a rate limit."""
        pace = lane.pace
        if not isinstance(reply, Response):
            if isinstance(reply, NoReply):
                lane.record_reply_time(now - began)
            if send.call == "status" or isinstance(reply, NotSent):
                lane.record_failure(now, queued)
            return None
        if reply.status_code < _SERVER_ERROR:
            lane.record_success()
        elif send.call == "status":
            lane.record_failure(now, queued)
        refusal = self.rate_limit(queued.call, send, reply)
        if refusal is not None:
            pace.record_refusal(now, epoch, refusal.retry_after)
            return refusal
        lane.record_reply_time(now - began)
        pace.record_success(epoch, now - began)
        if (reset := reset_wait(reply.headers, self.clock.wall())) is not None:
            pace.record_exhausted(now, reset)
        return None

    def rate_limit(self, call: Call, send: Send, reply: Response) -> Reading | None:
        """Return the reading of a rate-limit reply; None for any other reply."""
        if reply.status_code in _SUCCESSFUL:
            return None
        adapter = call.adapter
        read = adapter.read_cancel if send.call == "cancel" else adapter.read_status
        reading = with_longest_wait(read(call.job, reply), reply, self.clock.wall())
        return reading if reading.outcome is Outcome.RATE_LIMITED else None

    async def wait(self, seconds: float) -> str | None:
        """Wait between two requests of a job; return why no more may be sent, or None."""
        # Not `asyncio.wait_for`: in Python 3.11, it swallows a cancellation that arrives together
        # with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.halted.wait()
        return self.halt

    async def turn(self, lane: Lane, queued: QueuedJob) -> tuple[int | None, str | None]:
        """Wait until a started job may send its next request.

        Returns:
            the epoch of the request, from `Pace.record_request`; and why no more may be sent, or
            None.
        """
        if self.halt is not None:
            return None, self.halt
        now = self.clock.monotonic()
        if queued in lane.in_flight and not lane.is_open and lane.pace.due(now) <= 0:
            return lane.pace.record_request(now), None  # in the slot that it already has
        self.vacate(lane, queued)
        turn = Turn(queued, asyncio.get_running_loop().create_future())
        lane.turns.append(turn)
        self.wake.set()
        try:
            async with asyncio.timeout(max(0.0, queued.deadline_at - now)):
                return await turn.granted, None
        except TimeoutError:
            return None, LATE if not lane.is_open else DOWN
        finally:
            if turn in lane.turns:
                lane.turns.remove(turn)
                self.wake.set()

    def grant(self, lane: Lane, turn: Turn, now: float) -> None:
        """Allow a job to send its next request."""
        lane.turns.remove(turn)
        if not turn.granted.done():  # otherwise its deadline has passed, or it was cancelled
            self.occupy(lane, turn.queued, now)
            turn.granted.set_result(lane.pace.record_request(now))

    def occupy(self, lane: Lane, queued: QueuedJob, now: float) -> None:
        """Take a slot for a job's request."""
        if lane.in_flight.pop(queued, None) is None:
            self.in_flight += 1
        lane.in_flight[queued] = now

    def vacate(self, lane: Lane, queued: QueuedJob) -> None:
        """Release a job's slot."""
        if lane.in_flight.pop(queued, None) is not None:
            self.in_flight -= 1
            self.wake.set()
