"""The generated parts of the documentation are what the code says today."""

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


def test_the_drawing_of_the_steps_is_current() -> None:
    draw = runpy.run_path(str(DOCS / "draw_steps.py"))
    assert draw["drawing"]() == (DOCS / "steps.svg").read_text()


@pytest.mark.parametrize(("page", "name"), PARTS)
def test_a_generated_part_is_current(page: str, name: str) -> None:
    """`python -m tests.generated` writes it anew."""
    assert PARTS[page, name]() == generated((DOCS / page).read_text(), name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_of_a_kind_that_is_run_or_is_known_to_be_no_example(page: Path) -> None:
    kinds = set(re.findall(r"^ *```+(\S+)", page.read_text(), re.MULTILINE))
    assert set() == kinds - {"python", "console", *NO_EXAMPLES}


# How to install something is nothing to run here; the others are data, and directives of Sphinx.
NO_EXAMPLES = {"sh", "text", "csv", "diff", "ini", "json", "toml", "yaml", "{eval-rst}"}
NO_EXAMPLES |= {"{figure}", "{glossary}", "{image}", "{include}", "{literalinclude}", "{toctree}"}


@pytest.mark.parametrize(
    "said",
    [
        f"starts with {pace._FIRST_WINDOW:.0f} requests in flight",
        f"doubled up to {pace._LONGEST_WAIT:.0f}, when it does not say",
        f"{100 - 100 * pace._CAUTION:.0f}% less, and grows by {100 * pace._GROWTH:.0f}% per second",
        f"After a pause, {100 * pace._BURST:.0f}% of the bucket",
        f"up to {lane._LONGEST_TRIAL:.0f};",
    ],
)
def test_the_numbers_of_the_pace_are_those_of_the_code(said: str) -> None:
    assert said in " ".join((DOCS / "pace.md").read_text().split())


def test_the_words_of_the_pace_are_the_numbers_of_the_code() -> None:
    words = (pace._FIRST_WAIT, pace._DOUBLING, pace._DOUBLING_TRIPS, lane._FAILURES)
    assert (1.0, 0.125, 2.0, 5) == words, "one second, an eighth, two round trips, five failures"
