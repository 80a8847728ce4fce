"""Runs every example of the README, of the pages in docs/ and of the docstrings.

`tests/examples.py` runs them. This module also keeps the whole test run short.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.myst import CodeBlockParser
from sybil.sybil import SybilCollection
from xdist.scheduler import LoadScopeScheduling

from jobcancel import registry
from jobcancel.guard import process
from jobcancel.sandbox import Sandbox
from tests.examples import (
    Page,
    PythonBlocks,
    evaluate_cell,
    evaluate_console,
    evaluate_python,
    logging_as_before,
    prepare,
    start_loop,
    stop_loop,
)
from tests.proxy import proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONSOLE = CodeBlockParser("console", evaluate_console)
_PAGES = Sybil(
    [PythonBlocks(evaluate_python), _CONSOLE],
    patterns=["README.md", "docs/*.md"],
    exclude="docs/notebook.md",
    document_types={".md": Page},
    fixtures=["_page"],
)
_NOTEBOOK = Sybil(
    [PythonBlocks(evaluate_cell), _CONSOLE],
    pattern="docs/notebook.md",
    document_types={".md": Page},
    setup=start_loop,
    teardown=stop_loop,
    fixtures=["_page"],
)
_DOCSTRINGS = Sybil(
    [DocTestParser()], patterns=["jobcancel/*.py", "jobcancel/*/*.py", "jobcancel/*/*/*.py"]
)

_MISSING = [name for name in ("celery", "django", "fastapi") if find_spec(name) is None]
_NOT_INSTALLED = pytest.mark.skip(reason="needs the dependency group frameworks")

pytest_collect_file = SybilCollection([_PAGES, _NOTEBOOK, _DOCSTRINGS]).pytest()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Restore the order of the examples of a page, which pytest-randomly has shuffled.

    Examples of frameworks that are not installed are skipped.
    """
    examples = [item for item in items if isinstance(item, SybilItem)]
    for item in examples:
        if item.path.stem in _MISSING:
            item.add_marker(_NOT_INSTALLED)
    examples.sort(key=lambda item: (item.path, item.example.start))
    items[:] = [*examples, *(item for item in items if not isinstance(item, SybilItem))]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give an idle worker the next test function, or the next page of examples.

    The durations of whole files differ too much: at the end one worker would wait for another.
    """
    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _scope  # noqa: SLF001 - as loadfile does in a subclass
    return scheduling


# Files whose tests share a setup of seconds (a built wheel, the import of schemathesis), or all of
# whose outcomes are compared with the table in docs/truth.md.
_WHOLE = {
    "tests/test_wheel.py",
    "tests/sandbox/test_openapi.py",
    "tests/faults/test_matrix.py",
}
# Files with one test function that takes as long as many files.
_DIVIDED = {"tests/guard/test_deaths.py", "tests/faults/test_deaths.py"}


def _scope(nodeid: str) -> str:
    """Return the scope of a test; tests with the same scope run in the same worker."""
    path, _, name = nodeid.partition("::")
    if name.startswith("line:") or path in _WHOLE:
        return path
    return nodeid if path in _DIVIDED else nodeid.partition("[")[0]


def pytest_collection_finish() -> None:
    """Exempt the thousands of collected tests from every later garbage collection."""
    if "hypothesis" in sys.modules:
        # It creates its random source in its first test, and asks the collector who refers to it,
        # which does not see the objects that are exempt.
        _register_random()
    gc.collect()
    gc.freeze()


def _register_random() -> None:
    from hypothesis import given, settings, strategies

    @settings(max_examples=1, database=None)
    @given(strategies.none())
    def first_test(_: None) -> None:
        """Do nothing."""

    first_test()


@pytest.fixture(scope="session", autouse=True)
def _processes_share_bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the processes that tests start compile each module once, not once per process.

    Many containers set PYTHONDONTWRITEBYTECODE. A short process then spends most of its time
    compiling its imports.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the workers share it
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
        yield


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """One sandbox for the whole test run; each user resets it first."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def _page(tmp_path_factory: pytest.TempPathFactory, running_sandbox: Sandbox) -> Iterator[None]:
    """A folder and a sandbox for the examples of one page, and the environment to use them."""
    folder = tmp_path_factory.mktemp("page")
    prepare(folder)
    running_sandbox.reset()
    with (
        proxy() as address,
        logging_as_before(),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(folder)
        patch.setattr(registry, "_registered", {})
        patch.setattr(process, "_installed", set())  # by the page on guards
        for name, value in {**running_sandbox.environ, "COMPANY_PROXY": address}.items():
            patch.setenv(name, value)
        yield
