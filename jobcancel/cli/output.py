"""Prints results and providers: as JSON, as tab-separated values, or as a table on a terminal.

A result is printed as soon as it is known, so the table on a terminal grows by a line at a time.
The facts about providers come from `describe`.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, NoReturn

import typer
from attrs import asdict, define, field
from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobcancel import CancelResult, JobReading, JobState, Outcome
from jobcancel.cli import streams
from jobcancel.cli.streams import clean, complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jobcancel.cli.describe import Facts, Summary

Answer = CancelResult | JobReading

COLUMNS = ("provider", "job_id", "outcome", "state", "message")
"""The columns of results, in every format."""

_WIDEST_PROVIDER, _WIDEST_ID, _NARROWEST_ID = 20, 40, 12
_OUTCOME, _STATE = max(map(len, Outcome)), max(map(len, JobState))
_GAP = "  "
_BELOW = "    "
"""The indentation of a message that is printed below its result."""
_ROOM = 30
"""Terminal columns that a message needs; with fewer it is printed below its result."""
_READ = "ok"
"""Printed instead of an outcome when a job's state was read."""

STOPPED, STOPPING, NOT_STOPPED = "green", "yellow", "red"
"""The styles of the three classes of outcomes."""


def style(outcome: Outcome) -> str:
    """Return the style of an outcome: that of its class."""
    if outcome.stopped:
        return STOPPED
    return STOPPING if outcome.accepted else NOT_STOPPED


class _Terminal(Console):
    """A console that raises `BrokenPipeError`, as any other output does."""

    def on_broken_pipe(self) -> NoReturn:
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError


