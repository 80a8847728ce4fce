"""One job at a time: with a warm client, and with a module-level function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from pulse import Pulse

import jobcancel
from benchmarks.measure import Row, compared, in_turn, timed
from benchmarks.serving import serving
from jobcancel import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = "benchmark"
_HEADERS = {"x-api-key": _KEY}
_JOB = "abc123-def456-ghi789"
_CALLS = {"single": 200, "module": 10}
_ROUNDS = {"single": 25, "module": 15}


def single(rounds: int | None) -> list[Row]:
    """Compare warm clients that reuse their connection, in one thread."""
    with serving() as server:
        url = f"{server.url}/job/{_JOB}"
        with (
            httpx.Client() as bare,
            httpx.Client() as for_pulse,
            jobcancel.Canceller(
                api_keys={"pulse": _KEY}, base_urls={"pulse": server.url}
            ) as canceller,
        ):
            pulse = Pulse(api_key=_KEY, base_url=server.url, httpx_client=for_pulse)

            def bare_call() -> bool:
                return bare.delete(url, headers=_HEADERS).is_success

            def our_call() -> bool:
                return canceller.cancel("pulse", _JOB).outcome is Outcome.CANCELLED

            def pulse_call() -> bool:
                return bool(pulse.jobs.cancel_job(_JOB).job_id == _JOB)

            calls = {
                "httpx.Client.delete": bare_call,
                "jobcancel.Canceller.cancel": our_call,
                "Pulse.jobs.cancel_job": pulse_call,
            }
            return _compare("single", calls, rounds)


def module(rounds: int | None) -> list[Row]:
    """Compare module-level functions, which take no client."""
    with serving() as server:
        url = f"{server.url}/job/{_JOB}"

        def bare_call() -> bool:
            return httpx.delete(url, headers=_HEADERS).is_success

        def our_call() -> bool:
            result = jobcancel.cancel("pulse", _JOB, api_key=_KEY, base_url=server.url)
            return result.outcome is Outcome.CANCELLED

        calls = {"httpx.delete": bare_call, "jobcancel.cancel": our_call}
        return _compare("module", calls, rounds)


def _compare(name: str, calls: dict[str, Callable[[], bool]], rounds: int | None) -> list[Row]:
    count = _CALLS[name]

    def many(call: Callable[[], bool]) -> Callable[[], float]:
        def run() -> None:
            if sum(call() for _ in range(count)) != count:
                raise RuntimeError("a job was not cancelled")

        return lambda: timed(run) / count

    contestants = {who: many(call) for who, call in calls.items()}
    in_turn(contestants, 1)  # warm up
    times = in_turn(contestants, rounds or _ROUNDS[name])
    return compared(name, times, unit="us", scale=1e6)
