"""Standard output as a file: its name, how it ends, and what to do once it cannot be written."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEWLINE = b"\n"


def file() -> int | None:
    """Return the descriptor of standard output if it is a regular file, else None."""
    with suppress(AttributeError, OSError, ValueError):  # closed, or no file of the system's
        descriptor = sys.stdout.fileno()
        return descriptor if _is_regular(descriptor) else None
    return None


def name(candidates: Iterable[str]) -> str | None:
    """Return the name of the file that standard output is, or None.

    Args:
        candidates: names that it may have, for systems that do not tell.
    """
    descriptor = file()
    return None if descriptor is None else name_of(descriptor, candidates)


def name_of(descriptor: int, candidates: Iterable[str] = ()) -> str | None:
    """Return the name of a regular file, if the system tells it or it is one of `candidates`."""
    names = [*candidates]
    with suppress(OSError):
        names.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    for each in names:
        with suppress(OSError):
            is_same = os.path.samestat(Path(each).stat(), os.fstat(descriptor))
            if is_same and _is_regular(descriptor):
                return each
    return None


def is_empty() -> bool:
    """Whether nothing was written to standard output before, as far as can be known."""
    descriptor = file()
    return descriptor is None or os.fstat(descriptor).st_size == 0


def ends_within_a_line(candidates: Iterable[str]) -> bool:
    """Whether the last line of the file that is appended to was cut off.

    Args:
        candidates: as for `name`.
    """
    path = name(candidates)
    if path is None or is_empty():
        return False
    try:
        with Path(path).open("rb") as written:
            written.seek(-1, os.SEEK_END)
            return written.read() != _NEWLINE
    except OSError:  # it may be written and not read
        return False


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def discard() -> None:
    """Write nothing more: what is still buffered would fail again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
