"""Retries: the policy of one call, back-off, and the waits that vendors request in headers.

This module only computes times: `flow.call` decides whether and how long to wait.
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

# A larger number in X-RateLimit-Reset is a point in time (seconds since 1970), not a wait: 10^9 was
# in 2001, and a wait of 10^9 seconds would be 31 years.
_EPOCH = 1e9
_EPOCH_MILLISECONDS = 1e12
_TOO_MANY_REQUESTS = 429
_LARGEST_EXPONENT = 30
_LEAST_JITTER = 0.25
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining")


@frozen(kw_only=True)
class Policy:
    """The time limits of one call.

    Args:
        timeout: seconds for one HTTP exchange.
        deadline: seconds for the whole call, including retries and waits.
        verify: whether to poll the status of an accepted job until the job has ended.
        first_backoff: maximum of the first back-off, in seconds.
        longest_backoff: maximum of any back-off, in seconds.
    """

    timeout: float = 10.0
    deadline: float = 30.0
    verify: bool = False
    first_backoff: float = 0.5
    longest_backoff: float = 8.0

    def backoff(self, retry: int, chance: float) -> float:
        """Return the wait before a retry, in seconds: exponential back-off with jitter.

        Args:
            retry: 1 for the first retry.
            chance: a random number in [0, 1). A number below 0.25 counts as 0.25: a call retries
                until its deadline, so no wait may be close to 0.
        """
        exponent = min(retry - 1, _LARGEST_EXPONENT)
        longest = min(self.longest_backoff, self.first_backoff * 2.0**exponent)
        return max(chance, _LEAST_JITTER) * longest


async def _sleep(seconds: float) -> None:
    import anyio  # comes with httpx; works under asyncio and trio

    await anyio.sleep(seconds)


@frozen(kw_only=True)
class Clock:
    """The source of time and randomness. Tests replace it, so that nothing waits.

    Args:
        monotonic: returns seconds that never decrease, for deadlines.
        wall: returns seconds since 1970, for the dates that vendors send.
        random: returns a number in [0, 1), for jitter.
        sleep: waits for a number of seconds.
        async_sleep: the same for async code.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], None] = time.sleep
    async_sleep: Callable[[float], Awaitable[None]] = _sleep

    def now(self) -> datetime:
        """Return the current date and time, in UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)


SYSTEM_CLOCK = Clock()


def requested_wait(status_code: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return the wait that a reply requests, in seconds, or None if it requests none.

    `Retry-After` (RFC 9110, section 10.2.3) and `retry-after-ms` apply to every reply. Some
    vendors send reset headers with every reply, so these request a wait only on a 429.

    Args:
        status_code: the reply's status code.
        headers: the reply's headers, with lower-case names.
        now: the current time, in seconds since 1970.
    """
    families = _FAMILIES if status_code == _TOO_MANY_REQUESTS else _FAMILIES[:1]
    if not any(name in headers for family in families for name, _ in family):
        return None
    # Compare dates with the vendor's own clock, if the reply contains its time.
    now = _http_date(headers.get("date", "")) or now
    requested = None
    for family in families:
        waits = [read(headers[name], now) for name, read in family if name in headers]
        valid = [max(0.0, wait) for wait in waits if wait is not None]
        # If two headers contain the same wait in different units, the longer one is safe.
        if valid:
            requested = max(valid)
        if requested:
            break
    return requested


def reset_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until an exhausted quota is reset, or None if it is not exhausted.

    Args:
        headers: the reply's headers, with lower-case names.
        now: the current time, in seconds since 1970.
    """
    if any(headers.get(name, "").strip() == "0" for name in _REMAINING):
        return requested_wait(_TOO_MANY_REQUESTS, headers, now)
    return None


def poll_wait(headers: Mapping[str, str]) -> float | None:
    """Return when a status reply suggests to poll again, in seconds, or None if it does not.

    OpenAI's SDKs wait as long as `openai-poll-after-ms` says (openai-python, `runs.poll`).

    Args:
        headers: the reply's headers, with lower-case names.
    """
    wait = _number(headers.get("openai-poll-after-ms", ""))
    return None if wait is None else max(0.0, wait / 1000)


def _number(text: str) -> float | None:
    """Parse a number, or the largest number of a repeated header ("2, 2")."""
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
    """Parse an HTTP date in any of its three formats (RFC 9110, section 5.6.7)."""
    try:
        parsed = parsedate_tz(text)
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):  # such as an invalid year
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
    """Parse a duration such as `6m0s` or `20ms`."""
    parts = _UNITS.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


_UNITS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

# RFC 9110; an IETF draft and its predecessor; OpenAI and Groq; Anthropic.
_FAMILIES: tuple[tuple[tuple[str, Callable[[str, float], float | None]], ...], ...] = (
    (("retry-after-ms", _milliseconds), ("retry-after", _seconds_or_date)),
    (("ratelimit-reset", _delta_or_time), ("x-ratelimit-reset", _delta_or_time)),
    (
        ("x-ratelimit-reset-requests", _duration),
        ("anthropic-ratelimit-requests-reset", _until_iso_time),
    ),
)
