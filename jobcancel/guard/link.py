"""The connection to the supervisor: the process that cancels our jobs when this process is killed.

The supervisor is `jobcancel run` if the environment names its socket, else a sidecar, which the
first job starts. Every message is written before `hold` or `drop` returns, so it survives our
death. Nobody answers: this process never waits for its supervisor (except in `require`).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import sysconfig
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jobcancel.client import callers_level
from jobcancel.errors import ConfigurationError
from jobcancel.guard.handover import module_path, source_message
from jobcancel.guard.supervisor import (
    FIRST_PROCESS,
    VARIABLE,
    is_open_ended,
    listen,
    program_of,
    remove,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jobcancel.guard.held import Held

# Seconds: a supervisor that does not read for so long has failed.
_PATIENCE = 5
# Seconds: how long `require` waits for an answer. Most of it is for the start of a sidecar.
_START = 20
_PING = b'["ping"]\n'
_NO_SIGPIPE = getattr(socket, "MSG_NOSIGNAL", 0)
# A service manager may signal every process of a service before the sidecar ignores that.
_BLOCKED = [signal.SIGINT, signal.SIGTERM]
_NOT_COVERED = (
    "jobcancel.guard has no supervisor ({reason}): if this process is killed (SIGKILL, out of "
    "memory), crashes or calls os._exit, its jobs keep running. Pass supervise='no' to accept that"
)


class _Closed(OSError):
    """The application has closed our descriptor, such as a daemon that closes all of them."""


class _Line:
    """One connection.

    Args:
        connected: the socket.
        address: the supervisor's address.
        is_new: whether the supervisor is a sidecar that is being started.

    Attributes:
        token: identifies it for the supervisor.
        sources: the numbers of the sources that the supervisor has.
        has_answered: whether the supervisor has ever answered.
        has_everything: whether everything was ever sent on it.
    """

    def __init__(self, connected: socket.socket, address: str, *, is_new: bool = False) -> None:
        self._socket = connected
        self._identity = _identity(connected.fileno())
        self.address = address
        self.is_new = is_new
        self.token = os.urandom(8).hex()
        self.sources: set[int] = set()
        self.has_answered = False
        self.has_everything = False

    def send(self, data: bytes) -> None:
        """Send a message.

        Raises:
            TimeoutError: the supervisor does not read.
            OSError: it has ended, or the application closed our descriptor.
        """
        self._check_identity()
        self._socket.sendall(data, _NO_SIGPIPE)

    def read(self, seconds: float = 0) -> None:
        """Read the answers that have arrived.

        Args:
            seconds: how long to wait for one.

        Raises:
            TimeoutError: there is none.
            OSError: the supervisor has ended, or the application closed our descriptor.
        """
        self._check_identity()
        self._socket.settimeout(seconds)
        try:
            while self._socket.recv(1000):
                self.has_answered = True
                self._socket.settimeout(0)
        except BlockingIOError:
            return
        finally:
            self._socket.settimeout(_PATIENCE)
        raise OSError("it has ended")

    def leave(self) -> None:
        """Leave a note that the jobs are another supervisor's now.

        This one may live, such as a stopped process that goes on later, and does not hear of jobs
        that are released from now on.
        """
        try:
            _connected(self.address).close()
        except ConnectionRefusedError:  # it was killed
            remove(self.address)
        except OSError:  # too many connections wait, or its directory is removed
            pass
        with suppress(OSError):
            Path(self.address).with_name(self.token).touch()

    def close(self) -> None:
        """Close the connection."""
        if _identity(self._socket.fileno()) == self._identity:
            self._socket.close()
        else:
            self._socket.detach()

    def _check_identity(self) -> None:
        # The application may have opened another file with the number of a closed descriptor.
        if _identity(self._socket.fileno()) != self._identity:
            raise _Closed("the descriptor was closed")


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
        self._is_sending = False
        self._is_torn = False  # the supervisor does not know everything
        self._failed: set[str] = set()  # addresses of supervisors that cannot be used
        self._lost: list[_Line] = []  # connections that have to be replaced
        self._starting: set[int] = set()  # processes that start a sidecar

    def hold(self, held: Held) -> None:
        """Have the supervisor cancel a job when this process has died."""
        with self._lock:
            self._jobs[held.number] = held
            if self._problem is None:
                self._send_or_warn(lambda line: _hold_message(line, held))

    def drop(self, jobs: Iterable[Held]) -> None:
        """Have the supervisor forget jobs."""
        with self._lock:
            numbers = [held.number for held in jobs if self._jobs.pop(held.number, None)]
            if numbers and (self._line is not None or self._is_sending):
                message = b'["drop",%b]\n' % json.dumps(numbers).encode()
                self._send_or_warn(lambda _: message)

    def covers(self, held: Held) -> bool:
        """Whether the supervisor has a job, and lives longer than this process."""
        with self._lock:
            if self._line is None or held.number not in self._jobs:
                return False
            # The first process of a container may end with this one, and all others with it.
            is_sidecar = self._line.address == self._address
            if is_sidecar and FIRST_PROCESS in {os.getpid(), os.getppid()}:
                return False
            try:
                self._line.read()
            except OSError:
                return False
            return True

    def require(self) -> None:
        """Connect now, and wait until the supervisor answers.

        Raises:
            ConfigurationError: there is none.
        """
        with self._lock:
            self._problem = None
            self._send(lambda _: _PING, seconds=_START)
            problem, self._problem = self._problem, None
            if problem is not None:
                raise ConfigurationError(
                    f"there is no supervisor ({problem}); pass supervise='auto' to do without"
                )

    def forget(self) -> None:
        """Start anew in a forked process: the jobs and the connection are its parent's."""
        line = self._line
        self._reset()  # the lock, too: a thread that had it is not in this process
        if line is not None:
            line.close()

    def _send_or_warn(self, message: Callable[[_Line], bytes]) -> None:
        self._send(message)
        if self._problem is not None:
            warnings.warn(
                _NOT_COVERED.format(reason=self._problem),
                RuntimeWarning,
                stacklevel=callers_level(),
            )

    def _send(self, message: Callable[[_Line], bytes], seconds: float | None = None) -> None:
        """Send a message, or everything on a new connection.

        Args:
            message: returns it.
            seconds: how long to wait for an answer; None not to wait.
        """
        if self._is_sending:  # a signal handler has interrupted that, perhaps within a message
            self._is_torn = True
            return
        self._is_sending = True
        try:
            self._try(message, seconds)
            while self._is_torn and self._problem is None:
                self._is_torn = False
                self._try(self._everything, seconds)
        except BaseException:  # a signal handler has raised it
            with suppress(OSError):
                if self._line is not None:
                    self._line.send(self._everything(self._line))
            raise
        finally:
            self._is_sending = False
        self._reap()

    def _try(self, message: Callable[[_Line], bytes], seconds: float | None) -> None:
        try:
            if self._line is None:
                self._line = self._open()
            line = self._line
            if not line.has_everything:
                message = self._everything
            if seconds is not None:
                line.read()  # earlier answers
            line.send(message(line))
            if seconds is not None:
                line.read(seconds)
        except OSError as error:
            self._fail(error)
        else:
            line.has_everything = True
            self._leave(line.address)

    def _everything(self, line: _Line) -> bytes:
        line.sources.clear()
        # It begins with a new line, because the last message may be incomplete.
        reset = json.dumps(["reset", line.token, program_of(os.getpid())]).encode()
        holds = [_hold_message(line, held) for held in list(self._jobs.values())]
        return b"".join([b"\n", reset, b"\n", _PING, *holds])

    def _fail(self, error: OSError) -> None:
        """Give up the connection, and the supervisor if it does not work; decide what is next."""
        self._is_torn = True
        line, self._line = self._line, None
        if line is None:
            self._problem = str(error)
        else:
            with suppress(OSError):
                line.read()
            line.close()
            self._lost.append(line)
            has_worked = line.has_answered and line.has_everything
            if isinstance(error, TimeoutError) or not (has_worked or isinstance(error, _Closed)):
                self._failed.add(line.address)
                if line.is_new and not has_worked:
                    self._problem = f"{_python()} did not start it: {error}"
        if self._problem is not None:
            self._leave(None)

    def _leave(self, address: str | None) -> None:
        """Leave the supervisors of lost connections, except for the one with this address."""
        while self._lost:
            line = self._lost.pop()
            if line.address != address:
                line.leave()

    def _reap(self) -> None:
        for pid in [*self._starting]:
            with suppress(ChildProcessError):  # the application has reaped it
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._starting.discard(pid)

    def _open(self) -> _Line:
        """Connect to `jobcancel run`, to an existing sidecar, or to a new one.

        Raises:
            OSError: no sidecar can be started.
        """
        for address in (os.environ.get(VARIABLE), self._address):
            if address is not None and address not in self._failed:
                with suppress(OSError):
                    return _Line(_connected(address), address)
        connected, self._address, pid = _start_sidecar()
        self._starting.add(pid)
        return _Line(connected, self._address, is_new=True)


