"""Runs every example of the README, of the pages in docs/ and of the docstrings.

How they are run is in `tests/examples.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.myst import CodeBlockParser
from sybil.sybil import SybilCollection

from jobcancel import registry
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

pytest_collect_file = SybilCollection([_PAGES, _NOTEBOOK, _DOCSTRINGS]).pytest()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the examples of a page in their order, which pytest-randomly has shuffled."""
    examples = [item for item in items if isinstance(item, SybilItem)]
    examples.sort(key=lambda item: (item.path, item.example.start))
    items[:] = [*examples, *(item for item in items if not isinstance(item, SybilItem))]


@pytest.fixture(scope="module")
def _page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder and a sandbox for the examples of one page, and the environment to use them."""
    folder = tmp_path_factory.mktemp("page")
    prepare(folder)
    with (
        Sandbox() as sandbox,
        proxy() as address,
        logging_as_before(),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(folder)
        patch.setattr(registry, "_registered", {})
        for name, value in {**sandbox.environ, "COMPANY_PROXY": address}.items():
            patch.setenv(name, value)
        yield
