"""Every example is run: those in docstrings, and the Python ones in the README."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import jobcancel

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(jobcancel.__path__, "jobcancel.")
    if not module.name.endswith("__main__")
)
README = (Path(__file__).parent.parent / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name: str) -> None:
    assert 0 == doctest.testmod(importlib.import_module(name)).failed


@pytest.mark.parametrize("example", PYTHON, ids=range(len(PYTHON)))
def test_the_examples_in_the_readme_run(
    example: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    space: dict[str, object] = {}
    lines = example.splitlines()
    for statement in ast.parse(example).body:
        text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
        said = re.fullmatch(r"(.*?)  +# -> (.*)", text)
        if said is None:
            exec(compile(text, "README.md", "exec"), space)  # noqa: S102 - our own text
        else:
            assert said[2] == str(eval(said[1], space))  # noqa: S307 - likewise


def test_the_readme_has_examples() -> None:
    assert len(PYTHON) >= 3


@pytest.mark.parametrize("page", ["docs/testing.md", "cassettes/README.md"])
def test_the_examples_of_tests_pass(page: str, tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    examples = re.findall(r"```python\n(.*?)```", (root / page).read_text(), re.DOTALL)
    file = tmp_path / "test_page.py"
    file.write_text("\n".join(examples))
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", str(file)]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    tests = sum(example.count("def test_") for example in examples)
    assert (0, True) == (ran.returncode, f"{tests} passed" in ran.stdout), ran.stdout
