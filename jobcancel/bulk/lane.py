"""One lane for each provider and API key: the queue, the rate and the circuit breaker."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, cast

from attrs import define, evolve, field

from jobcancel.bulk.pace import Pace
from jobcancel.flow.call import Call
from jobcancel.flow.events import Flow, NoReply, Reply, Stopped
from jobcancel.models import CancelResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from jobcancel.flow.events import Pause, Send
    from jobcancel.secret import Secret

Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]

# Consecutive failures that open the circuit, and seconds between two trial requests.
_FAILURES = 5
_FIRST_TRIAL, _LONGEST_TRIAL = 0.5, 2.0
# Weight of the last reply in the moving average of the reply time.
_NEWEST = 0.2
_LONGEST_REASON = 300
# Seconds without any reply after which the wait itself counts as the reply time.
_PATIENCE = 3.0


@define(eq=False)
class QueuedJob:
    """One job of a run.

    Args:
        key: identifies the job, to find duplicates.
        call: the call that cancels the job.

    Attributes:
        times: how many times the job was submitted.
        flow: the job's flow, once it was started.
        began: when the job was started, on the clock; its deadline counts from then.
        requests: number of requests that were sent since then.
        cancels: number of cancel requests among them.
        unanswered: whether the flow waits for the reply to the last request.
        refusal: the rate-limit reply to the first request, if the job was queued again for it.
    """

    key: Key
    call: Call
    times: int = 1
    flow: Flow[CancelResult] | None = None
    began: float = 0.0
    requests: int = 0
    cancels: int = 0
    unanswered: bool = False
    refusal: Reply | None = None

    def begin(self, flow: Flow[CancelResult], now: float) -> None:
        """Start the job, or start it again after a rate limit."""
        self.flow = flow
        self.began = now
        self.requests = self.cancels = 0
        self.unanswered, self.refusal = False, None

    @property
    def deadline_at(self) -> float:
        """When the job's deadline passes, on the clock."""
        return self.began + self.call.policy.deadline

    def advance(self, reply: Reply | None, why: str | None) -> Send | Pause:
        """Return the flow's next step; end the flow if there is a reason `why`.

        Raises:
            StopIteration: the flow has ended, with its result.
        """
        flow = cast("Flow[CancelResult]", self.flow)
        if why is not None:
            return flow.throw(Stopped(why))
        self.unanswered = False
        return flow.send(reply)

    def conclude(self, why: str, fault: str, *, elapsed: float, at: datetime) -> CancelResult:
        """Return the result of a job for which no more requests are sent.

        Args:
            why: the reason.
            fault: what happened instead of a reply, if the flow waits for one.
            elapsed: seconds since the job was started.
            at: the current date and time.
        """
        try:
            if self.unanswered:
                self.advance(self.refusal or NoReply(fault), None)
            self.advance(None, why)
        except StopIteration as done:
            return cast("CancelResult", done.value)
        except Exception:  # noqa: BLE001, S110 - from a plug-in; the result does not need it
            pass
        result = self.unsent(Outcome.UNKNOWN, f"{fault}; {why}", at=at)
        return evolve(result, attempts=self.cancels, elapsed=elapsed)

    def unsent(
        self, outcome: Outcome, message: str, wait: float | None = None, *, at: datetime
    ) -> CancelResult:
        """Return the result of a job for which no request was sent."""
        job = self.call.job
        return CancelResult(
            provider=job.provider,
            job_id=job.job_id,
            outcome=outcome,
            message=message,
            retry_after=wait,
            params=job.params,
            at=at,
        )


@define(eq=False)
class Turn:
    """The wait of a started job for permission to send its next request.

    Args:
        queued: the job.
        granted: resolves to the epoch of that request, or to None if no more requests are sent.
    """

    queued: QueuedJob
    granted: asyncio.Future[int | None]


