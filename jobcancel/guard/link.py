"""The connection to the supervisor: the process that cancels our jobs when this process is killed.

The supervisor is `jobcancel run` if the environment names its socket, else a sidecar, which the
first job starts. Every message is written before `hold` or `drop` returns, so it survives our
death. Nobody answers: this process never waits for its supervisor (except in `require`).
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import sysconfig
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jobcancel.client import callers_level
from jobcancel.errors import ConfigurationError
from jobcancel.guard.handover import source_message
from jobcancel.guard.supervisor import VARIABLE, listen, remove

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobcancel.guard.held import Held

# Seconds: a supervisor that does not read for so long has failed.
_PATIENCE = 5
_NOT_COVERED = (
    "jobcancel.guard has no supervisor ({reason}): if this process is killed (SIGKILL, out of "
    "memory), crashes or calls os._exit, its jobs keep running. Pass supervise='no' to accept that"
)


class _Line:
    """One connection.

    Args:
        connected: the socket.
        pid: the process that starts the sidecar, to be reaped.
    """

    def __init__(self, connected: socket.socket, pid: int | None = None) -> None:
        self._socket = connected
        self._pid = pid
        self._identity = _identity(connected.fileno())
        self.sources: set[int] = set()
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            connected.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", _PATIENCE, 0))

    def send(self, data: bytes) -> None:
        """Send a message.

        Raises:
            OSError: the supervisor has ended, or the application closed our descriptor.
        """
        # An application that closes all descriptors may have opened another file under ours.
        if _identity(self._socket.fileno()) != self._identity:
            self._socket.detach()
            raise OSError("the descriptor was closed")
        self._socket.sendall(data, _NO_SIGPIPE)

    def ask(self) -> None:
        """Wait until the supervisor answers.

        Raises:
            OSError: it does not.
        """
        self.send(b'["ping"]\n')
        if not self._socket.recv(1):
            raise OSError("it has ended")

    def check_start(self) -> None:
        """Reap the process that starts the sidecar.

        Raises:
            OSError: it failed.
        """
        if self._pid is None:
            return
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # the application has reaped it
            self._pid = None
            return
        if pid:
            self._pid = None
            if status:
                raise OSError(f"{sys.executable} cannot run it")

    def close(self) -> None:
        """Close the connection."""
        if _identity(self._socket.fileno()) == self._identity:
            self._socket.close()
        else:
            self._socket.detach()


_NO_SIGPIPE = getattr(socket, "MSG_NOSIGNAL", 0)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Link:
    """What the supervisor has to know, and the connection to it."""

    def __init__(self) -> None:
        self._address: str | None = None
        self._reset()

    def _reset(self) -> None:
        # Reentrant: a signal handler may interrupt the thread that has it.
        self._lock = threading.RLock()
        self._jobs: dict[int, Held] = {}
        self._line: _Line | None = None
        self._problem: str | None = None

    def hold(self, held: Held) -> None:
        """Have the supervisor cancel a job when this process has died."""
        with self._lock:
            self._jobs[held.number] = held
            if self._problem is None:
                if (line := self._line) is None:
                    self._connect()
                else:
                    self._send(line, _hold_message(line, held))

    def drop(self, jobs: Iterable[Held]) -> None:
        """Have the supervisor forget jobs."""
        with self._lock:
            numbers = [held.number for held in jobs if self._jobs.pop(held.number, None)]
            if numbers and (line := self._line) is not None:
                self._send(line, b'["drop",%b]\n' % json.dumps(numbers).encode())

    def covers(self, held: Held) -> bool:
        """Whether the supervisor has a job."""
        return self._line is not None and held.number in self._jobs

    def require(self) -> None:
        """Connect now, and wait until the supervisor answers.

        Raises:
            ConfigurationError: there is none.
        """
        with self._lock:
            self._problem = None
            try:
                if self._line is None:
                    self._line = self._open()
                self._line.ask()
            except OSError as error:
                if self._line is not None:
                    self._line.close()
                    self._line = None
                raise ConfigurationError(
                    f"there is no supervisor ({error}); pass supervise='auto' to do without"
                ) from None

    def forget(self) -> None:
        """Start anew in a forked process: the jobs and the connection are its parent's."""
        line = self._line
        self._reset()  # the lock, too: a thread that had it is not in this process
        if line is not None:
            line.close()

    def _send(self, line: _Line, message: bytes) -> None:
        try:
            line.send(message)
            line.check_start()
        except OSError:
            line.close()
            self._connect()
        except BaseException:  # a signal handler raised, perhaps in the middle of the message
            self._resend(line)
            raise

    def _resend(self, line: _Line) -> None:
        line.sources.clear()
        message = b"".join(_hold_message(line, held) for held in self._jobs.values())
        try:
            line.send(b'\n["reset"]\n' + message)
        except OSError:
            line.close()
            self._line = None

    def _connect(self) -> None:
        """Connect, and send everything; if that fails, warn once."""
        self._line = None
        try:
            line = self._open()
        except OSError as error:
            self._problem = str(error)
            warnings.warn(
                _NOT_COVERED.format(reason=error), RuntimeWarning, stacklevel=callers_level()
            )
            return
        self._line = line
        self._resend(line)

    def _open(self) -> _Line:
        """Connect to `jobcancel run`, to an existing sidecar, or to a new one."""
        for address in (os.environ.get(VARIABLE), self._address):
            if address is not None:
                with suppress(OSError):
                    return _Line(_connected(address))
        line, self._address = _start_sidecar()
        return line