def _hold_message(line: _Line, held: Held) -> bytes:
    source, job = held.source, held.job
    message = b""
    if source.number not in line.sources:
        message = source_message(source)
        line.sources.add(source.number)
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
        raise OSError(f"others may enter the directory of {address}")
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(_PATIENCE)
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected


def _start_sidecar() -> tuple[socket.socket, str, int]:
    """Start a sidecar; return the connection to it, its address, and a process to be reaped.

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
    return connected, address, pid


def _spawn(listening: socket.socket) -> int:
    """Start the sidecar's process, with the socket as its standard input.

    Raises:
        OSError: there is no Python, or no process can be started.
    """
    python = _python()
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_DUP2, listening.fileno(), 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    if is_open_ended(2):
        actions.append((os.POSIX_SPAWN_DUP2, 2, 2))  # it becomes inheritable
    else:
        actions.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
    return os.posix_spawn(
        python,
        [python, "-P", "-m", "jobcancel.guard.sidecar"],
        {**os.environ, "PYTHONPATH": os.pathsep.join(module_path())},
        file_actions=actions,
        setpgroup=0,  # Ctrl-C in the terminal is not for it
        setsigmask=_BLOCKED,
    )


def _python() -> str:
    """Return the Python that runs this process, or the one of its installation.

    In a program that embeds Python, `sys.executable` may be that program.
    """
    if Path(sys.executable or "").name.startswith(("python", "pypy")):
        return sys.executable
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(Path(sysconfig.get_path("scripts"), version))


link = Link()
os.register_at_fork(after_in_child=link.forget)
