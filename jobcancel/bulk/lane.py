"""What a run knows of each vendor and key: the jobs that wait, the pace, whether it is down."""

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

# Failures in a row after which nothing is sent but a probe, and seconds between two probes.
_FAILURES = 5
_FIRST_TRIAL, _LONGEST_TRIAL = 0.5, 2.0
# How much of the typical reply time is due to the last reply.
_NEWEST = 0.2
_LONGEST_REASON = 300
# Seconds without any reply after which waiting counts as the reply time.
_PATIENCE = 3.0


@define(eq=False)
class QueuedJob:
    """One job of a run.

    Args:
        key: what makes it the same job as another.
        call: the call that cancels it.

    Attributes:
        times: how many times it was given.
        flow: its decisions, once it was started.
        began: when it was started, on the clock; its deadline counts from then.
        requests: how many requests were sent for it since then.
        cancels: how many of them were cancels.
        unanswered: whether the flow waits for the reply to the last one.
        refusal: the reply that refused the first one for now, if that is why the job waits.
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
        """Start the job, anew if it was refused before."""
        self.flow = flow
        self.began = now
        self.requests = self.cancels = 0
        self.unanswered, self.refusal = False, None

    @property
    def late_at(self) -> float:
        """When its deadline passes."""
        return self.began + self.call.policy.deadline

    def go_on(self, reply: Reply | None, why: str | None) -> Send | Pause:
        """Take the flow to its next step, or end it because of `why`; raises StopIteration."""
        flow = cast("Flow[CancelResult]", self.flow)
        if why is not None:
            return flow.throw(Stopped(why))
        self.unanswered = False
        return flow.send(reply)

    def conclude(self, why: str, fault: str, *, elapsed: float, at: datetime) -> CancelResult:
        """Return the result of a job for which nothing more is sent.

        Args:
            why: why nothing more is.
            fault: what happened instead of a reply, if one was awaited.
            elapsed: seconds since the job was started.
            at: the time of day.
        """
        try:
            if self.unanswered:
                self.go_on(self.refusal or NoReply(fault), None)
            self.go_on(None, why)
        except StopIteration as done:
            return cast("CancelResult", done.value)
        except Exception:  # noqa: BLE001, S110 - a plug-in's; what is known is told without it
            pass
        result = self.unsent(Outcome.UNKNOWN, f"{fault}; {why}", at=at)
        return evolve(result, attempts=self.cancels, elapsed=elapsed)

    def unsent(
        self, outcome: Outcome, message: str, wait: float | None = None, *, at: datetime
    ) -> CancelResult:
        """Return the result of a job for which nothing is sent."""
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
    """The wait of a job that was started for its next request.

    Args:
        queued: the job.
        granted: gets what `Pace.record_request` returned, or None when nothing more is sent.
    """

    queued: QueuedJob
    granted: asyncio.Future[int | None]


@define(eq=False)
class Lane:
    """The jobs of one vendor and key.

    Attributes:
        waiting: those that were not started, or refused before anything else.
        turns: those that were started and wait for their next request.
        in_flight: those that have a request in flight, and since when.
        started: how many were started and have no result.
        last: the number of the last start in the run, to take turns.
        reply_time: seconds that a reply typically takes; None before the first.
        failures: how many requests in a row failed.
        opened_at: when the circuit opened; since then only trial requests are sent. None: closed.
        trial_at: when the next trial request may be sent.
        trial: the job whose request is the trial.
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
        """Return the seconds that requests take here; None when that is not known yet."""
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
        """Record that the vendor could not be reached, or could not even read a job."""
        self.failures += 1
        if not self.is_open:
            if self.failures < _FAILURES:
                return
            self.opened_at = now
        elif queued is not self.trial:  # in flight with those that opened the circuit
            return
        self.trial_at, self.trial = now + self.cooling, None
        self.cooling = min(2 * self.cooling, _LONGEST_TRIAL)

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: the vendor is down, and only trial requests are sent."""
        return self.opened_at is not None

    def may_try(self, now: float, queued: QueuedJob | None = None) -> bool:
        """Whether it is time for a trial request, or this job is sending it."""
        if self.trial is not None:
            return self.trial is queued
        return now >= self.trial_at

    # When what may go

    @property
    def is_busy(self) -> bool:
        """Whether there are jobs that may want to send more than is in flight."""
        return bool(self.waiting) or self.started > len(self.in_flight)

    def exceeds_max_wait(self, now: float, max_wait: float) -> bool:
        """Whether the wait that the vendor asks for exceeds `max_wait`."""
        return self.pace.would_wait(now) > max_wait

    def is_given_up(self, now: float, max_wait: float) -> bool:
        """Whether the vendor has been down for as long as a job is held for it."""
        return now >= self.held_until(max_wait)

    def held_until(self, max_wait: float) -> float:
        """Return until when waiting jobs are held while the circuit is open."""
        opened_at = math.inf if self.opened_at is None else self.opened_at
        return opened_at + min(self.waiting[0].call.policy.deadline, max_wait)

    def delay(self, now: float, max_wait: float) -> float | None:
        """Return in how many seconds something may be done; None: when something has happened."""
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
        """Return the next of those that were started that may send; None when none may."""
        if self.is_open:
            return next((turn for turn in self.turns if self.may_try(now, turn.queued)), None)
        due = self.pace.due(now)
        for turn in self.turns:
            # One that could not be settled after the wait does not wait: a status read, which is
            # not what the vendor refuses, may still settle it.
            if due <= 0 or due >= min(max_wait, turn.queued.late_at - now):
                return turn
        return None

    def may_start(self, now: float) -> bool:
        """Whether a job that waits may be started."""
        if not self.waiting:
            return False
        if self.is_open:
            return self.may_try(now)
        return not self.turns and self.pace.delay(now, len(self.in_flight)) == 0.0

    def wants(self, now: float) -> int:
        """Return how many requests it could have in flight."""
        if self.is_open or self.pace.due(now) > 0:
            return len(self.in_flight) + 1
        most = len(self.in_flight) + len(self.turns) + len(self.waiting)
        return min(most, int(self.pace.window))


def reason(error: BaseException, keys: Iterable[Secret]) -> str:
    """Return the type and message of an error, without the keys."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    for key in keys:
        text = key.redact(text)
    return text[:_LONGEST_REASON]
