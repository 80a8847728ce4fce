"""Compares contestants: in turn, round by round, by the median of the rounds' ratios.

A temporarily busy machine slows down every contestant of a round alike, so ratios are more stable
than times.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """The result of one contestant in one benchmark.

    Attributes:
        benchmark: the benchmark's name.
        contestant: the contestant's name.
        ratio: relative to the contestant or the ideal that is 1.0; None if there is neither.
        values: the measurements by name, which ends with the unit.
        rounds: the ratio in each round.
    """

    benchmark: str
    contestant: str
    ratio: float | None
    values: Mapping[str, float]
    rounds: Sequence[float] = field(default=())


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that `act` takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def in_turn(contestants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every contestant once per round; return the results of each, by round.

    Every round starts with another contestant, because running after another one may cost time.
    """
    names = list(contestants)
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            results[name].append(contestants[name]())
    return results


def compared(
    benchmark: str, times: Mapping[str, Sequence[float]], *, unit: str, scale: float
) -> list[Row]:
    """Return the contestants' rows; the first contestant is 1.0.

    Args:
        benchmark: the benchmark's name.
        times: seconds by round, of every contestant.
        unit: what to call the time.
        scale: the number of these units per second.
    """
    baseline = next(iter(times.values()))
    rows = []
    for name, taken in times.items():
        ratios = [mine / base for mine, base in zip(taken, baseline, strict=True)]
        values = {unit: median(taken) * scale}
        rows.append(Row(benchmark, name, median(ratios), values, ratios))
    return rows
