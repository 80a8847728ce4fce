"""`jobcancel demo`: every seeded situation over HTTP, compared with what must be reported.

Nothing of the user's is used: keys and addresses are the sandbox's own, and no proxy is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import httpx
import typer
from attrs import frozen
from rich.cells import cell_len
from rich.text import Text

from jobcancel import Canceller, CancelResult, JobState, Outcome, get_adapter
from jobcancel.cli.options import without_deprecations
from jobcancel.cli.output import terminal
from jobcancel.cli.streams import clean
from jobcancel.sandbox import SITUATIONS, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.sandbox import Situation

_HEAD = ("provider", "situation", "outcome", "state", "attempts")
_SUBMITTED = "just submitted"

PROVIDERS = ("pulse", "pulse-legacy", "talonic")
"""Whose situations are shown: those of the vendors that have seeded jobs."""

_DEADLINE = 5.0
"""Seconds for one call; the longest situation asks to wait one."""
_VERIFYING = 1.3
"""Seconds for one that verifies: a job that stops after 0.3 s is seen to, well before that."""


@frozen
class Row:
    """One cancel: what came of it, and what should have.

    Args:
        situation: its name.
        result: what came of it.
        outcome: what should have.
        state: the state that should be known, or None where that is left open.
    """

    situation: str
    result: CancelResult
    outcome: Outcome
    state: JobState | None = None

    @property
    def expected(self) -> bool:
        """Whether what came of it is what should have."""
        states = {self.state or self.result.state, self.result.state}
        return self.outcome is self.result.outcome and len(states) == 1


@frozen
class Client:
    """A client of the vendors that the sandbox stands in for.

    Args:
        sandbox: the sandbox, running.
        http: what jobs are submitted with.
        canceller: what jobs are cancelled with.
    """

    sandbox: Sandbox
    http: httpx.Client
    canceller: Canceller

    def submitted(self) -> Iterator[Row]:
        """Submit a job for each provider, and cancel it."""
        for provider in PROVIDERS:
            url = self.sandbox.base_urls[provider]
            submit = {"pulse": self._submit_to_pulse, "talonic": self._submit_to_talonic}
            job_id = submit[_vendor(provider)](url, self.sandbox.api_keys[provider])
            result = self.canceller.cancel(provider, job_id, deadline=_DEADLINE)
            yield Row(_SUBMITTED, result, Outcome.CANCELLED)

    def _submit_to_pulse(self, url: str, key: str) -> str:
        document = {"file_url": "https://example.com/report.pdf", "async": True}
        return self._submit(f"{url}/extract", {"x-api-key": key}, document)["job_id"]

    def _submit_to_talonic(self, url: str, key: str) -> str:
        documents = {"schema_id": "invoice", "document_ids": ["doc-1", "doc-2"]}
        return self._submit(f"{url}/v1/jobs", {"authorization": f"Bearer {key}"}, documents)["id"]

    def _submit(self, url: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, str]:
        reply = self.http.post(url, headers=headers, json=body).raise_for_status()
        job: dict[str, str] = reply.json()
        return job

    def seeded(self) -> Iterator[Row]:
        """Cancel the job of every situation at every provider of its vendor."""
        for provider in PROVIDERS:
            self.sandbox.reset()
            for situation in SITUATIONS:
                if situation.vendor == _vendor(provider):
                    yield self._seeded(provider, situation)

    def _seeded(self, provider: str, situation: Situation) -> Row:
        result = self.canceller.cancel(
            provider,
            situation.job_id,
            api_key=situation.key,
            verify=situation.verify,
            deadline=_VERIFYING if situation.verify else _DEADLINE,
        )
        if situation.verify:
            # The situation's state is the one that is known without verifying.
            return Row(situation.name, result, situation.verified_outcome or situation.outcome)
        return Row(situation.name, result, situation.outcome, situation.state)


def _vendor(provider: str) -> str:
    return get_adapter(provider).credentials_of or provider


def run() -> bool:
    """Run the demo, print it, and return whether everything came out as it should."""
    began = time.monotonic()
    with (
        Sandbox() as sandbox,
        httpx.Client(trust_env=False) as http,
        Canceller(
            http_client=http, api_keys=sandbox.api_keys, base_urls=sandbox.base_urls
        ) as canceller,
        without_deprecations(),
    ):
        client = Client(sandbox, http, canceller)
        paper = Paper(PROVIDERS)
        rows = [paper.put(row) for row in chain(client.submitted(), client.seeded())]
    right = sum(row.expected for row in rows)
    seconds = time.monotonic() - began
    paper.write(
        Text(
            f"{right} of {len(rows)} outcomes as expected, in {seconds:.1f} s",
            "bold green" if right == len(rows) else "bold red",
        )
    )
    return right == len(rows)


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
    """The demo's table on standard output, a line at a time; with colours on a terminal.

    Args:
        providers: the names of all that there will be rows about.
    """

    def __init__(self, providers: Sequence[str]) -> None:
        self._console = terminal()
        names = [_SUBMITTED, *(situation.name for situation in SITUATIONS)]
        words = (providers, names, Outcome, JobState)
        widths = [max(map(len, column)) for column in words]
        self._columns = Columns((*widths, len("attempts"), len("0.00 s")))
        self.write(self._columns.line((*_HEAD, f"{'time':>6}"), ["bold"] * 6))

    def put(self, row: Row) -> Row:
        """Print a row, and below it what was expected where that is something else."""
        result = row.result
        cells = (
            result.provider,
            row.situation,
            result.outcome,
            result.state or "-",
            f"{result.attempts:>8}",
            f"{result.elapsed:.2f} s",
        )
        outcome = "green" if row.expected else "bold red"
        self.write(self._columns.line(cells, ["", "bold", outcome, "", "", "dim"]))
        if not row.expected:
            state = "" if row.state is None else f", state {row.state}"
            wrong = f"  WRONG: expected {row.outcome}{state}: {clean(result.message)}"
            self.write(Text(wrong, "bold red"))
        return row

    def write(self, line: Text) -> None:
        """Print a line."""
        if self._console is None:
            typer.echo(line.plain)
        else:
            self._console.print(line, soft_wrap=True)
