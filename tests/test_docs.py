"""The generated parts of the documentation match the code."""

from __future__ import annotations

import re
import runpy
from typing import TYPE_CHECKING

import pytest

from jobcancel.bulk import lane, pace
from tests.generated import PARTS
from tests.pages import DOCS, generated

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted([DOCS.parent / "README.md", *DOCS.glob("*.md")])


def test_the_diagram_of_the_steps_is_up_to_date() -> None:
    draw = runpy.run_path(str(DOCS / "draw_steps.py"))
    assert draw["drawing"]() == (DOCS / "steps.svg").read_text()


@pytest.mark.parametrize(("page", "name"), PARTS)
def test_a_generated_part_is_up_to_date(page: str, name: str) -> None:
    """`python -m tests.generated` rewrites it."""
    assert PARTS[page, name]() == generated((DOCS / page).read_text(), name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_is_run_or_of_a_known_other_kind(page: Path) -> None:
    kinds = set(re.findall(r"^ *```+(\S+)", page.read_text(), re.MULTILINE))
    assert set() == kinds - {"python", "console", "{code-block}", *NO_EXAMPLES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_directive_has_a_caption(page: Path) -> None:
    """It is a file, then, and `test_examples` checks that a test runs it."""
    assert [] == re.findall(
        r"^ *```+\{code-block\}.*\n(?!:caption: .)", page.read_text(), re.MULTILINE
    )


# Installation commands are not run here; the other kinds are data and Sphinx directives.
NO_EXAMPLES = {"sh", "text", "csv", "diff", "ini", "json", "toml", "yaml", "{eval-rst}"}
NO_EXAMPLES |= {"{figure}", "{glossary}", "{image}", "{include}", "{literalinclude}", "{toctree}"}


@pytest.mark.parametrize(
    "sentence",
    [
        f"starts with {pace._FIRST_WINDOW:.0f} requests in flight",
        f"doubled up to {pace._LONGEST_WAIT:.0f}, when it does not say",
        f"{100 - 100 * pace._CAUTION:.0f}% less, and grows by {100 * pace._GROWTH:g}% per second",
        f"After a pause, {100 * pace._BURST:.0f}% of the bucket",
        f"up to {lane._LONGEST_TRIAL:.0f};",
    ],
)
def test_the_numbers_in_pace_md_match_the_code(sentence: str) -> None:
    assert sentence in " ".join((DOCS / "pace.md").read_text().split())


def test_the_spelled_out_numbers_in_pace_md_match_the_code() -> None:
    words = (pace._WINDOW_GROWTH, pace._FIRST_WAIT, pace._DOUBLING, pace._DOUBLING_TRIPS)
    assert (2, 1, 0.2, 2) == words, "adds two, one second, a fifth, two round trips"
    assert 5 == lane._FAILURES, "five failures"