@define(eq=False)
class Lane:
    """The jobs of one provider and API key.

    Attributes:
        waiting: jobs that were not started, or whose first request hit the rate limit.
        turns: started jobs that wait for their next request.
        in_flight: jobs with a request in flight, and since when.
        started: number of jobs that were started and have no result yet.
        last: the sequence number of the lane's last start in the run, for round robin.
        reply_time: moving average of the reply time, in seconds; None before the first reply.
        failures: number of consecutive failures.
        opened_at: when the circuit opened; only trial requests are sent since then. None: closed.
        trial_at: when the next trial request may be sent.
        cooling: seconds until the trial request after the next one.
        trial: the job that sends the trial request.
    """

    pace: Pace
    waiting: deque[QueuedJob] = field(factory=deque)
    turns: deque[Turn] = field(factory=deque)
    in_flight: dict[QueuedJob, float] = field(factory=dict)
    started: int = 0
    last: int = 0
    reply_time: float | None = None
    failures: int = 0
    opened_at: float | None = None
    trial_at: float = 0.0
    cooling: float = _FIRST_TRIAL
    trial: QueuedJob | None = None

    # The vendor

    def record_reply_time(self, seconds: float) -> None:
        """Record how long a request was in flight."""
        if self.reply_time is None:
            self.reply_time = seconds
        self.reply_time += _NEWEST * (seconds - self.reply_time)

    def slowness(self, now: float) -> float | None:
        """Return the seconds that a request takes in this lane; None if not known yet."""
        half = len(self.in_flight) // 2
        middle = next(islice(self.in_flight.values(), half, None), now)
        if self.reply_time is None:
            return now - middle if now - middle > _PATIENCE else None
        return max(self.reply_time, now - middle)

    def record_success(self) -> None:
        """Record a reply: close the circuit."""
        self.failures = 0
        self.opened_at, self.trial, self.cooling = None, None, _FIRST_TRIAL

    def record_failure(self, now: float, queued: QueuedJob) -> None:
        """Record a failure: no connection, or a status read that failed."""
        self.failures += 1
        if not self.is_open:
            if self.failures < _FAILURES:
                return
            self.opened_at = now
        elif queued is not self.trial:  # it was in flight when the circuit opened
            return
        self.trial_at, self.trial = now + self.cooling, None
        self.cooling = min(2 * self.cooling, _LONGEST_TRIAL)

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: the vendor is down, and only trial requests are sent."""
        return self.opened_at is not None

    def may_try(self, now: float, queued: QueuedJob | None = None) -> bool:
        """Whether a trial request is due, or this job is the one that sends it."""
        if self.trial is not None:
            return self.trial is queued
        return now >= self.trial_at

    # What may be sent, and when

    @property
    def is_busy(self) -> bool:
        """Whether there are jobs that may have more requests to send than are in flight."""
        return bool(self.waiting) or self.started > len(self.in_flight)

    def exceeds_max_wait(self, now: float, max_wait: float) -> bool:
        """Whether the wait that the vendor requests exceeds `max_wait`."""
        return self.pace.would_wait(now) > max_wait

    def is_down_too_long(self, now: float, max_wait: float) -> bool:
        """Whether the circuit has been open for longer than jobs are held."""
        return now >= self.held_until(max_wait)

    def held_until(self, max_wait: float) -> float:
        """Return until when jobs are held in the queue while the circuit is open."""
        opened_at = math.inf if self.opened_at is None else self.opened_at
        return opened_at + min(self.waiting[0].call.policy.deadline, max_wait)

    def delay(self, now: float, max_wait: float) -> float | None:
        """Return the seconds until the lane may send; None: not before the next event."""
        if not self.waiting and not self.turns:
            return None
        if self.is_open:
            times = [self.trial_at] if self.trial is None else []
            if self.waiting:
                times.append(self.held_until(max_wait))
            return max(0.0, min(times) - now) if times else None
        if self.turns:
            return self.pace.due(now)
        return self.pace.delay(now, len(self.in_flight))

    def next_turn(self, now: float, max_wait: float) -> Turn | None:
        """Return the next started job that may send a request, or None."""
        if self.is_open:
            return next((turn for turn in self.turns if self.may_try(now, turn.queued)), None)
        due = self.pace.due(now)
        for turn in self.turns:
            # If the wait would outlast the job's deadline, send now: the request may be a status
            # read, which the rate limit on cancels may not affect.
            if due <= 0 or due >= min(max_wait, turn.queued.deadline_at - now):
                return turn
        return None

    def may_start(self, now: float) -> bool:
        """Whether a queued job may be started."""
        if not self.waiting:
            return False
        if self.is_open:
            return self.may_try(now)
        return not self.turns and self.pace.delay(now, len(self.in_flight)) == 0.0

    def wants(self, now: float) -> int:
        """Return how many requests the lane could have in flight."""
        if self.is_open or self.pace.due(now) > 0:
            return len(self.in_flight) + 1
        most = len(self.in_flight) + len(self.turns) + len(self.waiting)
        return min(most, int(self.pace.window))


def reason(error: BaseException, keys: Iterable[Secret]) -> str:
    """Return the type and message of an error, with the keys redacted."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    for key in keys:
        text = key.redact(text)
    return text[:_LONGEST_REASON]