def _hold_message(line: _Line, held: Held) -> bytes:
    source, job = held.source, held.job
    message = b""
    if source.number not in line.sources:
        line.sources.add(source.number)
        message = source_message(source)
    # `json.dumps` of the whole list takes several times as long, a fifth of `Guard.add`.
    job_id = json.dumps(job.job_id)
    params = json.dumps(dict(job.params)) if job.params else "null"
    return message + f'["hold",{held.number},{source.number},{job_id},{params}]\n'.encode()


def _connected(address: str) -> socket.socket:
    """Connect to a supervisor's socket.

    Raises:
        OSError: there is none, or it belongs to another user.
    """
    directory = Path(address).parent.stat()
    if directory.st_uid != os.geteuid() or directory.st_mode & 0o077:
        raise OSError(f"{address} belongs to another user")
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected


def _start_sidecar() -> tuple[_Line, str]:
    """Start a sidecar; return the connection to it and its address.

    Raises:
        OSError: it cannot be started.
    """
    if not hasattr(os, "posix_spawn") or not hasattr(socket, "AF_UNIX"):
        raise OSError(f"not available on {sys.platform}")
    listening = listen()
    address = listening.getsockname()
    with listening:
        try:
            connected = _connected(address)  # it waits until the sidecar accepts it
            try:
                pid = _spawn(listening)
            except BaseException:
                connected.close()
                raise
        except BaseException:
            remove(address)
            raise
    return _Line(connected, pid), address


def _spawn(listening: socket.socket) -> int:
    """Start the sidecar's process, with the socket as its standard input.

    Raises:
        OSError: there is no Python, or no process can be started.
    """
    python = _python()
    # A terminal or a log file; nobody waits for the end of these, as readers of pipes do.
    error = 2 if _is_open_ended(2) else None
    actions = [
        (os.POSIX_SPAWN_DUP2, listening.fileno(), 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    if error is None:
        actions.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
    path = os.pathsep.join(str(Path(each).absolute()) for each in sys.path)
    return os.posix_spawn(
        python,
        [python, "-P", "-m", "jobcancel.guard.sidecar"],
        {**os.environ, "PYTHONPATH": path},
        file_actions=actions,
        setpgroup=0,  # Ctrl-C in the terminal is not for it
        setsigmask=[],
    )


def _python() -> str:
    """Return the Python that runs this process, or the one of its installation.

    In a program that embeds Python, `sys.executable` may be that program.
    """
    if Path(sys.executable or "").name.startswith(("python", "pypy")):
        return sys.executable
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(Path(sysconfig.get_path("scripts"), version))


def _is_open_ended(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor) or Path(f"/dev/fd/{descriptor}").is_file()
    except OSError:
        return False


link = Link()
os.register_at_fork(after_in_child=link.forget)
