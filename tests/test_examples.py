"""The runner of the documentation's examples: an example with a wrong result fails."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from sybil import Sybil
from sybil.example import SybilFailure
from sybil.parsers.myst import CodeBlockParser

from tests.examples import (
    ROOT,
    Page,
    PythonBlocks,
    evaluate_cell,
    evaluate_console,
    evaluate_python,
    files_on,
    prepare,
    start_loop,
    stop_loop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sybil import Example
    from sybil.typing import Parser

    Evaluate = Callable[[Example], str | None]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.endswith("example.md")]:
        del sys.modules[name]


def run(folder: Path, kind: str, text: str, evaluate: Evaluate = evaluate_python) -> None:
    """Run a page with one block in it."""
    page = folder / "example.md"
    page.write_text(f"# A page\n\n```{kind}\n{text}\n```\n")
    parsers: list[Parser] = [PythonBlocks(evaluate), CodeBlockParser("console", evaluate_console)]
    document = Sybil(parsers, document_types={".md": Page}).parse(page)
    start_loop(document.namespace)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        stop_loop(document.namespace)


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1  # -> 2",
        "def two():\n    return 2\n\ntwo()  # -> 2",
        "(\n    'a'\n    'b'\n)  # -> ab",
        "__name__.startswith('page')  # -> True",
        ">>> 1 + 1\n2\n",
    ],
)
def test_a_correct_block_passes(tmp_path: Path, text: str) -> None:
    run(tmp_path, "python", text)


@pytest.mark.parametrize("text", ["1 + 1  # -> 3", "1 + 1\n\n'a'  # -> b", ">>> 1 + 1\n3\n"])
def test_a_block_with_another_result_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises(SybilFailure):
        run(tmp_path, "python", text)


def test_an_error_is_reported_at_its_line_of_the_page(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        run(tmp_path, "python", "first = 1\n1 / 0")
    assert 5 == raised.traceback[-1].lineno + 1


def test_a_cell_runs_in_an_event_loop(tmp_path: Path) -> None:
    cell = "import asyncio\nawait asyncio.sleep(0)\nasyncio.get_running_loop().is_running()"
    run(tmp_path, "python", f"{cell}  # -> True", evaluate_cell)
    with pytest.raises(SybilFailure, match="expected False, not True"):
        run(tmp_path, "python", f"{cell}  # -> False", evaluate_cell)


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one two\none   two",
        "$ echo one two three\none ... three",
        "$ echo unseen\n$ echo seen\nseen",
        "$ other-program | head -1\nsandbox-pending",
        """$ echo '{"a": 1}' | jq .a\n1""",
        "$ jobcancel --version",
        "$ false",
    ],
)
def test_a_command_with_the_expected_output_passes(tmp_path: Path, text: str) -> None:
    run(tmp_path, "console", text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$ echo one\ntwo", "printed:\none"),
        ("$ jobcancel cancel --no-such-option", "exit status 2"),
        ("$ jobcancel no-such-command | cat", "exit status 2"),
        ("$ no-such-program", "exit status 127"),
        ("$ jobcancel sandbox --no-such-option", "exit status 2"),
    ],
)
def test_a_command_with_another_output_fails(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SybilFailure, match=why):
        run(tmp_path, "console", text)


def test_the_sandbox_is_started_and_stopped(tmp_path: Path) -> None:
    run(tmp_path, "console", "$ jobcancel sandbox\njobcancel sandbox at http://127.0.0.1:8765\n...")
    assert str(tmp_path) not in os.environ["PATH"]


# Files


def test_a_block_with_a_caption_is_a_file_that_is_not_run_with_the_page(tmp_path: Path) -> None:
    run(tmp_path, "{code-block} python", ":caption: app.py\n\n1 / 0")
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, "{code-block} python", "1 / 0")


def test_the_files_on_a_page_are_its_blocks_with_a_caption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    blocks = "```{code-block} yaml\n:caption: job.yaml\n\na: 1\n```\n\n```python\n1 / 0\n```\n"
    (tmp_path / "docs" / "page.md").write_text(f"# A page\n\n{blocks}")
    monkeypatch.setattr("tests.examples.ROOT", tmp_path)
    assert {"job.yaml": "a: 1\n"} == files_on("page.md")


PROGRAMS = [
    path.read_text()
    for folder in ("processes", "orchestrators")
    for path in (ROOT / "tests" / folder).glob("test_*.py")
]


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_a_test_runs_each_file_on_a_page(page: str) -> None:
    run_by = "".join(text for text in PROGRAMS if f'"{page}"' in text)
    assert [] == [name for name in files_on(page) if f'"{name}"' not in run_by]
