"""Every example is run: those in docstrings, and the Python ones in the README."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
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