def terminal() -> Console | None:
    """Return standard output if it is a terminal, None if it is a pipe or a file."""
    console = _Terminal(highlight=False)
    return console if console.is_terminal else None


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a spinner on a terminal; if the block is interrupted, print what was interrupted."""
    console = Console(stderr=True)
    try:
        with console.status(Text(clean(what))) if console.is_terminal else nullcontext():
            yield
    except KeyboardInterrupt:
        complain(f"interrupted while {what}")
        raise


def printer(
    job_ids: Iterable[str] = (),
    *,
    as_json: bool,
    brief: bool = False,
    console: Console | None = None,
    appended_to: Iterable[str] = (),
) -> Callable[[Answer], None]:
    """Return a function that prints results or readings.

    Args:
        job_ids: the known ids, which set the width of their column.
        as_json: whether to print JSON.
        brief: whether messages of stopped jobs are cut off to fit on one line.
        console: the terminal, if standard output is one and a progress bar is shown on it.
        appended_to: files to which the output may be appended.
    """
    console = console or terminal()
    if console is not None and not as_json:
        return _Results(console, brief, max(map(_width, job_ids), default=0)).put
    cut_off = streams.stdout_is_cut_off(appended_to)
    format_line = _Json().format if as_json else _Tsv().format

    def put(answer: Answer) -> None:
        nonlocal cut_off
        lines = format_line(answer)
        if cut_off:
            # A full disk or a crash has cut off the last line; do not continue it.
            lines, cut_off = f"\n{lines}", False
        if console is None:
            typer.echo(lines)
        else:
            console.print(Text(lines), soft_wrap=True)

    return put


def progress_console(console: Console | None) -> Console:
    """Return the console of a progress bar.

    Args:
        console: the console of the results, if it is a terminal. The bar must then use it, too:
            rich moves the bar out of the way of what is printed on the same console only.
    """
    return console if console is not None and console.file.isatty() else Console(stderr=True)


@define
class _Json:
    """Lines of JSON: `to_dict()`, with facts about this run."""

    _run: str = field(init=False, factory=lambda: str(uuid.uuid4()))

    def format(self, answer: Answer) -> str:
        added: dict[str, object] = {"run": self._run}
        if isinstance(answer, CancelResult):
            added |= {"stopped": answer.stopped, "accepted": answer.accepted}
        else:
            added["at"] = datetime.now(UTC).isoformat()
        return _json({**answer.to_dict(), **added})


@define
class _Tsv:
    """Tab-separated values, with a header if standard output is empty."""

    _headed: bool = field(init=False, factory=lambda: not streams.stdout_is_empty())

    def format(self, answer: Answer) -> str:
        cells = (answer.provider, answer.job_id, _word(answer), answer.state or "-", answer.message)
        header = [] if self._headed else [_tsv(COLUMNS)]
        self._headed = True
        return "\n".join([*header, _tsv(cells)])


@define
class _Results:
    """A table on a terminal; its columns grow when a wider cell is printed.

    Args:
        console: the terminal.
        brief: whether messages of stopped jobs are cut off to fit on one line.
        widest_id: the width of the known ids.
    """

    _console: Console
    _brief: bool
    _widest_id: int
    _widest_provider: int = field(init=False, default=0)

    def put(self, answer: Answer) -> None:
        """Print an answer, and above the first one a header."""
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
            # The message of a job that is not stopped is always printed in full.
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
    """Return the message with the progress and the wait that the vendor asks for."""
    read = isinstance(answer, JobReading) and answer.problem is None
    parts = [f"the vendor reports {answer.raw_state!r}" if read else answer.message]
    if answer.progress is not None:
        total = "" if answer.progress.total is None else f" of {answer.progress.total}"
        parts.append(f"{answer.progress.done}{total} done")
    if answer.retry_after is not None:
        parts.append(f"try again in {answer.retry_after:.0f} s")
    return "; ".join(parts)


# Providers


def print_summaries(summaries: Sequence[Summary], *, as_json: bool) -> None:
    """Print the providers by family."""
    summaries = sorted(summaries, key=lambda each: (each.family or "~", each.name))
    if as_json:
        for each in summaries:
            typer.echo(_json(asdict(each)))
    elif (console := terminal()) is not None:
        console.print(_table(summaries, wide=console.width >= _WIDE))
        console.print("jobcancel providers NAME shows how a provider's replies are interpreted")
    else:
        typer.echo(_tsv(_SUMMARY_COLUMNS))
        for each in summaries:
            typer.echo(_tsv(getattr(each, column) or "-" for column in _SUMMARY_COLUMNS))


_SUMMARY_COLUMNS = (
    "name", "family", "title", "key_env", "url_env", "default_url", "cancel", "note",
)  # fmt: skip
_WIDE = 120
"""Terminal columns in which URLs fit, too."""


def _table(summaries: Sequence[Summary], *, wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    table.add_column("provider", overflow="fold")
    table.add_column("key and URL from", overflow="fold")
    if wide:
        table.add_column("default URL, cancel route", overflow="fold")
    family: str | None = ""
    for each in summaries:
        if each.family != family:
            family = each.family
            table.add_section()
            table.add_row(Text(clean(family or "not usable"), "bold underline"))
        table.add_row()
        name = Text(clean(each.name), "bold")
        about = [Text(f"  {clean(each.title)}")] if each.title else []
        note = [Text(f"  {clean(each.note)}", "yellow")] if each.note else []
        more = [_lines(each.default_url, each.cancel)] if wide else []
        words = Text("\n").join([name, *about, *note])
        table.add_row(words, _lines(each.key_env, each.url_env), *more)
    return table


def _lines(*words: str | None) -> Text:
    return Text("\n".join(clean(word) for word in words if word))


def print_facts(facts: Facts, *, as_json: bool) -> None:
    """Print the facts about one provider."""
    if as_json:
        typer.echo(_json(facts))
    elif (console := terminal()) is not None:
        for section, rows in facts.items():
            _print_section(console, section, rows)
    else:
        typer.echo(_tsv(("section", "subject", "fact")))
        for section, rows in facts.items():
            for what, meaning in rows.items():
                typer.echo(_tsv((section, what, meaning)))


_HEADINGS = {
    "provider": "Provider",
    "requests": "Requests",
    "replies": "Replies to the cancel",
    "states": "The vendor's job states",
}


def _print_section(console: Console, section: str, rows: dict[str, str]) -> None:
    console.print(Text(_HEADINGS[section], "bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=0)
    grid.add_column(max_width=console.width // 2, overflow="fold")
    grid.add_column(overflow="fold")
    for what, meaning in rows.items():
        grid.add_row("", Text(clean(what), "cyan"), Text(clean(meaning)))
    console.print(grid)
    console.print()


# Formats


def _tsv(cells: Iterable[str]) -> str:
    return "\t".join(map(clean, cells))


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:  # JSON has no NaN, but an adapter with its own code may return one
        return json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None))
