"""How long to wait: back-off, and the headers with which vendors request a wait."""

from __future__ import annotations

import time
from email.utils import formatdate

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel.retry import SYSTEM_CLOCK, Policy, requested_wait

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue Nov 14 22:13:50 2023"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "1"}, 1.5),
        ({"retry-after": "2, 3"}, 3.0),
        ({"retry-after": "0", "x-ratelimit-reset": "20"}, 20.0),
        ({"retry-after": "0"}, 0.0),
        (
            {
                "retry-after": "Tue, 14 Nov 2023 22:13:50 GMT",
                "date": "Tue, 14 Nov 2023 22:13:45 GMT",
            },
            5.0,
        ),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-requests": "20ms"}, 0.02),
        ({"x-ratelimit-reset-requests": "soon"}, None),
        ({"x-ratelimit-reset-requests": "1s later"}, None),
        ({"anthropic-ratelimit-requests-reset": "2023-11-15T00:00:00Z"}, 6400.0),
        ({"x-ratelimit-reset-requests": "9s", "retry-after": "1"}, 1.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": "1700000042"}, 42.0),
        ({"x-ratelimit-reset": "1700000042000"}, 42.0),
        ({"x-ratelimit-reset": "1000000000"}, 0.0),
        ({"x-ratelimit-reset": "2023-11-15T00:00:00.000Z"}, 6400.0),
        ({"x-ratelimit-reset": "2023-11-15T01:00:00+01:00"}, 6400.0),
        ({"x-ratelimit-reset": "2023-11-15T00:00:00"}, 6400.0),
        ({"x-ratelimit-reset": "2023-11-01T00:00:00Z"}, 0.0),
        ({"retry-after": "3", "x-ratelimit-reset": "2023-11-15T00:00:00Z"}, 3.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Tue, 14 Nov 99999 22:13:50 GMT"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"x-ratelimit-reset": "tomorrow"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_rate_limit_headers(
    headers: dict[str, str], wait: float | None
) -> None:
    assert wait == requested_wait(429, headers, NOW)


def test_a_date_without_a_time_zone_is_utc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert 6400.0 == requested_wait(429, {"x-ratelimit-reset": "2023-11-15T00:00:00"}, NOW)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_reset_header_counts_only_on_a_429() -> None:
    headers = {"x-ratelimit-reset": "2023-11-15T00:00:00Z", "ratelimit-reset": "5"}
    assert requested_wait(500, headers, NOW) is None


def test_retry_after_counts_on_any_reply() -> None:
    assert 9.0 == requested_wait(503, {"retry-after": "9"}, NOW)


@given(
    name=st.sampled_from(["retry-after", "retry-after-ms", "ratelimit-reset", "x-ratelimit-reset"]),
    value=st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ \S+") | st.floats().map(str),
    status_code=st.sampled_from([429, 503]),
)
def test_no_header_raises_or_causes_a_negative_wait(
    name: str, value: str, status_code: int
) -> None:
    wait = requested_wait(status_code, {name: value}, NOW)
    assert wait is None or 0 <= wait < float("inf")


@given(st.integers(0, 10**9))
def test_an_http_date_is_converted_to_seconds(seconds: int) -> None:
    date = formatdate(NOW + seconds, usegmt=True)
    assert seconds == requested_wait(429, {"retry-after": date}, NOW)


@given(retry=st.integers(1, 50), chance=st.floats(0, 1, exclude_max=True))
def test_back_off_doubles_up_to_its_limit(retry: int, chance: float) -> None:
    wait = Policy(first_backoff=0.5, longest_backoff=8).backoff(retry, chance)
    assert 0 <= wait <= min(8, 0.5 * 2 ** (retry - 1))


def test_the_async_sleep_returns_under_either_event_loop() -> None:
    for backend in ("asyncio", "trio"):
        anyio.run(SYSTEM_CLOCK.async_sleep, 0.0, backend=backend)
    assert SYSTEM_CLOCK.random() < 1
