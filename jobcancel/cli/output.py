"""How results reach standard output: JSON, lines for other programs, or lines for people.

A result is printed as soon as it is known and stays where it was printed, so what people see
is a table that grows by a line at a time. What there is to say of a provider is in `describe`.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, NoReturn

import typer
from attrs import define, field
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

from jobcancel import CancelResult, JobReading, JobState, Outcome
from jobcancel.cli import streams
from jobcancel.cli.words import clean, complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Answer = CancelResult | JobReading

COLUMNS = ("provider", "job_id", "outcome", "state", "message")
"""The columns of results, in every format for people and for programs."""

_WIDEST_PROVIDER, _WIDEST_ID, _NARROWEST_ID = 20, 40, 12
_OUTCOME, _STATE = max(map(len, Outcome)), max(map(len, JobState))
_GAP = "  "
_BELOW = "    "
"""What a message is indented by when it stands below its result."""
_ROOM = 30
"""Columns that a message needs beside a result; with fewer left it goes below it."""
_READ = "ok"
"""What stands in the place of an outcome when a job's state was read."""

STOPPED, STOPPING, NOT_STOPPED = "green", "yellow", "red"
"""The styles of the three classes of outcomes."""


def style(outcome: Outcome) -> str:
    """Return the style of an outcome: that of its class."""
    if outcome.stopped:
        return STOPPED
    return STOPPING if outcome.accepted else NOT_STOPPED


class _Terminal(Console):
    """A console whose user is told, as of any other output, that it is closed."""

    def on_broken_pipe(self) -> NoReturn:
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError


def terminal() -> Console | None:
    """Return standard output if people look at it, None if it is a pipe or a file."""
    console = _Terminal(highlight=False)
    return console if console.is_terminal else None


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal what is being waited for, and say what an interruption interrupted."""
    console = Console(stderr=True)
    try:
        with console.status(Text(clean(what))) if console.is_terminal else nullcontext():
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


def printer(
    job_ids: Iterable[str] = (),
    *,
    as_json: bool,
    brief: bool = False,
    console: Console | None = None,
    appended_to: Iterable[str] = (),
) -> Callable[[Answer], None]:
    """Return what prints each answer about jobs as it comes.

    Args:
        job_ids: the ids of the jobs, as far as they are known; columns are made as wide.
        as_json: whether each answer becomes a line of JSON.
        brief: whether what went well may be cut short to stay on one line.
        console: the terminal, if standard output is one and a progress bar may move on it.
        appended_to: files that the output may be appended to.
    """
    console = console or terminal()
    if console is not None and not as_json:
        return _Table(console, brief, max(map(_width, job_ids), default=0)).put
    cut_off = streams.ends_within_a_line(appended_to)
    format_line = _Json().format if as_json else _Tsv().format

    def put(answer: Answer) -> None:
        nonlocal cut_off
        lines = format_line(answer)
        if cut_off:
            # What a full disk or a crash left of the last line must not spoil the next one.
            lines, cut_off = f"\n{lines}", False
        if console is None:
            typer.echo(lines)
        else:
            console.print(Text(lines), soft_wrap=True)

    return put


def progress_console(console: Console | None) -> Console:
    """Return the terminal that a progress bar is shown on.

    Args:
        console: the one that results are printed on, if it is a terminal. It is the same one as
            standard error's then, and whatever moves the bar out of the way has to know of both.
    """
    return console if console is not None and console.file.isatty() else Console(stderr=True)


@define
class _Json:
    """Lines of JSON: what `to_dict()` gives, and what only this invocation can add."""

    _run: str = field(init=False, factory=lambda: str(uuid.uuid4()))

    def format(self, answer: Answer) -> str:
        added: dict[str, object] = {"run": self._run}
        if isinstance(answer, CancelResult):
            added |= {"stopped": answer.stopped, "accepted": answer.accepted}
        else:
            added["at"] = datetime.now(UTC).isoformat()
        return json.dumps({**answer.to_dict(), **added})


@define
class _Tsv:
    """Tab-separated cells, with a header unless there is one above already."""

    _headed: bool = field(init=False, factory=lambda: not streams.is_empty())

    def format(self, answer: Answer) -> str:
        cells = (answer.provider, answer.job_id, _word(answer), answer.state or "-", answer.message)
        header = [] if self._headed else ["\t".join(COLUMNS)]
        self._headed = True
        return "\n".join([*header, "\t".join(map(clean, cells))])


@define
class _Table:
    """Columns on a terminal; those of unknown width grow when a wider cell comes.

    Args:
        console: the terminal.
        brief: whether what went well may be cut short to stay on one line.
        widest_id: how wide the ids are.
    """

    _console: Console
    _brief: bool
    _widest_id: int
    _widest_provider: int = field(init=False, default=0)

    def put(self, answer: Answer) -> None:
        """Print an answer, and what is in its columns above the first one."""
        is_first = self._widest_provider == 0
        self._widest_provider = max(self._widest_provider, _width(answer.provider))
        self._widest_id = max(self._widest_id, _width(answer.job_id))
        if is_first:
            self._print(Text(each, "dim") for each in ("provider", "job id", "outcome", "state"))
        word, state = _word(answer), answer.state or "-"
        self._print(
            (
                Text(clean(answer.provider)),
                Text(clean(answer.job_id), "bold"),
                Text(word, STOPPED if word == _READ else style(Outcome(word))),
                Text(state),
            ),
            Text(clean(_detail(answer)), "dim"),
            cut=self._brief and isinstance(answer, CancelResult) and _went_well(answer),
        )

    def _widths(self) -> tuple[int, int, int, int]:
        provider = min(max(self._widest_provider, len("provider")), _WIDEST_PROVIDER)
        others = provider + _OUTCOME + _STATE + 3 * len(_GAP)
        room = max(self._console.width - others, _NARROWEST_ID)
        widest = min(max(self._widest_id, len("job id")), _WIDEST_ID)
        return provider, min(widest, room), _OUTCOME, _STATE

    def _print(
        self, cells: Iterable[Text], detail: Text | None = None, *, cut: bool = False
    ) -> None:
        widths = self._widths()
        room = self._console.width - sum(widths) - len(widths) * len(_GAP)
        columns = [_folded(cell, width) for cell, width in zip(cells, widths, strict=True)]
        below: Iterable[Text] = ()
        if detail is not None and cut:
            # What went well may be cut short; what did not is to be read to its end.
            detail.truncate(max(room, 1), overflow="ellipsis")
            columns.append([detail] if room > 0 else [])
        elif detail is not None and room >= _ROOM:
            columns.append([*detail.wrap(self._console, room)])
        elif detail is not None:
            below = detail.wrap(self._console, max(self._console.width - len(_BELOW), 1))
        for line in zip_longest(*columns, fillvalue=Text()):
            self._print_line(line, widths)
        for each in below:
            self._console.print(Text(_BELOW) + each, no_wrap=True, crop=False)

    def _print_line(self, cells: Sequence[Text], widths: Sequence[int]) -> None:
        line = Text()
        for cell, width in zip(cells, [*widths, 0], strict=False):
            line.append_text(cell)
            line.append(" " * max(width - cell.cell_len, 0) + _GAP)
        line.rstrip()
        self._console.print(line, no_wrap=True, crop=False)


def _folded(cell: Text, width: int) -> list[Text]:
    return [Text(part, cell.style) for part in chop_cells(cell.plain, width)]


def _width(text: str) -> int:
    return cell_len(clean(text))


def _went_well(result: CancelResult) -> bool:
    return result.stopped or result.accepted


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
