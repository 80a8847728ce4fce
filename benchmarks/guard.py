"""The guard: what it costs while nothing happens, and how fast it cancels when its caller dies.

Every contestant runs in a new process in each round: see `guarded`.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.clients import KEY
from benchmarks.guarded import CONCURRENCY, JOBS
from benchmarks.measure import Row, T, in_turn
from benchmarks.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.server import Counts
    from benchmarks.serving import Server

    Environment = Mapping[str, str]
    Figures = Mapping[str, float]

_LATENCY = 0.1
_IDEAL = math.ceil(JOBS / CONCURRENCY) * _LATENCY
_PATIENCE = 60.0
_BETWEEN_LOOKS = 0.05
# Nothing is sent there.
_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Contestant:
    """A measurement in `guarded`.

    Attributes:
        measurement: the function's name.
        is_in_run: whether it runs under `jobcancel run`.
        target: how many seconds it should take at most; None if there is no target.
    """

    measurement: str
    is_in_run: bool = False
    target: float | None = None


def add(rounds: int | None) -> list[Row]:
    """Compare what it costs to register one more job."""
    contestants = {
        "atexit.register": Contestant("atexit_register"),
        "ExitStack.callback": Contestant("exit_stack_callback"),
        "guard.add, no supervisor": Contestant("add_unsupervised", target=5e-6),
        "guard.add, sidecar": Contestant("add_supervised", target=20e-6),
        "guard.add, jobcancel run": Contestant("add_supervised", is_in_run=True, target=20e-6),
    }
    return _costs("guard-add", contestants, rounds or 5, unit="us", scale=1e6)


def block(rounds: int | None) -> list[Row]:
    """Compare blocks with one job that end normally."""
    contestants = {
        "no supervisor": Contestant("block_unsupervised", target=200e-6),
        "sidecar": Contestant("block_supervised", target=200e-6),
        "jobcancel run": Contestant("block_supervised", is_in_run=True, target=200e-6),
    }
    return _costs("guard-block", contestants, rounds or 5, unit="us", scale=1e6)


def start(rounds: int | None) -> list[Row]:
    """Compare the first job that needs a supervisor with the start of any process."""
    contestants = {
        "subprocess.Popen": Contestant("start_process"),
        "sidecar": Contestant("start_supervisor"),
        "jobcancel run": Contestant("start_supervisor", is_in_run=True),
    }
    return _costs("guard-start", contestants, rounds or 15, unit="ms", scale=1e3)


def kill(rounds: int | None) -> list[Row]:
    """Measure how long it takes until the last job of a killed process is cancelled."""
    contestants = {
        "sidecar": Contestant("hold", target=1.5),
        "jobcancel run": Contestant("hold", is_in_run=True, target=1.5),
    }
    with serving(latency=_LATENCY) as server:
        return _cancels("guard-kill", contestants, _killed, server, rounds or 5)


def exception(rounds: int | None) -> list[Row]:
    """Compare blocks that are left by an exception, with the vendor's SDK in a handler."""
    contestants = {
        "guard": Contestant("leave", target=1.5),
        "guard, async": Contestant("aleave", target=1.5),
        "Pulse in 32 threads": Contestant("leave_threads"),
        "AsyncPulse and gather": Contestant("aleave_gather"),
        "Pulse in an ExitStack": Contestant("leave_exit_stack"),
    }
    with serving(latency=_LATENCY) as server:
        return _cancels("guard-exception", contestants, _left, server, rounds or 3)


BENCHMARKS: Mapping[str, Callable[[int | None], list[Row]]] = {
    "guard-add": add,
    "guard-block": block,
    "guard-start": start,
    "guard-kill": kill,
    "guard-exception": exception,
}


def _costs(
    name: str, contestants: Mapping[str, Contestant], rounds: int, *, unit: str, scale: float
) -> list[Row]:
    """Compare contestants that need no vendor; the first one is 1.0."""
    with _environment(_NOWHERE) as environment:
        taken = _taken(contestants, lambda each: _measured(each, environment)["seconds"], rounds)
    middles = {who: [median(seconds) for seconds in each] for who, each in taken.items()}
    baseline = next(iter(middles.values()))
    rows = []
    for who, contestant in contestants.items():
        values = {
            unit: median(middles[who]) * scale,
            f"{unit} at best": min(map(min, taken[who])) * scale,
        }
        if contestant.target is not None:
            values[f"{unit} target"] = contestant.target * scale
        ratios = [mine / base for mine, base in zip(middles[who], baseline, strict=True)]
        rows.append(Row(name, who, median(ratios), values, ratios))
    return rows


