"""How many requests a key may send: a token bucket and a daily allowance.

A vendor's answer to a request over the quota is in its declaration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Attribute, define, evolve, field, frozen

from jobcancel.errors import ConfigurationError
from jobcancel.sandbox.checks import LARGEST, is_number, is_whole
from jobcancel.sandbox.jobs import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _rate(_: object, attribute: Attribute[float | None], value: float | None) -> None:
    if value is not None and not (is_number(value) and 0 < value <= LARGEST):
        raise ConfigurationError(f"{attribute.name}={value!r}: expected a number above 0, or None")


def _burst(_: object, attribute: Attribute[int], value: int) -> None:
    if not (is_whole(value) and 1 <= value <= LARGEST):
        raise ConfigurationError(f"{attribute.name}={value!r}: expected a whole number, 1 or more")


def _allowance(_: object, attribute: Attribute[int | None], value: int | None) -> None:
    if value is not None and not (is_whole(value) and value >= 0):
        raise ConfigurationError(
            f"{attribute.name}={value!r}: expected a whole number, 0 or more, or None"
        )


@frozen(kw_only=True)
class Quota:
    """How many requests one key may send.

    Args:
        per_second: average requests per second; None for no limit.
        burst: requests at once; 1 or more.
        per_day: requests per calendar day (UTC); None for no limit.

    Raises:
        ConfigurationError: a number is out of range.
    """

    per_second: float | None = field(default=None, validator=_rate)
    burst: int = field(default=1, validator=_burst)
    per_day: int | None = field(default=None, validator=_allowance)


@frozen
class Allowance:
    """The quota's verdict on one request.

    Attributes:
        wait: seconds until the next request is allowed; 0 if this one is.
        limit: requests per day; None without a daily limit.
        remaining: requests left today.
        reset: when the next day begins, in seconds since the epoch.
        daily: whether the daily limit is what refuses the request.
    """

    wait: float
    limit: int | None
    remaining: int
    reset: float
    daily: bool = False


@define
class _Usage:
    tokens: float
    at: float
    day: float
    today: int = 0


class Quotas:
    """The quotas of all keys, and their usage.

    Args:
        quotas: key -> quota; other keys have none.
        now: the clock, in seconds since the epoch.
    """

    def __init__(self, quotas: Mapping[str, Quota], now: Callable[[], float]) -> None:
        self._quotas = dict(quotas)
        self._now = now
        self._used: dict[str, _Usage] = {}

    def use(self, key: str) -> Allowance | None:
        """Count one request of `key`; return the verdict, or None without a quota."""
        quota = self._quotas.get(key)
        if quota is None:
            return None
        now = self._now()
        usage = self._usage(key, quota, now)
        reset = usage.day + DAY
        remaining = 0 if quota.per_day is None else quota.per_day - usage.today
        passing = Allowance(0.0, quota.per_day, max(0, remaining - 1), reset)
        if quota.per_day is not None and remaining < 1:
            return evolve(passing, wait=reset - now, daily=True)
        if quota.per_second is not None and usage.tokens < 1:
            return evolve(passing, wait=(1 - usage.tokens) / quota.per_second, remaining=remaining)
        usage.tokens -= 1
        usage.today += 1
        return passing

    def _usage(self, key: str, quota: Quota, now: float) -> _Usage:
        day = now - now % DAY
        usage = self._used.setdefault(key, _Usage(tokens=quota.burst, at=now, day=day))
        refill = (now - usage.at) * (quota.per_second or 0.0)
        usage.tokens = min(float(quota.burst), usage.tokens + refill)
        usage.at = now
        if usage.day != day:
            usage.day, usage.today = day, 0
        return usage

    def clear(self) -> None:
        """Reset the usage; the quotas stay."""
        self._used.clear()
