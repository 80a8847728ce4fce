"""How far a long run has come: counted, shown while it runs, and summed up at its end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import Factory, define
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

from jobcancel import Outcome
from jobcancel.cli.show import STYLES
from jobcancel.cli.words import clean, complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import RenderableType
    from rich.progress import Task

    from jobcancel import CancelResult


@define
class Tally:
    """What there was so far.

    Attributes:
        outcomes: how many results there were of each outcome.
        stopped: how many of them were of a job that is stopped.
        skipped: jobs left out, because an earlier run stopped them.
        malformed: lines that are no job.
        began: when the run began, on the monotonic clock.
    """

    outcomes: Counter[Outcome] = Factory(Counter)
    stopped: int = 0
    skipped: int = 0
    malformed: int = 0
    began: float = Factory(time.monotonic)

    @property
    def done(self) -> int:
        """How many results there were."""
        return self.outcomes.total()

    def add(self, result: CancelResult) -> None:
        """Count a result."""
        self.outcomes[result.outcome] += 1
        self.stopped += result.stopped

    def rows(self) -> Iterator[tuple[str, int, str]]:
        """Give what there is to count, how often it was there, and the style to show it in."""
        for outcome in Outcome:
            yield outcome, self.outcomes[outcome], STYLES[outcome]
        yield "skipped", self.skipped, "dim"
        yield "malformed", self.malformed, "red"


@contextmanager
def shown(
    tally: Tally, total: int | None, output: Console | None
) -> Iterator[Callable[[str], None]]:
    """Show a progress bar if standard error is a terminal; give what prints a message there.

    Args:
        tally: what is counted, while the bar is shown.
        total: how many jobs there are, skipped and malformed ones among them, if that is known.
        output: what results are printed on, if it is a terminal. It is the same one then, and
            whatever moves the bar out of the way of a result has to know of both.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield complain
        return
    if output is None or not output.file.isatty():
        output = Console(stderr=True)
    with _Bar(tally, total, output):
        yield lambda message: output.print(Text(f"jobcancel: {clean(message)}"), soft_wrap=True)


class _Bar(Progress):
    """Looks at a tally ten times a second, so that counting costs the run nothing."""

    def __init__(self, tally: Tally, total: int | None, console: Console) -> None:
        self._tally, self._total = tally, total
        super().__init__(
            BarColumn(bar_width=None),
            *map(_Words, (_done, _stopped, _failed, _speed, _left)),
            console=console,
            expand=True,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.add_task("", total=total)

    def get_renderables(self) -> Iterable[RenderableType]:
        for task_id in self.task_ids:
            left_out = self._tally.skipped + self._tally.malformed
            total = None if self._total is None else self._total - left_out
            self.update(
                task_id,
                total=total,
                completed=self._tally.done,
                stopped=self._tally.stopped,
            )
        yield from super().get_renderables()


class _Words(ProgressColumn):
    """Some words about a task."""

    def __init__(self, words: Callable[[Task], Text]) -> None:
        super().__init__()
        self._words = words

    def render(self, task: Task) -> Text:
        return self._words(task)


def _done(task: Task) -> Text:
    of = "" if task.total is None else f" of {task.total:,.0f}"
    return Text(f"{task.completed:,.0f}{of} done")


def _stopped(task: Task) -> Text:
    return Text(f"{task.fields['stopped']:,} stopped", "green")


def _failed(task: Task) -> Text:
    failed = round(task.completed) - task.fields["stopped"]
    return Text(f"{failed:,} failed", "red" if failed else "dim")


def _speed(task: Task) -> Text:
    return Text("-/s" if task.speed is None else f"{task.speed:,.0f}/s")


def _left(task: Task) -> Text:
    left = task.time_remaining
    return Text("-:--:-- left" if left is None else f"{timedelta(seconds=round(left))} left")


def sum_up(tally: Tally, *, interrupted: bool, abandoned: bool = False) -> None:
    """Print on standard error how often there was what, and how fast.

    Args:
        tally: what was counted.
        interrupted: whether the run was.
        abandoned: whether requests on their way were, which may have stopped jobs that are not
            among the results.
    """
    if sys.stderr is None:
        return
    seconds = time.monotonic() - tally.began
    console = Console(stderr=True, highlight=False)
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    for what, times, style in tally.rows():
        if times:
            grid.add_row(Text(what, style), f"{times:,}")
    console.print(grid)
    before = "interrupted: " if interrupted else ""
    after = "; those on their way do not count" if abandoned else ""
    console.print(
        f"{before}{tally.stopped:,} of {tally.done:,} jobs stopped in {seconds:,.1f} s, "
        f"{tally.done / seconds:,.0f} a second{after}",
        soft_wrap=True,
    )
