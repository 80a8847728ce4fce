"""When to try again: the policy of one call, back-off, and reading how long a vendor asks to wait.

It decides nothing about jobs; `flow` does.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz

from attrs import frozen

# Numbers in X-RateLimit-Reset above this are a time of day (seconds since 1970), not a wait:
# 10^9 was in 2001, and a wait of 10^9 seconds would be 31 years.
_EPOCH = 1e9
_EPOCH_MILLISECONDS = 1e12
_TOO_MANY_REQUESTS = 429
_LARGEST_EXPONENT = 30
_LEAST_JITTER = 0.25
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining")


@frozen(kw_only=True)
class Policy:
    """How much time and how many tries one call has.

    Args:
        timeout: seconds for one HTTP exchange.
        deadline: seconds for the whole call, retries and waits included.
        verify: whether an acceptance is followed by status reads until the job has ended.
        first_backoff: the longest that the first back-off may take, in seconds.
        longest_backoff: the longest that any back-off may take, in seconds.
    """

    timeout: float = 10.0
    deadline: float = 30.0
    verify: bool = False
    first_backoff: float = 0.5
    longest_backoff: float = 8.0

    def backoff(self, retry: int, chance: float) -> float:
        """Return how many seconds to wait before a retry: exponential back-off with full jitter.

        Args:
            retry: the number of the retry, from 1.
            chance: a random number in [0, 1). Below a quarter it counts as a quarter: a call goes
                on until its deadline, so no wait may be next to nothing.
        """
        exponent = min(retry - 1, _LARGEST_EXPONENT)
        longest = min(self.longest_backoff, self.first_backoff * 2.0**exponent)
        return max(chance, _LEAST_JITTER) * longest


async def _sleep(seconds: float) -> None:
    import anyio  # comes with httpx; works under asyncio and trio

    await anyio.sleep(seconds)


@frozen(kw_only=True)
class Clock:
    """Where time and chance come from; tests give their own, and nothing waits.

    Args:
        monotonic: seconds that never go back, for deadlines.
        wall: seconds since 1970, for the dates that vendors send.
        random: a number in [0, 1), for jitter.
        sleep: waits so many seconds.
        async_sleep: the same for async code.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], None] = time.sleep
    async_sleep: Callable[[float], Awaitable[None]] = _sleep

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)


SYSTEM_CLOCK = Clock()


def requested_wait(status_code: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the vendor asks to wait, or None when it does not say.

    `Retry-After` (RFC 9110, section 10.2.3) and `retry-after-ms` are believed on every reply.
    The reset headers come along with every reply of some vendors, so they mean a wait only
    on a 429.

    Args:
        status_code: of the reply.
        headers: of the reply, with lower-case names.
        now: seconds since 1970.
    """
    families = _FAMILIES if status_code == _TOO_MANY_REQUESTS else _FAMILIES[:1]
    if not any(name in headers for family in families for name, _ in family):
        return None
    # A date is as far away as the vendor's own clock says, when it says.
    now = _http_date(headers.get("date", "")) or now
    asked = None
    for family in families:
        waits = [read(headers[name], now) for name, read in family if name in headers]
        told = [max(0.0, wait) for wait in waits if wait is not None]
        # Of two headers that say the same in other units, the longer wait is safe.
        if told:
            asked = max(told)
        if asked:
            break
    return asked


def reset_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return in how many seconds there are requests again, when a reply says that none is left.

    Args:
        headers: of the reply, with lower-case names.
        now: seconds since 1970.
    """
    if any(headers.get(name, "").strip() == "0" for name in _REMAINING):
        return requested_wait(_TOO_MANY_REQUESTS, headers, now)
    return None


def _number(text: str) -> float | None:
    """Read a number, or of a header that came several times ("2, 2") the largest one."""
    try:
        number = max(float(part) for part in text.split(","))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _milliseconds(text: str, _now: float) -> float | None:
    number = _number(text)
    return None if number is None else number / 1000


def _seconds_or_date(text: str, now: float) -> float | None:
    number = _number(text)
    return _until_http_date(text, now) if number is None else number


def _until_http_date(text: str, now: float) -> float | None:
    moment = _http_date(text)
    return None if moment is None else moment - now


def _http_date(text: str) -> float | None:
    """Read any of the three forms of an HTTP date (RFC 9110, section 5.6.7)."""
    try:
        parsed = parsedate_tz(text)
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):  # such as a year that no calendar has
        return None


def _delta_or_time(text: str, now: float) -> float | None:
    number = _number(text)
    if number is None:
        return _until_iso_time(text, now)
    if number >= _EPOCH_MILLISECONDS:
        return number / 1000 - now
    return number - now if number >= _EPOCH else number


def _until_iso_time(text: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.timestamp() - now
    except (ValueError, OverflowError):
        return None


def _duration(text: str, _now: float) -> float | None:
    """Read a duration such as `6m0s` or `20ms`."""
    found = _UNITS.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text.strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


_UNITS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

# RFC 9110; a draft of the IETF and its forerunner; OpenAI and Groq; Anthropic.
_FAMILIES: tuple[tuple[tuple[str, Callable[[str, float], float | None]], ...], ...] = (
    (("retry-after-ms", _milliseconds), ("retry-after", _seconds_or_date)),
    (("ratelimit-reset", _delta_or_time), ("x-ratelimit-reset", _delta_or_time)),
    (
        ("x-ratelimit-reset-requests", _duration),
        ("anthropic-ratelimit-requests-reset", _until_iso_time),
    ),
)
