"""What may reach a terminal, and what goes to standard error."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def clean(text: str) -> str:
    r"""Return `text` on one line, without what a terminal would obey instead of show.

    Vendors' words may hold escape sequences, tabs, line breaks and marks that reverse the
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
        with errors_lost():
            sys.stderr.write(text)
            sys.stderr.flush()


@contextmanager
def errors_lost() -> Iterator[None]:
    """Go on without messages once standard error is closed or full."""
    try:
        yield
    except OSError:
        # What is still buffered would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
