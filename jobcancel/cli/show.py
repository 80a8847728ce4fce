"""How results reach standard output: JSON, lines for other programs, or lines for people.

A result is printed as soon as it is known and stays where it was printed, so what people see
is a table that grows by a line at a time. What there is to say of a provider is in `describe`.
"""

from __future__ import annotations

import json
import os
import sys
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
_OUTCOME, _STATE = max(map(len, Outcome)), max(map(len, JobState))
_READ = "ok"
"""What stands in the place of an outcome when a job's state was read."""

STYLES = {
    _READ: "green",
    Outcome.CANCELLED: "green",
    Outcome.ALREADY_TERMINAL: "green",
    Outcome.CANCELLING: "yellow",
    Outcome.RATE_LIMITED: "yellow",
    Outcome.UNKNOWN: "yellow",
    Outcome.REFUSED: "red",
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
    widths = (min(widest, _WIDEST_ID), _OUTCOME, _STATE)
    return lambda answer: _print_styled(console, widths, answer)


def give_up_output(error: OSError, last: str, left: Sequence[str]) -> None:
    """Tell what the output can no longer tell, once it is closed or full.

    Args:
        error: why it cannot be written.
        last: the result that could not be written.
        left: the jobs that are not cancelled, for nobody would see what became of them.
    """
    # What is buffered would fail again when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if left or not isinstance(error, BrokenPipeError):
        complain(f"the output cannot be written ({error.strerror}); last {last}")
    if left:
        complain(f"not cancelled: {' '.join(left)}")


def stream(console: Console | None, *, as_json: bool) -> Callable[[CancelResult], None]:
    """Return what prints each of so many results that nobody knows how wide their ids are.

    Args:
        console: the terminal, on which a progress bar may move below the results; None if
            standard output is none.
        as_json: whether each result becomes a line of JSON.
    """
    if console is None:
        return _print_json if as_json else _print_plain
    if as_json:
        return lambda result: console.print(Text(_json(result)), soft_wrap=True)
    return lambda result: _print_line(console, result)


def _print_line(console: Console, result: CancelResult) -> None:
    start = Text.assemble(
        (f"{result.outcome:<{_OUTCOME}}  ", STYLES[result.outcome]),
        f"{result.state or '-':<{_STATE}}  ",
    )
    rest = Text.assemble(
        f"{clean(result.provider)} ",
        (clean(result.job_id), "bold"),
        (f"  {clean(_detail(result))}", "dim"),
    )
    room = max(console.width - len(start), _ROOM)
    if result.stopped:
        # What went well may be cut short; what did not is to be read to its end.
        rest.truncate(room, overflow="ellipsis")
        console.print(start + rest, no_wrap=True, crop=False)
        return
    for line in rest.wrap(console, room):
        console.print(start + line, no_wrap=True, crop=False)
        start = Text(" " * len(start))


def _print_json(answer: Answer) -> None:
    typer.echo(_json(answer))


def _json(answer: Answer) -> str:
    stopped = {"stopped": answer.stopped} if isinstance(answer, CancelResult) else {}
    return json.dumps({**answer.to_dict(), **stopped})


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
