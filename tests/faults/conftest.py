"""Fixtures of the fault matrix: a sandbox whose clock skips waits, and the collected outcomes."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from attrs import Factory, define

from jobcancel import Outcome
from jobcancel.sandbox import Sandbox
from tests.faults.situations import CASES, CLOCK, FIRST, POSSIBLE
from tests.pages import DOCS, generated, with_generated

if TYPE_CHECKING:
    from collections.abc import Iterator


OTHERS = sorted({provider for provider, _ in POSSIBLE} - {*FIRST})

FEW = 5
"""Up to this many providers are listed by name; more are only counted."""


@pytest.fixture(scope="session")
def vendors() -> Iterator[Sandbox]:
    with Sandbox(now=CLOCK.wall) as sandbox:
        yield sandbox


@define
class Seen:
    """The outcome of every case."""

    outcomes: dict[tuple[str, str], set[Outcome]] = Factory(lambda: defaultdict(set))

    @property
    def complete(self) -> bool:
        return set(self.outcomes) == {(p, situation.name) for p, situation in POSSIBLE}

    def table(self) -> str:
        """Return the matrix as in the documentation."""
        rows = [
            f"| {situation.name} | " + " | ".join(self.cell(p, situation.name) for p in FIRST)
            for situation in CASES
        ]
        head = f"| situation | {' | '.join(f'`{p}`' for p in FIRST)} |\n|---|---|---|---|\n"
        return head + "".join(f"{row} |\n" for row in rows)

    def others(self) -> str:
        """Return the outcomes of the other providers: their number, or their names if few."""
        rows = []
        for situation in CASES:
            ended = defaultdict(list)
            for provider in OTHERS:
                ended[self.cell(provider, situation.name)].append(f"`{provider}`")
            ended.pop("-", None)
            listed = [
                f"{outcome}: {', '.join(names) if len(names) <= FEW else len(names)}"
                for outcome, names in sorted(ended.items(), key=lambda each: -len(each[1]))
            ]
            rows += [f"| {situation.name} | {'; '.join(listed)} |\n"] if listed else []
        return "| situation | outcomes |\n|---|---|\n" + "".join(rows)

    def cell(self, provider: str, name: str) -> str:
        return " or ".join(sorted(self.outcomes.get((provider, name), {"-"})))


@pytest.fixture(scope="session")
def seen() -> Iterator[Seen]:
    """Collect the outcomes; after all cases, compare them with the documented matrix.

    `UPDATE_DOCS=1 pytest -n0 tests/faults` rewrites the matrix.
    """
    seen = Seen()
    yield seen
    if seen.complete:
        page = DOCS / "truth.md"
        if "UPDATE_DOCS" in os.environ:
            page.write_text(with_generated(page.read_text(), "matrix", seen.table()))
            page.write_text(with_generated(page.read_text(), "others", seen.others()))
        assert seen.table() == generated(page.read_text(), "matrix")
        assert seen.others() == generated(page.read_text(), "others")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    cases = {report.nodeid for report in reports if "test_the_outcome_is_true" in report.nodeid}
    terminalreporter.write_line(f"fault matrix: {len(cases)} cases")