def _cancels(
    name: str,
    contestants: Mapping[str, Contestant],
    run: Callable[[Contestant, Server, Environment], Figures],
    server: Server,
    rounds: int,
) -> list[Row]:
    """Compare the time for all jobs with the ideal: waves of requests without any overhead."""
    with _environment(server.url) as environment:
        taken = _taken(contestants, lambda each: run(each, server, environment), rounds)
    rows = [Row(name, "ideal", 1.0, {"s": _IDEAL})]
    for who, contestant in contestants.items():
        values = {key: median(each[key] for each in taken[who]) for key in taken[who][0]}
        values["s at best"] = min(each["s"] for each in taken[who])
        if contestant.target is not None:
            values["s target"] = contestant.target
        ratios = [each["s"] / _IDEAL for each in taken[who]]
        rows.append(Row(name, who, median(ratios), values, ratios))
    return rows


def _taken(
    contestants: Mapping[str, Contestant], run: Callable[[Contestant], T], rounds: int
) -> dict[str, list[T]]:
    """Return what `run` measures, by contestant and round."""
    runs = {who: lambda each=each: run(each) for who, each in contestants.items()}
    in_turn(runs, 1)  # compile
    return in_turn(runs, rounds)


def _left(contestant: Contestant, server: Server, environment: Environment) -> Figures:
    """Have a block left by an exception; return the seconds until its end."""
    server.reset()
    measured = _measured(contestant, environment)
    counts = server.counts()
    if not measured["cancelled"] == counts.accepted == JOBS:
        raise RuntimeError(
            f"{contestant} says it cancelled {measured['cancelled']} of {JOBS} jobs; the server "
            f"accepted {counts.accepted} requests"
        )
    return {"s": measured["seconds"][0]}


def _killed(contestant: Contestant, server: Server, environment: Environment) -> Figures:
    """Kill a process that holds jobs; return the seconds until the vendor's last reply."""
    server.reset()
    with subprocess.Popen(  # noqa: S603 - ours
        _command(contestant),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if process.stdout is None or not (line := process.stdout.readline()):
                raise RuntimeError(f"{contestant} did not start; its error is above")
            killed = time.monotonic()
            os.kill(int(line), signal.SIGKILL)
            counts = _wait_for_replies(server)
            process.wait(_PATIENCE)
        finally:
            process.kill()  # has no effect on a process that has ended
    return {"s": counts.last_reply - killed, "s to first": counts.first_request - killed}


def _wait_for_replies(server: Server) -> Counts:
    """Wait until all jobs are cancelled, which takes one request each."""
    until = time.monotonic() + _PATIENCE
    while (counts := server.counts()).replies < JOBS and time.monotonic() < until:
        time.sleep(_BETWEEN_LOOKS)
    if not counts.requests == counts.replies == JOBS:
        raise RuntimeError(f"the server got {counts.requests} requests for {JOBS} jobs")
    return counts


def _measured(contestant: Contestant, environment: Environment) -> dict[str, Any]:
    """Run a contestant; return what it measured."""
    finished = subprocess.run(  # noqa: S603 - ours
        _command(contestant),
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=_PATIENCE,
    )
    measured: dict[str, Any] = json.loads(finished.stdout)
    return measured


def _command(contestant: Contestant) -> list[str]:
    wrapper = ["-m", "jobcancel", "run", "--", sys.executable] if contestant.is_in_run else []
    return [sys.executable, *wrapper, "-m", "benchmarks.guarded", contestant.measurement]


@contextmanager
def _environment(url: str) -> Iterator[Environment]:
    """Yield the environment of contestants: with the vendor, and a place for the bytecode."""
    # A sidecar of the last round may still write to it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as compiled:
        environment = {
            **os.environ,
            "PULSE_API_KEY": KEY,
            "PULSE_BASE_URL": url,
            "PYTHONPYCACHEPREFIX": compiled,
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment.pop("JOBCANCEL_SUPERVISOR", None)
        yield environment
