"""The command line: runs the benchmarks, prints one table and writes one JSON file."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING

from benchmarks import guard, report
from benchmarks.imports import imports
from benchmarks.many import latency, limit, memory
from benchmarks.single import module, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Row

_ORDINARY_JOBS = 50_000
_ALL_JOBS = 1_000_000


def main() -> None:
    """Run the benchmarks selected on the command line."""
    benchmarks: dict[str, Callable[[int | None], list[Row]]] = {
        "single": single,
        "module": module,
        "import": imports,
        "latency": latency,
        "limit": limit,
        **guard.BENCHMARKS,
        "memory": lambda _: memory(asked.jobs or (_ALL_JOBS if asked.full else _ORDINARY_JOBS)),
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        choices=[*benchmarks, "guard"],
        action="append",
        help="run just this one; `guard` is all of the guard's",
    )
    parser.add_argument("--rounds", type=_positive, help="rounds of each benchmark")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), metavar="FILE")
    parser.add_argument("--jobs", type=_positive, help="jobs of `memory`")
    parser.add_argument("--full", action="store_true", help="a million jobs for `memory`")
    asked = parser.parse_args()
    _remove_proxies()
    before = report.machine()
    rows: list[Row] = []
    failed: list[str] = []
    for name, run in benchmarks.items():
        if not asked.only or {name, name.partition("-")[0]} & {*asked.only}:
            sys.stderr.write(f"{name} ...\n")
            try:
                rows += run(asked.rounds)
            except (RuntimeError, SubprocessError) as error:  # keep the results of the others
                failed.append(f"{name} failed: {error}")
    sys.stdout.write(report.table(rows) + "\n")
    report.write(asked.json, before, rows)
    if failed:
        sys.exit("\n".join(failed))


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def _remove_proxies() -> None:
    """Remove proxies from the environment: they cannot reach a server on this machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]


if __name__ == "__main__":
    main()
