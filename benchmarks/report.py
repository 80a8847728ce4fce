"""The report of a run: a table, and a JSON file that includes the machine and the versions."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measure import Row

_LIBRARIES = (
    "jobcancel",
    "httpx",
    "httpcore",
    "anyio",
    "attrs",
    "aiohttp",
    "httpx-aiohttp",
    "pulse-python-sdk",
)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table of text."""
    header = ("benchmark", "contestant", "ratio", "measured")
    cells = [header, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    lines = []
    for number, line in enumerate(cells):
        if number and line[0] != cells[number - 1][0]:
            lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
        text = [
            cell.rjust(width) if column == "ratio" else cell.ljust(width)
            for column, cell, width in zip(header, line, widths, strict=True)
        ]
        lines.append("  ".join(text).rstrip())
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, str, str, str]:
    measured = ", ".join(f"{_number(value)} {unit}" for unit, value in row.values.items())
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.benchmark, row.contestant, ratio, measured


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three digits are enough


def write(path: Path, machine: Mapping[str, object], rows: Sequence[Row]) -> None:
    """Write the rows and the description of the machine to a JSON file."""
    content = {**machine, "results": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """Return the date and a description of the machine and the libraries."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_before": list(os.getloadavg()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
