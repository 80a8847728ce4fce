"""The command that resumes a run that did not get to its end, to be copied into a shell."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from jobcancel.cli import streams

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNNAMED = "OUTPUT"
"""What stands for a file of results whose name is not known."""


def how_to_resume(*, as_json: bool, same_input: bool, done: Sequence[str]) -> str:
    """Return what to do to resume this run.

    Args:
        as_json: whether its results are lines of JSON, which `--done` reads.
        same_input: whether its jobs come from where they can be read only once.
        done: the files of `--done`.
    """
    arguments, redirections, notes = sys.argv[1:], "", []
    if (jobs := streams.name_of(0)) is not None and "-" in arguments:
        redirections = f" < {_quoted(_short(jobs))}"
    if same_input:
        notes.append("with the same input")
    if streams.file() is not None:
        name = streams.name(done)
        path = _UNNAMED if name is None else _short(name)
        redirections += f" >> {_quoted(path)}"
        if name is None:
            notes.append(f"with this run's output for {_UNNAMED}")
        if as_json and not any(_is_same(path, each) for each in done):
            # Behind the command's name, for what follows a `--` is no option.
            arguments[1:1] = ["--done", path]
    command = " ".join(map(_quoted, [*_program(), *arguments]))
    return f"{', '.join(['to resume', *notes])}: {command}{redirections}"


def _program() -> list[str]:
    """Return how this program was started."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return [sys.executable, "-m", "jobcancel"]
    found = shutil.which(path.stem)
    return [path.stem] if found is not None and _is_same(found, str(path)) else [str(path)]


def _short(path: str) -> str:
    """Return the shortest name of a file that works here and is not taken for an option."""
    relative = os.path.relpath(path)
    if relative.startswith(".."):
        return path
    return f"./{relative}" if relative.startswith("-") else relative


def _is_same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _quoted(word: str) -> str:
    """Return a word as a shell reads it."""
    if all(each.isprintable() or unicodedata.category(each) == "Zs" for each in word):
        return shlex.quote(word)
    safe = frozenset(range(0x20, 0x7F)) - set(b"'\\")
    escaped = [chr(byte) if byte in safe else f"\\x{byte:02x}" for byte in os.fsencode(word)]
    return f"$'{''.join(escaped)}'"
