"""Many jobs at once: time compared with the ideal, behavior under a rate limit, and memory.

Every contestant runs in a new process in each round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Row, in_turn
from benchmarks.serving import Server, serving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Figures = Mapping[str, float]

_CORE = {"JOBCANCEL_TRANSPORT": "httpx"}
_LONGEST_RUN = 90.0
_SLOWEST_JOB = 0.005
_MIB = 2**20


@dataclass(frozen=True)
class Contestant:
    """A client in `clients`, and its environment.

    Attributes:
        client: the function's name.
        environment: variables added to those of this process.
        on_aiohttp: whether it must load aiohttp or must not; None if either is fine.
    """

    client: str
    environment: Mapping[str, str] = field(default_factory=dict)
    on_aiohttp: bool | None = None


_NAIVE = {"httpx, naive": Contestant("naive_httpx")}
_OURS = {
    "jobcancel.acancel_many (httpx)": Contestant("acancel_many", _CORE, on_aiohttp=False),
    "jobcancel.acancel_many (aiohttp)": Contestant("acancel_many", on_aiohttp=True),
}


def latency(rounds: int | None) -> list[Row]:
    """Compare the time for all jobs with a vendor that has 100 ms latency."""
    jobs, concurrency, delay = 3_000, 100, 0.1
    ideal = jobs / concurrency * delay
    contestants = {
        **_NAIVE,
        "aiohttp": Contestant("bare_aiohttp"),
        "AsyncPulse (httpx)": Contestant("pulse_httpx"),
        "AsyncPulse (httpx-aiohttp)": Contestant("pulse_aiohttp"),
        **_OURS,
    }
    with serving(latency=delay) as server:
        runs = _in_turn(contestants, server, jobs, concurrency, rounds or 3)
    rows = [_row("latency", name, ideal, jobs, figures) for name, figures in runs.items()]
    return [Row("latency", "ideal", 1.0, {"s": ideal}), *rows]


def limit(rounds: int | None) -> list[Row]:
    """Compare the time for all jobs and the refused requests with a vendor that limits the rate."""
    jobs, concurrency, rate, burst = 600, 50, 60.0, 20
    ideal = (jobs - burst) / rate
    contestants = {
        **_NAIVE,
        "AsyncPulse": Contestant("pulse_aiohttp"),
        "AsyncPulse, 100 retries": Contestant("pulse_patient"),
        **_OURS,
    }
    with serving(rate=rate, burst=burst) as server:
        runs = _in_turn(contestants, server, jobs, concurrency, rounds or 1)
    rows = [_row("limit", name, ideal, jobs, figures) for name, figures in runs.items()]
    return [Row("limit", "ideal", 1.0, {"s": ideal, "cancelled": jobs}), *rows]


def memory(jobs: int) -> list[Row]:
    """Measure how much memory grows while `jobs` jobs are cancelled."""
    with serving() as server:
        return [
            Row(
                "memory",
                name,
                None,
                {
                    "MiB of growth": figures["growth"] / _MIB,
                    "MiB at peak": figures["most"] / _MIB,
                    "MiB before": figures["before"] / _MIB,
                    "jobs": jobs,
                    "us CPU/job": figures["cpu"] / jobs * 1e6,
                    "jobs/s": jobs / figures["seconds"],
                },
            )
            for name, contestant in _as_named(_OURS, server).items()
            for figures in [_run(contestant, server, jobs, 100, "--memory")]
        ]


def _in_turn(
    contestants: Mapping[str, Contestant],
    server: Server,
    jobs: int,
    concurrency: int,
    rounds: int,
) -> dict[str, list[Figures]]:
    runs = {
        name: lambda contestant=contestant: _run(contestant, server, jobs, concurrency)
        for name, contestant in _as_named(contestants, server).items()
    }
    return in_turn(runs, rounds)


def _as_named(contestants: Mapping[str, Contestant], server: Server) -> dict[str, Contestant]:
    """Leave out contestants that do not run on the transport in their name, with a message."""
    kept = {}
    for name, contestant in contestants.items():
        promised = contestant.on_aiohttp
        if promised is None or _run(contestant, server, 1, 1)["on_aiohttp"] == promised:
            kept[name] = contestant
        else:
            sys.stderr.write(f"left out: {name}, which runs on another transport\n")
    return kept


def _run(
    contestant: Contestant, server: Server, jobs: int, concurrency: int, *options: str
) -> Figures:
    """Run a contestant; return its figures and the server's."""
    command = [sys.executable, "-m", "benchmarks.worker", contestant.client, server.url]
    command += [str(jobs), str(concurrency), *options]
    server.reset()
    finished = subprocess.run(  # noqa: S603 - ours
        command,
        env={**os.environ, **contestant.environment},
        stdout=subprocess.PIPE,
        check=True,
        timeout=_LONGEST_RUN + jobs * _SLOWEST_JOB,
    )
    figures: dict[str, float] = json.loads(finished.stdout)
    counts = server.counts()
    if figures["cancelled"] > counts.accepted:
        raise RuntimeError(f"{contestant} says it cancelled more jobs than the server saw")
    share = counts.refused / counts.requests if counts.requests else 0.0
    return {**figures, "refused": share * 100, "connections": counts.connections}


def _row(name: str, who: str, ideal: float, jobs: int, figures: Sequence[Figures]) -> Row:
    """Summarize a contestant's rounds: the median of each figure."""
    middle = {key: median(each[key] for each in figures) for key in figures[0]}
    ratios = [each["seconds"] / ideal for each in figures]
    values = {
        "s": middle["seconds"],
        "us CPU/job": middle["cpu"] / jobs * 1e6,
        "cancelled": middle["cancelled"],
        "% refused": middle["refused"],
        "connections": middle["connections"],
    }
    return Row(name, who, median(ratios), values, ratios)
