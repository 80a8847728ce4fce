"""Runs the examples in the documentation: Python blocks and console blocks.

Every block of a page is run; there is no way to skip one. A block with a caption is a file, which
a test runs in processes of its own.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import structlog
import trustme
from sybil import Document, Region
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.myst.lexers import DirectiveLexer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sybil import Example

ROOT = Path(__file__).parent.parent
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# Replacements for other programs that the examples use.
_STAND_INS = {
    "jobcancel": f'PYTHONPATH={ROOT} exec {sys.executable} -m jobcancel "$@"',
    "jq": f"exec {sys.executable} -c "
    '"import json, sys; print(json.dumps(json.load(sys.stdin)[sys.argv[1][1:]]))" "$@"',
    "other-program": "printf 'sandbox-pending\\nsandbox-completed\\n'",
}
_JOBS = "provider,job_id\npulse,sandbox-processing\ntalonic,00000000-0000-4000-8000-000000000002\n"


class Page(Document):
    """A page whose examples share a namespace, like the code of one module."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        module = sys.modules[f"page {path}"] = ModuleType(f"page {path}")
        self.namespace = vars(module)


class PythonBlocks(PythonCodeBlockParser):
    """Finds Python blocks, sessions with `>>>` among them.

    Args:
        evaluate: runs a block that is not a session.
    """

    def __init__(self, evaluate: Callable[[Example], str | None]) -> None:
        super().__init__(doctest_optionflags=ELLIPSIS)
        self.codeblock_parser = _BlocksWithoutCaption("python", evaluate)


class _BlocksWithoutCaption(CodeBlockParser):
    def __call__(self, document: Document) -> Iterable[Region]:
        return (block for block in super().__call__(document) if not _caption(block))


def files_on(page: str) -> dict[str, str]:
    """Return the blocks with a caption on a page in docs/, by caption."""
    text = (ROOT / "docs" / page).read_text()
    blocks = DirectiveLexer("code-block", ".+")(Document(text, page))
    return {name: block.lexemes["source"] for block in blocks if (name := _caption(block))}


def _caption(block: Region) -> str:
    return str(block.lexemes.get("options", {}).get("caption", ""))


def evaluate_python(example: Example) -> str | None:
    """Run a block; the text after `# ->` must equal `str()` of the expression's value."""
    for code, expected in _statements(example):
        value = eval(code, example.namespace)  # noqa: S307 - our own text
        if expected not in {None, str(value)}:
            return f"expected {expected}, not {value}"
    return None


def start_loop(namespace: dict[str, Any]) -> None:
    """Start the event loop in which `evaluate_cell` runs the blocks of a page."""
    namespace["__loop__"] = asyncio.Runner()


def stop_loop(namespace: dict[str, Any]) -> None:
    """Stop that loop."""
    namespace["__loop__"].close()


def evaluate_cell(example: Example) -> str | None:
    """Run a block as a notebook does: in a running event loop, with `await` at the top."""
    problem: str | None = example.namespace["__loop__"].run(_evaluate_cell(example))
    return problem


async def _evaluate_cell(example: Example) -> str | None:
    for code, expected in _statements(example):
        value = eval(code, example.namespace)  # noqa: S307 - our own text
        if inspect.isawaitable(value):
            value = await value
        if expected not in {None, str(value)}:
            return f"expected {expected}, not {value}"
    return None


def _statements(example: Example) -> Iterator[tuple[Any, str | None]]:
    """Yield each statement of a block, compiled, with the expected value after `# ->`."""
    lines = example.parsed.splitlines()
    for statement in ast.parse(example.parsed).body:
        expected = re.search(r"  # -> (.*)", lines[(statement.end_lineno or 0) - 1])
        node: ast.Module | ast.Expression = ast.Module([statement], [])
        mode = "exec"
        if expected is not None:
            assert isinstance(statement, ast.Expr), f"no expression: {expected[0]}"
            node, mode = ast.Expression(statement.value), "eval"
        ast.increment_lineno(node, example.line)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        yield (
            compile(node, example.path, mode, flags, dont_inherit=True),
            None if expected is None else expected[1],
        )


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Restore the logging configuration afterwards."""
    logger = logging.getLogger("jobcancel")
    handlers, level = [*logger.handlers], logger.level
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        structlog.reset_defaults()


# Console blocks


def prepare(folder: Path) -> None:
    """Put the files that console blocks need into the empty folder in which they run."""
    (folder / "jobs.csv").write_text(_JOBS)
    trustme.CA().cert_pem.write_to_path(str(folder / "company-ca.pem"))
    (folder / "bin").mkdir()
    for name, text in _STAND_INS.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)


def evaluate_console(example: Example) -> str | None:
    """Run each command of a block, and compare its output with the one in the block."""
    for block in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, shown = block.partition("\n")
        run = _serve if command.startswith("jobcancel sandbox") else _run
        status, output = run(command)
        if status not in {0, 1}:  # 1: some jobs are not stopped
            return f"{command}: exit status {status}\n{output}"
        flags = ELLIPSIS | NORMALIZE_WHITESPACE
        if shown.strip() and not OutputChecker().check_output(shown, output, flags):
            return f"{command}\nexpected:\n{shown}\nprinted:\n{output}"
    return None


def _run(command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],  # noqa: S607 - whichever bash there is
        capture_output=True,
        env=_terminal(),
        text=True,
        check=False,
        timeout=60,
    )
    output = done.stdout if done.returncode in {0, 1} else done.stderr
    return done.returncode, _ESCAPE.sub("", output)


def _serve(command: str) -> tuple[int, str]:
    """Run a sandbox on a free port, and interrupt it when it is ready."""
    # A shell makes background processes ignore Ctrl-C, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        ["bash", "-c", f"exec {command} --port 0"],  # noqa: S607 - whichever bash there is
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_terminal(),
        text=True,
    ) as process:
        assert process.stderr is not None
        complaint = process.stderr.readline()
        if "Ctrl-C" not in complaint:
            process.kill()
            return 2, complaint
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    return 0, re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8765", _ESCAPE.sub("", output))


def _terminal() -> dict[str, str]:
    """Return the environment of a terminal in the folder set up by `prepare`."""
    path = os.pathsep.join([str(Path.cwd() / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "FORCE_COLOR": "1", "COLUMNS": "100"}
