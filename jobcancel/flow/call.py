"""A validated call, and its progress: requests, elapsed time, and how long the call waits.

`Progress.wait` decides how long a wait is and whether it fits the deadline. `verify` has waits of
its own in `cancellation.confirm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from jobcancel.adapter.protocol import Adapter, Endpoint, Reading, Request, Response
from jobcancel.flow.events import Flow, Pause, Reply, Send
from jobcancel.models import LARGEST_KEPT, Job
from jobcancel.retry import SYSTEM_CLOCK, Clock, Policy, poll_wait, requested_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.secret import Secret

# Why a call waits, in the log.
REQUESTED, BACK_OFF, VERIFY = "requested by the vendor", "back-off", "verify"
POLL = "poll"

# Seconds; a call that is closer to its deadline does not try again.
_SHORTEST_LAST_WAIT = 0.25


@frozen
class Call:
    """A validated call, ready to send.

    Args:
        adapter: the vendor's adapter.
        job: the job.
        endpoint: the vendor's base URL and the key.
        policy: the timeouts, and whether to wait until an accepted job has ended (`verify`).
        clock: the source of time and randomness.
    """

    adapter: Adapter
    job: Job
    endpoint: Endpoint
    policy: Policy = field(factory=Policy)
    clock: Clock = SYSTEM_CLOCK


def with_longest_wait(reading: Reading, reply: Response, wall: float) -> Reading:
    """Return the reading with the longer of the waits that body and headers request.

    Args:
        reading: the meaning of the reply, with the wait from its body.
        reply: the reply, with the wait in its headers.
        wall: the current time, in seconds since the epoch.
    """
    wait = requested_wait(reply.status_code, reply.headers, wall)
    if wait is None or (reading.retry_after is not None and wait <= reading.retry_after):
        return reading
    return evolve(reading, retry_after=wait)


def reportable(reading: Reading, response: Response, key: Secret) -> Reading:
    """Return the reading in a form that is safe to report.

    The key is redacted in the texts of a large reply, and its body is dropped. A small reply was
    redacted when it was received.
    """
    if response.content is None or len(response.content) <= LARGEST_KEPT:
        return reading

    def redacted(text: str | None) -> str | None:
        return None if text is None else key.redact_cut(text)

    return evolve(
        reading,
        message=key.redact_cut(reading.message),
        raw_state=redacted(reading.raw_state),
        code=redacted(reading.code),
        request_id=redacted(reading.request_id),
        body=None,
    )


@define(eq=False)
class Progress:
    """Elapsed time, retries, and one request at a time: what both flows need.

    Args:
        call: the call.
        kind: `"cancel"` or `"status"`.

    Attributes:
        started: when the call began, on its clock.
        reads: how many status reads were sent.
        retries: how many times the call waited, for the back-off.
        waited: for how many seconds it waited in all.
        cancel_wait: the longest wait that replies to the cancel requested since the last wait, in
            seconds.
        status_wait: the same for replies to the status request, which has its own rate limit.
        poll_wait: when to poll the status again, by the last reply to a status request, in
            seconds.
    """

    call: Call
    kind: str
    started: float = field(init=False)
    reads: int = field(init=False, default=0)
    retries: int = field(init=False, default=0)
    waited: float = field(init=False, default=0.0)
    cancel_wait: float | None = field(init=False, default=None)
    status_wait: float | None = field(init=False, default=None)
    poll_wait: float | None = field(init=False, default=None)

    @started.default
    def _now(self) -> float:
        return self.call.clock.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.call.clock.monotonic() - self.started

    @property
    def requested_wait(self) -> float | None:
        """The longest wait that the vendor requested since the last wait, in seconds."""
        waits = [wait for wait in (self.cancel_wait, self.status_wait) if wait is not None]
        return max(waits, default=None)

    @property
    def can_read(self) -> bool:
        """Whether the vendor has a status endpoint."""
        return self.call.adapter.status_request(self.call.job, self.call.endpoint) is not None

    @property
    def spent(self) -> float:
        """Seconds of the deadline that have passed."""
        # Every wait counts, even under a clock that skips it, so that no call goes on forever.
        return max(self.elapsed, self.waited)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.call.policy.deadline - self.spent

    def in_time(self, wait: float = 0.0) -> bool:
        """Whether a request that starts `wait` seconds from now starts before the deadline."""
        return wait < self.left

    def send(self, call: str, request: Request, attempt: int) -> Flow[Reply]:
        """Send one request and return the reply; the arguments are those of `Send`."""
        # A request that starts before the deadline gets its full timeout: a late reply is worth
        # more than a punctual "unknown".
        timeout = min(self.call.policy.timeout, self.call.policy.deadline)
        reply: Reply = yield Send(request=request, timeout=timeout, call=call, attempt=attempt)
        return reply

    def interpret(self, reply: Reply, read: Callable[[Job, Response], Reading]) -> Reading:
        """Return the meaning of a reply, or of its absence."""
        if not isinstance(reply, Response):
            return Reading(message=reply.reason)
        reading = reportable(read(self.call.job, reply), reply, self.call.endpoint.key)
        reading = with_longest_wait(reading, reply, self.call.clock.wall())
        if reading.astray:
            reply.distrust()
        return reading

    def record_cancel_wait(self, reading: Reading) -> None:
        """Record the wait that a reply to the cancel requests."""
        self.cancel_wait = _longer(self.cancel_wait, reading.retry_after)

    def read_status(self) -> Flow[Reading]:
        """Send one status request and return the reading."""
        request = self.call.adapter.status_request(self.call.job, self.call.endpoint)
        if request is None:
            return Reading(
                message=f"{self.call.adapter.title} has no status endpoint", repeat=False
            )
        self.reads += 1
        reply = yield from self.send("status", request, self.reads)
        reading = self.interpret(reply, self.call.adapter.read_status)
        self.status_wait = _longer(self.status_wait, reading.retry_after)
        self.poll_wait = poll_wait(reply.headers) if isinstance(reply, Response) else None
        return reading

    def wait(self) -> Flow[bool]:
        """Wait before the next request; return False if there is no time left for it."""
        if not (yield from self._wait_or_back_off(self.requested_wait)):
            return False
        self.cancel_wait = self.status_wait = None
        return self.in_time()

    def wait_before_read(self) -> Flow[bool]:
        """Like `wait`, before a status request: ignore the waits requested for the cancel."""
        if not (yield from self._wait_or_back_off(self.status_wait)):
            return False
        self.status_wait = None
        return self.in_time()

    def _wait_or_back_off(self, requested: float | None) -> Flow[bool]:
        """Wait as requested, else by back-off; return False if it would exceed the deadline."""
        # "Wait 0 seconds" is not permission to retry in a tight loop.
        wait = requested or self.call.policy.backoff(self.retries + 1, self.call.clock.random())
        if not requested and not self.in_time(wait):
            # Shorten our own back-off, so that the last attempt starts just before the deadline.
            wait = max(self.left / 2, _SHORTEST_LAST_WAIT)
        if not self.in_time(wait):
            return False
        self.retries += 1
        yield from self.pause(wait, REQUESTED if requested else BACK_OFF)
        return True

    def pause(self, seconds: float, reason: str) -> Flow[None]:
        """Wait for `seconds`."""
        self.waited += seconds
        yield Pause(seconds, self.kind, reason)


def _longer(wait: float | None, other: float | None) -> float | None:
    return wait if other is None else max(wait or 0.0, other)
