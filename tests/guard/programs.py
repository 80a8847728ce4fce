"""Starts programs that hold jobs, and waits until they and their supervisors have ended."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, cast

from attrs import define, field

from jobcancel import JobState
from jobcancel.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from jobcancel.sandbox import Sandbox
    from tests.guard.deaths import Death

LIMIT = float(os.environ.get("JOBCANCEL_TEST_LIMIT", "60"))
"""Seconds after which a program or a supervisor that does not end fails the test."""

NAME = "JOBCANCEL_TEST_PROGRAM"
"""A variable in the environment of a program, which all its processes inherit."""

JOBS = ("held", "ended", "other")

FOREVER = 10_000.0

RUN = (sys.executable, "-m", "jobcancel", "run", "--")
"""`jobcancel run`."""

RUN_DIRECTLY = (
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
        temporary: its folder for temporary files, such as the socket of a supervisor.
        mark: the value of the variable `NAME`.
    """

    process: subprocess.Popen[bytes]
    errors: Path
    temporary: Path
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

    def write_line(self, text: str) -> None:
        """Write a line to its standard input."""
        cast("IO[bytes]", self.process.stdin).write(text.encode() + b"\n")

    def close_input(self) -> None:
        """End its standard input."""
        cast("IO[bytes]", self.process.stdin).close()

    def wait(self) -> int:
        """Return its exit status."""
        return self.process.wait(LIMIT)

    def processes(self) -> list[int]:
        """Return the ids of all its processes, also of those that it started."""
        return list(with_variable(f"{NAME}={self.mark}".encode()))

    def wait_for_all(self) -> None:
        """Wait until all its processes have ended."""
        until = time.monotonic() + LIMIT
        empty = 0
        # Twice, because a process may end and its child start while the first list is made.
        while empty < 2:
            running = self.processes()
            empty = 0 if running else empty + 1
            for pid in running:
                assert ends(pid, until - time.monotonic()), _describe(pid)


def with_variable(variable: bytes) -> Iterator[int]:
    """Yield the ids of the other processes that have a variable, such as `b"NAME=value"`."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            with suppress(OSError):
                if variable in _environ(each).split(b"\0"):
                    yield int(each.name)


def _environ(process: Path) -> bytes:
    # Within `exec`, the environment and the arguments of a process are empty for a moment.
    while (
        not (environ := (process / "environ").read_bytes())
        and not (process / "cmdline").read_bytes()
        and (process / "exe").exists()  # neither the kernel's nor a zombie
    ):
        time.sleep(0.001)
    return environ


def ends(pid: int, seconds: float) -> bool:
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
    *command: str, folder: Path, environ: Mapping[str, str], keep: int | None = None
) -> Iterator[Program]:
    """Start a program in its own session; kill what is left of it in the end.

    Args:
        command: the command.
        folder: a folder for its standard error.
        environ: additional environment variables.
        keep: a descriptor that the program inherits.
    """
    # Signals that the shell of the test run ignores would be ignored in the program as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    mark = uuid.uuid4().hex
    errors = folder / "errors"
    with (
        TemporaryDirectory() as temporary,  # pytest's are too long for the path of a socket
        errors.open("wb") as output,
        subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env={**os.environ, **environ, "TMPDIR": temporary, NAME: mark},
            start_new_session=True,
            pass_fds=() if keep is None else (keep,),
        ) as process,
    ):
        program = Program(process, errors, Path(temporary), mark)
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
    """Return the ids of all jobs that the vendor has received a request for.

    A process of an earlier test may still ask for its job, which is not there any more.
    """
    return {each.path.rpartition("/")[2] for each in sandbox.requests if each.status != 404}


def check(
    death: Death, mode: str, sandbox: Sandbox, folder: Path, run: tuple[str, ...] = RUN_DIRECTLY
) -> None:
    """Run a program; check its exit status, and which of its jobs are cancelled.

    Args:
        death: the program.
        mode: `auto`, `run` or `no`.
        sandbox: the vendor.
        folder: for its standard error.
        run: the command of the mode `run`.
    """
    expected = death.expected(mode)
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    if death.stall:
        sandbox.fault("pulse", "held", Fault(stall=death.stall))
    supervise = "no" if mode == "no" else "auto"
    command = [sys.executable, "-c", death.program, supervise, *JOBS]
    if mode == "run":
        command = [*run, *command]
    with ExitStack() as stack:
        program = stack.enter_context(started(*command, folder=folder, environ=sandbox.environ))
        line = program.read_line()
        if line.startswith("port "):
            stack.enter_context(request(int(line.removeprefix("port "))))
            line = program.read_line()
        assert "dying" == line, program.errors.read_text()
        for each in death.signals:
            if each.in_request:
                until(lambda: "held" in requested(sandbox), program.errors.read_text)
            program.process.send_signal(each.number)
        if at_once := expected & {*death.at_once}:
            until(lambda: at_once <= cancelled(sandbox, JOBS), program.errors.read_text)
            assert at_once == cancelled(sandbox, JOBS)
        program.close_input()
        status = program.wait()
        program.wait_for_all()
        assert "" == program.read_line(), "an unexpected line"
        if mode != "run" or death.run == death.cancelled:  # else it was killed as well
            assert [] == list(program.temporary.iterdir())
    errors = program.errors.read_text()
    assert death.status == status, errors
    assert expected == cancelled(sandbox, JOBS), errors
    assert expected == requested(sandbox), errors


def request(port: int) -> socket.socket:
    """Send a request to a server; return the connection."""
    connection = socket.create_connection(("127.0.0.1", port), LIMIT)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection
