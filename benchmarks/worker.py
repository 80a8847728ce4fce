"""Runs one contestant in a separate process, to measure its CPU time and memory alone.

`many` starts it. It prints the measurements as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import clients

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Many = Callable[[str, Iterable[str], int], Awaitable[int]]

CLIENTS: dict[str, Many] = {
    each.__name__: each
    for each in (
        clients.naive_httpx,
        clients.bare_aiohttp,
        clients.pulse_httpx,
        clients.pulse_aiohttp,
        clients.pulse_patient,
        clients.acancel_many,
    )
}
_WARM_UP = 2_000
_BETWEEN_SAMPLES = 1_000


async def speed(client: Many, url: str, jobs: int, concurrency: int) -> dict[str, float]:
    """Measure time and CPU after `client` has loaded its libraries, connections included."""
    await client(url, clients.job_ids(1), 1)  # loads the libraries
    began, cpu = time.perf_counter(), _cpu()
    cancelled = await client(url, clients.job_ids(jobs), concurrency)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": _cpu() - cpu,
        "cancelled": cancelled,
    }


async def growth(url: str, jobs: int, concurrency: int) -> dict[str, float]:
    """Measure how much memory grows after a warm-up: at the end and at its peak."""
    await clients.acancel_many(url, clients.job_ids(_WARM_UP), concurrency)
    gc.collect()
    before = most = _rss()
    began, cpu = time.perf_counter(), _cpu()
    done = cancelled = 0
    async for accepted in clients.outcomes(url, clients.job_ids(jobs), concurrency):
        done += 1
        cancelled += accepted
        if not done % _BETWEEN_SAMPLES:
            most = max(most, _rss())
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    return {
        "seconds": seconds,
        "cpu": cpu,
        "cancelled": cancelled,
        "before": before,
        "growth": _rss() - before,
        "most": most - before,
    }


def _cpu() -> float:
    """Return the CPU seconds of this process with its threads but without its children."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rss() -> int:
    """Return the resident memory of this process in bytes (Linux only)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Run the measurement selected on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("url")
    parser.add_argument("jobs", type=int)
    parser.add_argument("concurrency", type=int)
    parser.add_argument("--memory", action="store_true")
    asked = parser.parse_args()
    if asked.memory:
        measuring = growth(asked.url, asked.jobs, asked.concurrency)
    else:
        measuring = speed(CLIENTS[asked.client], asked.url, asked.jobs, asked.concurrency)
    figures = asyncio.run(measuring)
    # `many` checks that the contestant ran on the expected transport.
    figures["on_aiohttp"] = "aiohttp" in sys.modules
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
