"""Starts programs that hold jobs, and waits until they and their supervisors have ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from attrs import define, field

from jobcancel import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from jobcancel.sandbox import Sandbox

LIMIT = float(os.environ.get("JOBCANCEL_TEST_LIMIT", "60"))
"""Seconds after which a program or a supervisor that does not end fails the test."""

NAME = "JOBCANCEL_TEST_PROGRAM"
"""A variable in the environment of a program, which all its processes inherit."""

RUN = (sys.executable, "-m", "jobcancel", "run", "--")
"""`jobcancel run`."""

RUN_WITHOUT_OPTIONS = (
    sys.executable,
    "-c",
    "import sys; from jobcancel.guard.parent import run; run(sys.argv[1:], 20.0, print)",
)
"""The same, without the time that it takes to import the command line."""


@define
class Program:
    """A started program.

    Attributes:
        process: the process that the test started.
        errors: its standard error.
        mark: the value of the variable `NAME`.
    """

    process: subprocess.Popen[bytes]
    errors: Path
    mark: str
    _unread: bytes = field(init=False, default=b"")

    def read_line(self) -> str:
        """Return the next line of its standard output, or what there is when it is closed."""
        output = cast("IO[bytes]", self.process.stdout).fileno()
        until = time.monotonic() + LIMIT
        while b"\n" not in self._unread:
            ready, _, _ = select.select([output], [], [], max(0, until - time.monotonic()))
            assert ready, f"no output: {self.errors.read_text()}"
            if not (data := os.read(output, 1000)):
                break
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def close_input(self) -> None:
        """End its standard input."""
        cast("IO[bytes]", self.process.stdin).close()

    def wait(self) -> int:
        """Return its exit status."""
        return self.process.wait(LIMIT)

    def processes(self) -> list[int]:
        """Return the ids of all its processes, also of those that it started."""
        return list(_with_variable(f"{NAME}={self.mark}".encode()))

    def wait_for_all(self) -> None:
        """Wait until all its processes have ended."""
        until = time.monotonic() + LIMIT
        empty = 0
        # Twice, because a process may end and its child start while the first list is made.
        while empty < 2:
            running = self.processes()
            empty = 0 if running else empty + 1
            for pid in running:
                assert _ends(pid, until - time.monotonic()), _describe(pid)


def _with_variable(variable: bytes) -> Iterator[int]:
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            with suppress(OSError):
                if variable in (each / "environ").read_bytes().split(b"\0"):
                    yield int(each.name)


def _ends(pid: int, seconds: float) -> bool:
    """Wait until a process has ended, whoever its parent is."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([descriptor], [], [], max(0, seconds))
    finally:
        os.close(descriptor)
    return bool(ready)


def _describe(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return f"still runs: {pid} {command}"


@contextmanager
def started(
    *command: str, folder: Path, environ: Mapping[str, str]
) -> Iterator[Program]:
    """Start a program in its own session; kill what is left of it in the end.

    Args:
        command: the command.
        folder: a folder for its standard error.
        environ: additional environment variables.
    """
    # Signals that the shell of the test run ignores would be ignored in the program as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    mark = uuid.uuid4().hex
    errors = folder / "errors"
    with (
        errors.open("wb") as output,
        subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env={**os.environ, **environ, NAME: mark},
            start_new_session=True,
        ) as process,
    ):
        program = Program(process, errors, mark)
        try:
            yield program
        finally:
            for pid in program.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def until(holds: Callable[[], bool], message: Callable[[], str]) -> None:
    """Wait until a condition holds in the sandbox, which is a thread of this process."""
    end = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < end, message()
        time.sleep(0.005)


def cancelled(sandbox: Sandbox, job_ids: Collection[str]) -> set[str]:
    """Return those of the jobs that the vendor has cancelled."""
    return {
        job_id for job_id in job_ids if sandbox.job("pulse", job_id).state is JobState.CANCELLED
    }


def requested(sandbox: Sandbox) -> set[str]:
    """Return the ids of all jobs that the vendor has received a request for."""
    return {each.path.rpartition("/")[2] for each in sandbox.requests}
