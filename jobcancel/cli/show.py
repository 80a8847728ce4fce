"""How results reach standard output: JSON, lines for other programs, or lines for people.

A result is printed as soon as it is known and stays where it was printed, so what people see
is a table that grows by a line at a time. What there is to say of a provider is in `describe`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobcancel import CancelResult, JobReading, JobState, Outcome
from jobcancel.cli.words import clean, complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Answer = CancelResult | JobReading

_WIDEST_ID = 40
_ROOM = 30
"""Columns that the words beside a result need; with fewer left they go below it."""
_READ = "ok"
"""What stands in the place of an outcome when a job's state was read."""

STYLES = {
    _READ: "green",
    Outcome.CANCELLED: "green",
    Outcome.ALREADY_TERMINAL: "green",
    Outcome.CANCELLING: "yellow",
    Outcome.RATE_LIMITED: "yellow",
    Outcome.UNKNOWN: "yellow",
    Outcome.NOT_FOUND: "red",
    Outcome.FORBIDDEN: "red",
    Outcome.UNAUTHORIZED: "red",
    Outcome.INVALID: "red",
}


def terminal() -> Console | None:
    """Return standard output if people look at it, None if it is a pipe or a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else None


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal what is being waited for, and say what an interruption interrupted."""
    try:
        with Console(stderr=True).status(Text(clean(what))):
            yield
    except KeyboardInterrupt:
        complain(f"interrupted while {what}")
        raise


def say(cells: Iterable[str]) -> None:
    """Print a line of tab-separated cells."""
    typer.echo("\t".join(map(clean, cells)))


def say_json(value: object) -> None:
    """Print a value as one line of JSON."""
    typer.echo(json.dumps(value))


def printer(job_ids: Sequence[str], *, as_json: bool) -> Callable[[Answer], None]:
    """Return what prints each answer about these jobs as it comes.

    Args:
        job_ids: the ids of all jobs that there will be answers about.
        as_json: whether each answer becomes a line of JSON.
    """
    if as_json:
        return _print_json
    console = terminal()
    if console is None:
        return _print_plain
    widest = max(cell_len(clean(job_id)) for job_id in job_ids)
    widths = (min(widest, _WIDEST_ID), max(map(len, Outcome)), max(map(len, JobState)))
    return lambda answer: _print_styled(console, widths, answer)


def _print_json(answer: Answer) -> None:
    stopped = {"stopped": answer.stopped} if isinstance(answer, CancelResult) else {}
    say_json({**answer.to_dict(), **stopped})


def _print_plain(answer: Answer) -> None:
    say((answer.provider, answer.job_id, _word(answer), answer.state or "-", answer.message))


def _print_styled(console: Console, widths: Sequence[int], answer: Answer) -> None:
    word, detail = _word(answer), Text(clean(_detail(answer)), "dim")
    grid = Table.grid(padding=(0, 2))
    for width in widths:
        grid.add_column(width=width, overflow="fold")
    cells = [
        Text(clean(answer.job_id), "bold"),
        Text(word, STYLES[word]),
        Text(answer.state or "-"),
    ]
    if sum(widths) + 2 * len(widths) + _ROOM <= console.width:
        grid.add_column(overflow="fold")
        grid.add_row(*cells, detail)
        console.print(grid)
    else:
        grid.add_row(*cells)
        console.print(grid, Padding(detail, (0, 0, 0, 4)))


def _word(answer: Answer) -> str:
    if isinstance(answer, CancelResult):
        return answer.outcome
    return answer.problem or _READ


def _detail(answer: Answer) -> str:
    """Say in words what people want to know besides the outcome and the state."""
    read = isinstance(answer, JobReading) and answer.problem is None
    parts = [f"the vendor says {answer.raw_state!r}" if read else answer.message]
    if answer.progress is not None:
        total = "" if answer.progress.total is None else f" of {answer.progress.total}"
        parts.append(f"{answer.progress.done}{total} done")
    if answer.retry_after is not None:
        parts.append(f"try again in {answer.retry_after:.0f} s")
    return "; ".join(parts)
