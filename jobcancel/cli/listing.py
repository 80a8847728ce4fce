"""How providers are printed: for people, for other programs, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import asdict
from rich import box
from rich.table import Table
from rich.text import Text

from jobcancel.cli.output import say, say_json, terminal
from jobcancel.cli.words import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from jobcancel.cli.describe import Facts, Summary


def print_summaries(summaries: Sequence[Summary], *, as_json: bool) -> None:
    """Print all providers in short, by family."""
    summaries = sorted(summaries, key=lambda each: (each.family or "~", each.name))
    if as_json:
        for each in summaries:
            say_json(asdict(each))
    elif (console := terminal()) is not None:
        console.print(_table(summaries, wide=console.width >= _WIDE))
        console.print("jobcancel providers NAME tells how each of a provider's replies is read")
    else:
        for each in summaries:
            facts = {**asdict(each, filter=lambda field, _: field.name not in _NOTED)}
            say(value or "-" for value in (*facts.values(), each.note))


_NOTED = {"deprecated", "broken"}
_WIDE = 120
"""Columns that a terminal has when addresses fit in it, too."""


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
    """Print what is to be known of one provider."""
    if as_json:
        say_json(facts)
    elif (console := terminal()) is not None:
        for section, rows in facts.items():
            _print_section(console, section, rows)
    else:
        for section, rows in facts.items():
            for what, meaning in rows.items():
                say((section, what, meaning))


_HEADINGS = {
    "provider": "Provider",
    "requests": "What is sent",
    "replies": "How a reply to the cancel is read",
    "states": "What the vendor's words for a job's state mean",
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
