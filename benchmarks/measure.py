"""How contestants are compared: in turn, round by round, by the median of the rounds' ratios.

A machine that is busy for a while slows every contestant of a round alike, so their ratio is
steadier than their times.
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
    """What one contestant of one benchmark took.

    Attributes:
        benchmark: the benchmark's name.
        contestant: who took it.
        ratio: to the contestant or the ideal that is 1.0; None where there is no such thing.
        values: the measurements by name, the unit at the name's end.
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
    """Let every contestant act once a round; return what each returned, by round.

    Who comes first changes with every round: following another has its price.
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
        scale: how many of it are a second.
    """
    baseline = next(iter(times.values()))
    rows = []
    for name, taken in times.items():
        ratios = [mine / base for mine, base in zip(taken, baseline, strict=True)]
        values = {unit: median(taken) * scale}
        rows.append(Row(benchmark, name, median(ratios), values, ratios))
    return rows
