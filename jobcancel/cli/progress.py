"""The progress of a run: the counts of its results, a progress bar, and the final summary."""

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
from rich.table import Column, Table
from rich.text import Text

from jobcancel import Outcome
from jobcancel.cli.output import NOT_STOPPED, STOPPED, STOPPING, progress_console, style
from jobcancel.cli.streams import clean, complain, ignoring_broken_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import RenderableType
    from rich.progress import Task

    from jobcancel import CancelResult


@define
class Tally:
    """The counts of a run.

    Attributes:
        outcomes: results, by outcome.
        unwritten: results that could not be written to the output.
        skipped: jobs that an earlier run stopped.
        unconfigured: jobs whose provider cannot be used.
        malformed: lines that are no job.
        began: when the run began, on the monotonic clock.
    """

    outcomes: Counter[Outcome] = Factory(Counter)
    unwritten: int = 0
    skipped: int = 0
    unconfigured: int = 0
    malformed: int = 0
    began: float = Factory(time.monotonic)

    @property
    def done(self) -> int:
        """The number of results."""
        return self.outcomes.total()

    @property
    def stopped(self) -> int:
        """The number of results of stopped jobs."""
        return sum(times for outcome, times in self.outcomes.items() if outcome.stopped)

    @property
    def stopping(self) -> int:
        """The number of results of jobs whose cancel was accepted and that have not ended yet."""
        accepted = sum(times for outcome, times in self.outcomes.items() if outcome.accepted)
        return accepted - self.outcomes[Outcome.CANCELLED]

    @property
    def not_stopped(self) -> int:
        """The number of results of all other jobs."""
        return self.done - self.stopped - self.stopping

    @property
    def unsettled(self) -> int:
        """The number of results of jobs that may or may not be running."""
        return self.outcomes[Outcome.UNKNOWN]

    def add(self, result: CancelResult) -> None:
        """Count a result."""
        self.outcomes[result.outcome] += 1

    def rows(self) -> Iterator[tuple[str, int, str]]:
        """Give the rows of the summary: what is counted, how many, and the style."""
        for outcome in Outcome:
            yield outcome, self.outcomes[outcome], style(outcome)
        yield "skipped", self.skipped, "dim"
        yield "unconfigured", self.unconfigured, NOT_STOPPED
        yield "malformed", self.malformed, NOT_STOPPED


@contextmanager
def shown(
    tally: Tally, total: int | None, output: Console | None
) -> Iterator[Callable[[str], None]]:
    """Show a progress bar if standard error is a terminal; give a function that prints messages.

    Args:
        tally: the counts, which change while the bar is shown.
        total: the number of jobs to cancel, if it is known.
        output: the console of the results, if it is a terminal.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield complain
        return
    console = progress_console(output)
    with _Bar(tally, total, console):
        yield lambda message: console.print(Text(f"jobcancel: {clean(message)}"), soft_wrap=True)


class _Bar(Progress):
    """Reads a tally ten times per second, so that counting costs the run nothing.

    It has two lines, each of which fits a terminal of 80 columns: the progress of the run, and the
    number of jobs of each class.
    """

    def __init__(self, tally: Tally, total: int | None, console: Console) -> None:
        self._tally = tally
        super().__init__(
            BarColumn(bar_width=None),
            *map(TextColumn, (_done, _speed, _left)),
            console=console,
            expand=True,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.add_task("", total=total)

    def get_renderables(self) -> Iterable[RenderableType]:
        for task_id in self.task_ids:
            self.update(task_id, completed=self._tally.done)
        yield from super().get_renderables()
        yield classes(self._tally)


class TextColumn(ProgressColumn):
    """Text about a task."""

    def __init__(self, text: Callable[[Task], str]) -> None:
        super().__init__(Column(no_wrap=True))  # so that only the bar gets shorter
        self._text = text

    def render(self, task: Task) -> Text:
        """Return the text for a task."""
        return Text(self._text(task))


def _done(task: Task) -> str:
    of = "" if task.total is None else f" of {task.total:,.0f}"
    return f"{task.completed:,.0f}{of} done"


def _speed(task: Task) -> str:
    return "-/s" if task.speed is None else f"{task.speed:,.0f}/s"


def _left(task: Task) -> str:
    left = task.time_remaining
    return "-:--:-- left" if left is None else f"{timedelta(seconds=round(left))} left"


def classes(tally: Tally) -> Text:
    """Return the number of jobs that are stopped, stopping and not stopped."""
    return Text("  ", no_wrap=True).join(
        Text(f"{number:,} {word}", shade if number else "dim")
        for word, number, shade in (
            ("stopped", tally.stopped, STOPPED),
            ("stopping", tally.stopping, STOPPING),
            ("not stopped", tally.not_stopped, NOT_STOPPED),
        )
    )


def print_summary(tally: Tally, *, total: int | None, ending: str = "", unsent: str = "") -> None:
    """Print the counts and the speed of a run on standard error.

    Args:
        tally: the counts.
        total: the number of jobs to cancel, if it is known.
        ending: why the run ended early, such as `"interrupted"`; empty if it did not.
        unsent: the description of jobs without a result.
    """
    if sys.stderr is None:
        return
    seconds = time.monotonic() - tally.began
    console = Console(stderr=True, highlight=False)
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    for what, times, shade in tally.rows():
        if times:
            grid.add_row(Text(what, shade), f"{times:,}")
    jobs = max(tally.done, total or 0)
    others = {
        "stopping": tally.stopping,
        "not stopped": tally.not_stopped,
        unsent: jobs - tally.done,
        "not in the output": tally.unwritten,
    }
    more = ", ".join(f"{number:,} {what}" for what, number in others.items() if number and what)
    with ignoring_broken_stderr():
        console.print(grid)
        console.print(
            f"{ending and f'{ending}: '}{tally.stopped:,} of {jobs:,} jobs stopped in "
            f"{seconds:,.1f} s, {tally.done / seconds:,.0f} per second{more and f'; {more}'}",
            soft_wrap=True,
        )
