"""Standard output and standard error: safe text, messages, and the file that stdout is.

It imports the standard library only, so that a missing extra can be reported.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NEWLINE = b"\n"


def clean(text: str) -> str:
    r"""Return `text` on one line, without control characters.

    Vendors' text may hold escape sequences, tabs, line breaks and marks that reverse the
    direction of writing; each becomes a space.

    Example:
        >>> clean("\x1b[31mno\nsuch job")
        ' [31mno such job'
    """
    return "".join(each if each.isprintable() else " " for each in text)


def complain(message: str) -> None:
    """Print a message on standard error, unless that is closed or full."""
    write_error(f"jobcancel: {clean(message)}\n")


def write_error(text: str) -> None:
    """Write to standard error, unless that is closed or full."""
    if sys.stderr is not None:
        with ignoring_broken_stderr():
            sys.stderr.write(text)
            sys.stderr.flush()


@contextmanager
def ignoring_broken_stderr() -> Iterator[None]:
    """Ignore the error, and drop all further messages, if standard error is closed or full."""
    try:
        yield
    except OSError:
        _discard(sys.stderr.fileno())


def discard_stdout() -> None:
    """Drop everything that is still to be written to standard output."""
    _discard(sys.stdout.fileno())


def _discard(descriptor: int) -> None:
    # Otherwise what is buffered would fail again when the interpreter exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def stdout_file() -> int | None:
    """Return the descriptor of standard output if it is a regular file, else None."""
    with suppress(AttributeError, OSError, ValueError):  # closed, or replaced by another object
        descriptor = sys.stdout.fileno()
        return descriptor if _is_regular(descriptor) else None
    return None


def stdout_path(candidates: Iterable[str]) -> str | None:
    """Return the path of the file that standard output is, or None.

    Args:
        candidates: paths to try if the operating system does not report the path.
    """
    descriptor = stdout_file()
    return None if descriptor is None else path_of(descriptor, candidates)


def path_of(descriptor: int, candidates: Iterable[str] = ()) -> str | None:
    """Return the path of a regular file, from `candidates` or from the operating system."""
    paths = [*candidates]
    with suppress(OSError):
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    for path in paths:
        with suppress(OSError):
            is_same = os.path.samestat(Path(path).stat(), os.fstat(descriptor))
            if is_same and _is_regular(descriptor):
                return path
    return None


def stdout_is_empty() -> bool:
    """Whether standard output is no file, or an empty one."""
    descriptor = stdout_file()
    return descriptor is None or os.fstat(descriptor).st_size == 0


def stdout_is_cut_off(candidates: Iterable[str]) -> bool:
    """Whether the file that standard output appends to ends within a line.

    Args:
        candidates: as for `stdout_path`.
    """
    path = stdout_path(candidates)
    if path is None or stdout_is_empty():
        return False
    try:
        with Path(path).open("rb") as written:
            written.seek(-1, os.SEEK_END)
            return written.read() != _NEWLINE
    except OSError:  # writable, but not readable
        return False


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)
