"""Learning a vendor's rate limit, with simulated vendors and without I/O or waiting."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from jobcancel import ConfigurationError
from jobcancel.bulk.pace import Pace, per_second, rates

if TYPE_CHECKING:
    from collections.abc import Iterator


@define
class Run:
    seconds: float
    refused: int
    sent_at: list[float]


def simulate(
    jobs: int,
    *,
    most: int,
    latency: float,
    rate: float = 1e9,
    burst: float = 1e9,
    retry_after: float | None = 1.0,
    fixed: float | None = None,
) -> Run:
    """Send jobs to a vendor with a token bucket; return how the run went."""
    pace, now = Pace(most=most, fixed=fixed, now=0.0), 0.0
    waiting, in_flight, done, refused = jobs, 0, 0, 0
    tokens, filled = burst, 0.0
    events: list[tuple[float, int, str, int]] = []
    numbers: Iterator[int] = itertools.count()
    sent_at: list[float] = []
    while done < jobs:
        while waiting and pace.delay(now, in_flight) == 0.0:
            heapq.heappush(
                events, (now + latency / 2, next(numbers), "arrives", pace.record_request(now))
            )
            sent_at.append(now)
            waiting, in_flight = waiting - 1, in_flight + 1
        delay = pace.delay(now, in_flight) if waiting else None
        upcoming = [events[0][0]] if events else []
        now = min([*upcoming, *([now + delay] if delay else [])])
        while events and events[0][0] <= now:
            _, _, what, epoch = heapq.heappop(events)
            if what == "arrives":
                tokens, filled = min(burst, tokens + (now - filled) * rate), now
                what = "taken" if tokens >= 1 else "refused"
                tokens -= tokens >= 1
                heapq.heappush(events, (now + latency / 2, next(numbers), what, epoch))
            elif what == "taken":
                in_flight, done = in_flight - 1, done + 1
                pace.record_success(epoch, latency)
            else:
                in_flight, waiting, refused = in_flight - 1, waiting + 1, refused + 1
                pace.record_refusal(now, epoch, retry_after)
    return Run(now, refused, sent_at)


def test_without_a_rate_limit_the_window_grows_to_the_concurrency() -> None:
    run = simulate(3000, most=100, latency=0.1)
    assert 0 == run.refused
    assert run.seconds <= 1.10 * 3.0
    assert 24 == sum(at == 0.0 for at in run.sent_at)


@pytest.mark.parametrize(
    ("jobs", "most", "latency", "rate", "burst", "ratio"),
    [
        (600, 50, 0.002, 60, 20, 1.2),
        (600, 50, 0.1, 60, 20, 1.25),
        (2000, 50, 0.05, 100, 1, 1.4),
        (600, 32, 0.05, 10, 10, 1.05),
        (5000, 100, 0.02, 500, 100, 1.3),
        (2000, 32, 0.3, 50, 50, 1.1),
        (6000, 50, 0.02, 60, 20, 1.12),
    ],
)
def test_an_unknown_rate_is_learned_with_few_refusals(
    jobs: int, most: int, latency: float, *, rate: float, burst: float, ratio: float
) -> None:
    run = simulate(jobs, most=most, latency=latency, rate=rate, burst=burst)
    ideal = (jobs - burst) / rate
    assert ideal <= run.seconds <= ratio * ideal
    assert run.refused <= 0.05 * jobs


def test_a_fixed_rate_below_the_vendors_is_never_refused() -> None:
    run = simulate(200, most=50, latency=0.01, rate=60, burst=2, fixed=50)
    assert 0 == run.refused
    assert 199 / 50 <= run.seconds <= 1.05 * 200 / 50


def test_a_fixed_rate_above_the_vendors_is_refused() -> None:
    run = simulate(100, most=50, latency=0.01, rate=20, burst=5, fixed=40)
    assert run.refused > 0


@given(
    rate=st.floats(1, 1000),
    burst=st.integers(1, 200),
    latency=st.floats(0.001, 0.5),
    retry_after=st.none() | st.floats(0, 3),
)
def test_every_job_gets_through_at_any_rate_limit(
    rate: float, burst: int, latency: float, retry_after: float | None
) -> None:
    run = simulate(60, most=20, latency=latency, rate=rate, burst=burst, retry_after=retry_after)
    assert 60 == len(run.sent_at) - run.refused


def test_the_lane_waits_for_the_longest_retry_after() -> None:
    pace = Pace(most=10, fixed=None, now=0.0)
    first, second = pace.record_request(0.0), pace.record_request(0.0)
    pace.record_refusal(1.0, first, 5.0)
    pace.record_refusal(1.5, second, 2.0)
    assert 4.5 == pace.delay(1.5, 0)


def test_refusals_without_retry_after_back_off_exponentially() -> None:
    pace = Pace(most=10, fixed=None, now=0.0)
    waits = []
    now = 0.0
    for _ in range(7):
        pace.record_refusal(now, pace.record_request(now), None)
        waits.append(pace.paused_until - now)
        now = pace.paused_until
    assert [1, 2, 4, 8, 16, 32, 32] == waits


def test_an_exhausted_quota_pauses_the_lane() -> None:
    pace = Pace(most=10, fixed=None, now=0.0)
    pace.record_exhausted(1.0, 9.0)
    assert 9.0 == pace.delay(1.0, 0)


@pytest.mark.parametrize(
    ("text", "rate"), [("60/s", 60.0), (" 90 / min ", 1.5), ("3600/hour", 1.0), ("0.5/second", 0.5)]
)
def test_a_rate_is_parsed(text: str, rate: float) -> None:
    assert rate == per_second(text)


@pytest.mark.parametrize("text", ["60", "60/day", "-1/s", "0/s", "fast", "", "1e3/s"])
def test_an_invalid_rate_is_rejected(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is invalid; expected a rate such as '60/s'"):
        per_second(text)


def test_a_rate_must_be_text() -> None:
    with pytest.raises(TypeError, match="rate must be a string such as '60/s', not 60"):
        rates(60)  # type: ignore[arg-type]


def test_rates_apply_to_all_or_by_provider() -> None:
    assert {"": 60.0} == rates("60/s")
    assert {"pulse": 1.0} == rates({"pulse": "1/s"})
    assert {} == rates(None)
