"""`jobcancel demo`: every situation at every provider, compared with what must be reported.

It uses nothing of the user's: the keys and URLs are the sandbox's own, and no proxy is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import typer
from attrs import frozen
from rich.cells import cell_len
from rich.text import Text

from jobcancel import Canceller, CancelResult, JobState, Outcome
from jobcancel.cli.options import without_deprecations
from jobcancel.cli.output import terminal
from jobcancel.cli.streams import clean
from jobcancel.sandbox import SITUATIONS, Sandbox, Situation
from jobcancel.sandbox.vendors.catalog import PROVIDERS, VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = ("provider", "situation", "outcome", "state", "attempts")

_IN_FULL = "pulse"
"""The provider whose rows are printed even if they are as expected."""

_DEADLINE = 2.0
"""Seconds for one call; one situation asks to wait one."""
_VERIFYING = 1.3
"""Seconds for a call that verifies; one job stops 0.3 s after its cancel."""


@frozen
class Row:
    """One cancel and its situation."""

    situation: Situation
    result: CancelResult

    @property
    def wanted(self) -> frozenset[Outcome]:
        """The outcomes of which one must be reported."""
        verified = self.situation.verified
        return self.situation.outcomes if verified is None else frozenset({verified})

    @property
    def expected(self) -> bool:
        """Whether the outcome is one of them."""
        return self.result.outcome in self.wanted


def run() -> bool:
    """Run the demo, print it, and return whether every outcome was as expected."""
    began = time.monotonic()
    with (
        Sandbox() as sandbox,
        httpx.Client(trust_env=False) as http,
        Canceller(
            http_client=http, api_keys=sandbox.api_keys, base_urls=sandbox.base_urls
        ) as canceller,
        without_deprecations(),
    ):
        paper = Paper(list(PROVIDERS))
        rows = [row for each in _runs(sandbox, canceller) for row in paper.put(each)]
    right = sum(row.expected for row in rows)
    seconds = time.monotonic() - began
    paper.write(
        Text(
            f"{right} of {len(rows)} outcomes as expected, in {seconds:.1f} s",
            "bold green" if right == len(rows) else "bold red",
        )
    )
    return right == len(rows)


def _runs(sandbox: Sandbox, canceller: Canceller) -> Iterator[list[Row]]:
    """Cancel the job of every situation, at all providers at once; yield each provider's rows."""

    def at(provider: str) -> list[Row]:
        jobs = PROVIDERS[provider].name
        return [
            Row(situation, _cancel(canceller, provider, situation))
            for situation in SITUATIONS
            if situation.provider == jobs
        ]

    # A deprecated provider has the jobs of another one, which must be new again.
    deprecated = [provider for provider in PROVIDERS if provider not in VENDORS]
    for providers in (list(VENDORS), deprecated):
        sandbox.reset()
        with ThreadPoolExecutor(len(providers)) as pool:
            yield from pool.map(at, providers)


def _cancel(canceller: Canceller, provider: str, situation: Situation) -> CancelResult:
    verify = situation.verified is not None
    return canceller.cancel(
        provider,
        situation.job_id,
        params=situation.params,
        api_key=situation.key,
        verify=verify,
        deadline=_VERIFYING if verify else _DEADLINE,
    )


@frozen
class Columns:
    """Lines whose cells stand below each other.

    Args:
        widths: how wide each column is; a longer cell moves the rest of its line.
    """

    widths: Sequence[int]

    def line(self, cells: Sequence[str], styles: Sequence[str] | None = None) -> Text:
        """Return a line; a style for each cell, or none."""
        line = Text(no_wrap=True)
        for cell, width, style in zip(cells, self.widths, styles or [""] * len(cells), strict=True):
            shown = clean(cell)
            line.append(shown, style)
            line.append(" " * (max(0, width - cell_len(shown)) + 2))
        line.rstrip()
        return line


class Paper:
    """The demo's table on standard output, line by line; with colors on a terminal.

    Args:
        providers: the names of all providers in it.
    """

    def __init__(self, providers: Sequence[str]) -> None:
        self._console = terminal()
        self._summary = Columns((max(map(len, providers)), 0))
        names = [situation.name for situation in SITUATIONS]
        words = ((_HEAD[0], _IN_FULL), names, Outcome, JobState)
        # Only one provider's rows are usual; a longer name moves the rest of its line.
        widths = [max(map(len, column)) for column in words]
        self._columns = Columns((*widths, len("attempts"), len("0.00 s")))
        self.write(self._columns.line((*_HEAD, f"{'time':>6}"), ["bold"] * 6))

    def put(self, rows: list[Row]) -> list[Row]:
        """Print a provider's rows, or those that are not as expected and a summary."""
        provider = rows[0].result.provider
        for row in rows:
            if provider == _IN_FULL or not row.expected:
                self._put(row)
        if provider != _IN_FULL:
            right = sum(row.expected for row in rows)
            summary = f"{right} of {len(rows)} situations as expected"
            self.write(self._summary.line((provider, summary)))
        return rows

    def _put(self, row: Row) -> None:
        result = row.result
        cells = (
            result.provider,
            row.situation.name,
            result.outcome,
            result.state or "-",
            f"{result.attempts:>8}",
            f"{result.elapsed:.2f} s",
        )
        outcome = "green" if row.expected else "bold red"
        self.write(self._columns.line(cells, ["", "bold", outcome, "", "", "dim"]))
        if not row.expected:
            wanted = " or ".join(sorted(row.wanted))
            self.write(Text(f"  WRONG: expected {wanted}: {clean(result.message)}", "bold red"))

    def write(self, line: Text) -> None:
        """Print a line."""
        if self._console is None:
            typer.echo(line.plain)
        else:
            self._console.print(line, soft_wrap=True)
