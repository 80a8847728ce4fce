"""How the tests run the command line: in this process, or in a separate one."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

HEADER = "provider\tjob_id\toutcome\tstate\tmessage\n"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Run(Protocol):
    """Runs `jobcancel` with these arguments, in this process."""

    def __call__(self, *arguments: str) -> CompletedProcess[str]: ...


@contextmanager
def started(
    *arguments: str, python: tuple[str, ...] = ("-m", "jobcancel")
) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """Run `jobcancel` in a separate process; give the process, its stdout and its stderr."""
    # Background jobs of a shell ignore Ctrl-C, and child processes inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, *python, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process, process.stdout, process.stderr
        finally:
            process.kill()


def plain(text: str) -> str:
    """Return the text on a terminal without colors, boxes and line breaks."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", ESCAPE.sub("", text)).split())


def rows(printed: str) -> list[list[str]]:
    """Parse TSV output, without its header."""
    assert printed.startswith(HEADER)
    return [line.split("\t") for line in printed.splitlines()[1:]]
