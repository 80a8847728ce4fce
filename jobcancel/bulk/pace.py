"""The request rate of one lane: slow start, requested waits, and a rate learned from 429s.

Sans-I/O: the lane records requests and replies, and `Pace` computes when the next request may be
sent. docs/pace.md describes the algorithm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from attrs import define, field

from jobcancel.errors import ConfigurationError, WrongType

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(s|sec|second|min|minute|h|hour)\s*")
_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}

# Maximum requests in flight at the start, and how much each reply adds: it triples per round trip
# until the first refusal.
_FIRST_WINDOW, _WINDOW_GROWTH = 24.0, 2.0
# While searching for the vendor's rate, ours doubles in this many seconds, or round trips.
_DOUBLING, _DOUBLING_TRIPS = 0.2, 2.0
_MAX_DOUBLINGS = 30.0
# Once the vendor's rate is known, ours starts at this fraction of it and grows by this fraction per
# second; another refusal reduces it by more.
_CAUTION, _GROWTH = 0.97, 0.004
# Fraction of the vendor's burst that is sent immediately after a pause.
_BURST = 0.9
# Minimum fraction of the allowed requests that must have been sent to learn from a refusal.
_USED = 0.9
# Seconds; a shorter wait is only the rounding error of floating-point sums.
_ROUNDING = 1e-6
# Waits after a refusal without a requested wait, in seconds; doubled each time.
_FIRST_WAIT, _LONGEST_WAIT, _SHORTEST_WAIT = 1.0, 32.0, 0.1


def per_second(rate: str) -> float:
    """Return a rate such as `"60/s"`, `"100/min"` or `"5000/hour"` in requests per second.

    Raises:
        ConfigurationError: the format is invalid, or the rate is zero.

    Example:
        >>> per_second("90/min")
        1.5
    """
    if not isinstance(rate, str):
        raise WrongType(f"rate must be a string such as '60/s', not {rate!r}")
    match = _RATE.fullmatch(rate)
    if match is None or float(match[1]) == 0:
        raise ConfigurationError(
            f"rate {rate!r} is invalid; expected a rate such as '60/s', '100/min' or '1/h'"
        )
    return float(match[1]) / _SECONDS[match[2]]


def rates(rate: str | Mapping[str, str] | None) -> dict[str, float]:
    """Return the fixed rates by provider; the empty name has the rate for all other providers."""
    if rate is None:
        return {}
    if isinstance(rate, Mapping):
        return {provider: per_second(text) for provider, text in rate.items()}
    return {"": per_second(rate)}


@define
class Pace:
    """The request rate of one lane.

    Args:
        most: maximum number of requests in flight.
        fixed: the rate that the caller fixes, in requests per second; None to learn it.
        now: the current time, in seconds, on the same clock as in the methods.

    Attributes:
        window: the current limit of requests in flight.
        paused_until: until when nothing may be sent.
        refused_from: when the vendor started to refuse requests; None if it accepts them.
        resumed: when the rate started to earn requests.
        base: our rate at `resumed`, in requests per second; None before the first refusal.
        searching: whether our rate still doubles, to find the vendor's.
        burst: the estimated burst that the vendor allows, in requests.
        opening: the number of accepted requests before the first refusal, and their seconds.
        spent: number of requests since `resumed`.
        accepted: number of accepted requests in this epoch.
        refusals: number of consecutive refusals.
        epoch: number of the current period between refusals.
        round_trip: moving average of the reply time, in seconds.
    """

    most: int
    fixed: float | None
    now: float
    window: float = field(init=False, default=_FIRST_WINDOW)
    paused_until: float = field(init=False)
    refused_from: float | None = field(init=False, default=None)
    resumed: float = field(init=False)
    base: float | None = field(init=False)
    searching: bool = field(init=False, default=True)
    burst: float = field(init=False, default=1.0)
    opening: tuple[float, float] = field(init=False, default=(1.0, 0.0))
    spent: float = field(init=False, default=0.0)
    accepted: int = field(init=False, default=0)
    refusals: int = field(init=False, default=0)
    epoch: int = field(init=False, default=0)
    round_trip: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.paused_until = self.resumed = self.now
        self.base = self.fixed

    def delay(self, now: float, in_flight: int) -> float | None:
        """Return the seconds until a job may be started; None: not before the next reply."""
        return None if in_flight >= min(self.window, self.most) else self.due(now)

    def due(self, now: float) -> float:
        """Return the seconds until a started job may send its next request."""
        delay = max(self.paused_until - now, self._earned_at(self.spent + 1) - now)
        return delay if delay > _ROUNDING else 0.0

    def would_wait(self, now: float) -> float:
        """Return the seconds from the first refusal, or from now, to the end of the pause."""
        if self.paused_until <= now:
            return 0.0
        return self.paused_until - (now if self.refused_from is None else self.refused_from)

    def record_request(self, now: float) -> int:
        """Record a request; return its epoch, for `record_success` and `record_refusal`."""
        # Unused requests accumulate only up to the credit.
        self.spent = max(self.spent + 1, self._earned(now) - self.credit)
        return self.epoch

    def record_success(self, epoch: int, seconds: float) -> None:
        """Record that the vendor did not refuse a request, and the reply time in seconds."""
        self.round_trip += (0.2 if self.round_trip else 1.0) * (seconds - self.round_trip)
        self.window = min(self.window + _WINDOW_GROWTH, self.most)
        self.refused_from = None
        if epoch == self.epoch:
            self.accepted += 1
            self.refusals = 0

    def record_refusal(self, now: float, epoch: int, wait: float | None) -> None:
        """Record a refusal (429): the whole lane waits once, then continues at the learned rate."""
        if wait is None:
            wait = min(_FIRST_WAIT * 2**self.refusals, _LONGEST_WAIT)
        if epoch == self.epoch:  # the first refusal among requests in flight together
            self.refusals += 1
            if self.fixed is None:
                self._learn(now, wait)
            self.epoch += 1
            self.accepted = 0
            self.window = max(_FIRST_WINDOW, self.window / 2)
        if self.refused_from is None:
            self.refused_from = now
        self.resumed = self.paused_until = max(self.paused_until, now + wait)
        self.spent = 0.0

    def record_exhausted(self, now: float, reset: float) -> None:
        """Record a header that says that the quota is exhausted for `reset` seconds."""
        self.paused_until = max(self.paused_until, now + reset)
        self.resumed = max(self.resumed, self.paused_until)
        self.spent = 0.0

    # The rate, and what it has earned

    @property
    def credit(self) -> float:
        """Number of requests that may be sent at once after an idle period."""
        return 1.0 if self.searching or self.fixed is not None else max(1.0, _BURST * self.burst)

    @property
    def doubling(self) -> float:
        """Seconds in which our rate doubles while searching for the vendor's."""
        return max(_DOUBLING, _DOUBLING_TRIPS * self.round_trip)

    def _earned(self, now: float) -> float:
        """Return how many requests the rate has allowed since the lane resumed."""
        since = max(0.0, now - self.resumed)
        if self.base is None:
            return math.inf
        if self.fixed is not None:
            return self.credit + self.fixed * since
        if not self.searching:
            return self.credit + self.base * since * (1 + _GROWTH * since / 2)
        grown = 2 ** min(since / self.doubling, _MAX_DOUBLINGS) - 1
        return self.credit + self.base * self.doubling / math.log(2) * grown

    def _earned_at(self, requests: float) -> float:
        """Return when the rate will have allowed this number of requests."""
        if self.base is None:
            return -math.inf
        missing = max(0.0, requests - self.credit)
        if self.fixed is not None:
            return self.resumed + missing / self.fixed
        if not self.searching:
            return self.resumed + (math.sqrt(1 + 2 * _GROWTH * missing / self.base) - 1) / _GROWTH
        grown = missing * math.log(2) / (self.base * self.doubling)
        return self.resumed + self.doubling * math.log2(1 + grown)

    # Learning

    def _learn(self, now: float, wait: float) -> None:
        span = max(now - self.resumed, 0.0)
        # Lower bound of the vendor's rate: accepted requests, over the time until it accepts again.
        proven = max(self.accepted, 1) / (span + max(wait, _SHORTEST_WAIT))
        sent = max(0.0, span - self.round_trip)  # when the refused request was sent
        if self.base is None:
            self.opening = (max(self.accepted, 1), sent)
            self.base = proven
        elif self.searching:
            self.base = max(proven, _CAUTION * self._found_while_doubling(sent))
            self.burst = self._bucket(self.base)
            self.searching = False
        elif self.accepted <= 2 * self.credit:  # the burst was too large, not the rate
            self.burst /= 2
        else:
            self.base = max(proven, _CAUTION * self._found_while_growing(sent))

    def _bucket(self, rate: float) -> float:
        """Return the vendor's burst, in requests, if `rate` is its rate in requests per second."""
        accepted, seconds = self.opening
        return max(1.0, accepted - rate * seconds)

    def _found_while_doubling(self, seconds: float) -> float:
        """Return the vendor's rate, if its bucket was empty after ours had doubled for `seconds`.

        From the moment when our rate exceeded the vendor's, the difference drained the bucket.
        Solved by bisection.
        """
        low, high = self.base or 0.0, (self.base or 0.0) * 2 ** (seconds / self.doubling)
        reached = high
        accepted, opened = self.opening
        if self._was_slower(seconds):
            rest = seconds - opened
            return (self.accepted - accepted) / rest if rest > 0 else 0.0
        for _ in range(30):
            guess = (low + high) / 2
            over = (reached - guess) * self.doubling / math.log(2)
            drained = over - guess * self.doubling * math.log2(reached / guess)
            low, high = (guess, high) if drained > self._bucket(guess) else (low, guess)
        return low

    def _found_while_growing(self, seconds: float) -> float:
        """Return the vendor's rate, if its bucket was empty after linear growth for `seconds`."""
        base = self.base or 0.0
        slope = base * _GROWTH
        passed = base + slope * seconds - math.sqrt(2 * slope * self.burst)
        if passed >= base and not self._was_slower(seconds):
            return passed
        # Our rate exceeded it from the start: the vendor accepted its burst, then its rate.
        return (self.accepted - self.burst) / seconds if seconds > 0 else 0.0

    def _was_slower(self, seconds: float) -> bool:
        """Whether we sent more slowly than allowed, for example because of the window."""
        return self.accepted < _USED * (self._earned(self.resumed + seconds) - self.credit)
