"""Cancels the jobs of processes that have died: the part that a sidecar and `jobcancel run` share.

It imports the standard library alone: most supervisors never have anything to cancel, and are
small until then. The lines that it reads are written by `link`.

A process is dead when the kernel says so (pidfd), not when its connection is closed: a forked
child may hold the connection open, and an application may close all of its descriptors. Where
there are no pidfds, the end of the connection is all there is to see.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import stat
import struct
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

VARIABLE = "JOBCANCEL_SUPERVISOR"
"""The environment variable with the path of the socket of `jobcancel run`."""

FIRST_PROCESS = 1
"""The id of the first process of a container."""

_CHUNK = 65_536
# Characters; a sender of longer lines is not `link`. A source with a pickled adapter has thousands,
# and a release of a million jobs has ten millions.
_LONGEST_LINE = 32_000_000
# A line that `link` did not write, or did not write to its end.
_MALFORMED = (ValueError, TypeError, LookupError, RecursionError)
# So many processes may connect at once; the kernel may have a lower limit.
_BACKLOG = 4096
# Seconds.
_PAUSE = 0.1
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: `struct ucred` in unix(7)


class Task:
    """A job to cancel.

    Args:
        source: what `handover.source_message` sent for it.
        job_id: its id.
        params: its params.

    Attributes:
        provider: its provider.
    """

    __slots__ = ("job_id", "params", "provider", "source")

    def __init__(self, source: dict[str, Any], job_id: str, params: dict[str, str] | None) -> None:
        self.provider: str = source["provider"]
        self.source = source
        self.job_id = job_id
        self.params = params


class _Owner:
    """A process that holds jobs.

    Args:
        pid: its id; 0 if it is not known.

    Attributes:
        program: what it has sent to identify its program.
        token: the name of the note that it leaves when it has found another supervisor.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = _pidfd(pid)
        self.program = ""
        self.connections: dict[_Connection, None] = {}  # in the order in which they were made
        self.sources: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, Task] = {}
        self.token = ""

    @property
    def has_ended(self) -> bool:
        """Whether another program runs in its place, or another process has its id.

        `exec` ends a caller, too. The pidfd shows any other end.
        """
        program = program_of(self.pid)
        return "" not in {self.program, program} and self.program != program

    def read(self, line: bytes | bytearray) -> str | None:
        """Read one line; return the command, or None if it is malformed.

        A malformed line is ignored: other processes depend on this one. A line is incomplete if a
        signal interrupted its sender, who sends everything again.
        """
        try:
            command, *values = json.loads(line)
            if command == "hold":
                number, source, job_id, params = values
                self.jobs[number] = Task(self.sources[source], job_id, params)
            elif command == "drop":
                for number in values[0]:
                    self.jobs.pop(number, None)
            elif command == "source":
                number, self.sources[number] = values
            elif command == "reset":
                self.jobs.clear()
                self.token, self.program = map(str, values)
        except _MALFORMED:
            return None
        return str(command)


class _Connection:
    """One connection of an owner.

    Args:
        accepted: the socket.
        owner: the process at the other end.
    """

    def __init__(self, accepted: socket.socket, owner: _Owner) -> None:
        self.socket = accepted
        self.owner = owner
        self._rest = bytearray()
        accepted.settimeout(0)  # a process that reads no answers must not block this one

    def receive(self) -> bool:
        """Read what has arrived; return False at the end of the connection."""
        try:
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:  # an earlier event has read it
            return True
        except OSError:  # it was closed with unread answers
            return False
        self._rest += data
        if b"\n" in data:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                if self.owner.read(line) == "ping":
                    with suppress(OSError):
                        self.socket.send(b"\n")
        return bool(data) and len(self._rest) <= _LONGEST_LINE

    def receive_all(self) -> None:
        """Read all that a dead process has written."""
        with suppress(OSError):
            while self.socket.recv(1, socket.MSG_PEEK) and self.receive():
                pass


class Supervisor:
    """Serves one socket.

    Args:
        listening: the socket.
        rescue: cancels the tasks of a dead process, in a thread of its own.
    """

    def __init__(self, listening: socket.socket, rescue: Callable[[list[Task]], object]) -> None:
        self._rescue = rescue
        self._owners: dict[int, _Owner] = {}
        self._unknown: set[_Owner] = set()  # their process id is not known
        self._rescued: set[_Owner] = set()  # their jobs are being cancelled
        self._selector = selectors.DefaultSelector()
        self._listening = listening
        listening.settimeout(0)
        self._selector.register(listening, selectors.EVENT_READ, self._accept)
        wake, self._wake = socket.socketpair()
        wake.settimeout(0)
        self._wake.settimeout(0)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(_CHUNK))

    @property
    def is_cancelling(self) -> bool:
        """Whether there are jobs to cancel."""
        return bool(self._rescued)

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a process to watch nor a job to cancel."""
        return not (self._owners or self._unknown or self._rescued)

    def wake(self) -> None:
        """Have `step` return; may be called in a thread or in a signal handler."""
        with suppress(BlockingIOError):
            self._wake.send(b"\n")

    def serve(self) -> None:
        """Serve until there is no process to watch, and remove the socket."""
        while not self.is_idle:
            self.step()
        remove(self._listening.getsockname())
        self.step(0)  # a process may have connected just before that
        while not self.is_idle:
            self.step()

    def step(self, seconds: float | None = None) -> bool:
        """Wait for an event and handle it.

        Args:
            seconds: how long to wait; None to wait without a limit.

        Returns:
            whether there was one.
        """
        events = self._selector.select(seconds)
        for key, _ in events:
            # An earlier event may have closed its descriptor, and opened another with its number.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        return bool(events)

    def catch_up(self) -> None:
        """Handle what has happened until now.

        Processes that live on may cause events without end, so it does not wait for a pause.
        """
        # A process that has died since it connected: its connection, its messages, its death.
        for _ in range(3):
            self.step(0)

    def give_up(self) -> None:
        """Regard all processes as dead."""
        self.catch_up()
        for owner in [*self._owners.values(), *self._unknown]:
            self._end(owner)

    def _accept(self) -> None:
        """Accept all that connect."""
        try:
            while True:
                accepted, _ = self._listening.accept()
                pid, uid = _peer(accepted)
                if uid == os.geteuid():
                    self._welcome(accepted, pid)
                else:
                    accepted.close()
        except BlockingIOError:
            return
        except OSError:  # too many open files: wait until a process ends, but not busily
            time.sleep(_PAUSE)

    def _welcome(self, accepted: socket.socket, pid: int) -> None:
        owner = self._owners.get(pid)
        if owner is not None and owner.has_ended:  # the event is still to come
            self._end(owner)
            owner = None
        if owner is None:
            owner = _Owner(pid)
            if pid:
                self._owners[pid] = owner
            else:
                self._unknown.add(owner)
            if owner.pidfd is not None:
                self._selector.register(owner.pidfd, selectors.EVENT_READ, lambda: self._end(owner))
        connection = _Connection(accepted, owner)
        owner.connections[connection] = None
        self._selector.register(accepted, selectors.EVENT_READ, lambda: self._receive(connection))

    def _receive(self, connection: _Connection) -> None:
        owner = connection.owner
        # A process that connects again has left its earlier connections.
        for earlier in takewhile(lambda each: each is not connection, owner.connections):
            earlier.receive_all()
        if not connection.receive():
            self._close(connection)
            if owner.has_ended or (owner.pidfd is None and not owner.connections):
                self._end(owner)

    def _close(self, connection: _Connection) -> None:
        del connection.owner.connections[connection]
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _end(self, owner: _Owner) -> None:
        """Cancel what a dead process has left."""
        for connection in [*owner.connections]:
            connection.receive_all()
            self._close(connection)
        if owner.pidfd is not None:
            self._selector.unregister(owner.pidfd)
            os.close(owner.pidfd)
        self._unknown.discard(owner)
        if self._owners.get(owner.pid) is owner:
            del self._owners[owner.pid]
        if not self._was_left(owner) and owner.jobs:
            self._rescued.add(owner)
            try:
                threading.Thread(target=self._run_rescue, args=(owner,)).start()
            except RuntimeError:  # there are too many threads
                self._run_rescue(owner)

    def _was_left(self, owner: _Owner) -> bool:
        """Whether another supervisor has the jobs of a process; remove its note."""
        with suppress(OSError, ValueError):  # there is none; it has sent no token
            Path(self._listening.getsockname()).with_name(owner.token).unlink()
            return True
        return False

    def _run_rescue(self, owner: _Owner) -> None:
        try:
            self._rescue([*owner.jobs.values()])
        except Exception:  # noqa: BLE001 - must not end the supervisor of other processes
            traceback.print_exc()
        finally:
            self._rescued.discard(owner)
            self.wake()


def listen() -> socket.socket:
    """Return a socket that listens in a new directory, which only this user can enter.

    Raises:
        OSError: there is no place for it.
    """
    problem = OSError("there is no temporary directory")
    listening = socket.socket(socket.AF_UNIX)
    for parent in _temporary_directories():
        try:
            directory = tempfile.mkdtemp(prefix="jobcancel-", dir=parent)
        except OSError as error:
            problem = error
            continue
        try:
            listening.bind(f"{directory}/supervisor")
            listening.listen(_BACKLOG)
        except OSError as error:  # such as a path that is too long for a socket
            problem = error
            remove(f"{directory}/supervisor")
            continue
        return listening
    listening.close()
    raise problem


def close_inherited() -> None:
    """Close the descriptors that this process has inherited, except 0 to 2.

    Those that it has opened are not inheritable.
    """
    # Not all numbers up to the limit: that may be a thousand million.
    numbers: Iterable[int] = range(3, 1024)
    with suppress(OSError):  # /proc is not mounted
        numbers = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - they are names
    for number in numbers:
        with suppress(OSError):  # it is closed
            if number > 2 and os.get_inheritable(number):  # noqa: PLR2004
                os.close(number)


def is_open_ended(descriptor: int) -> bool:
    """Whether nobody waits for the end of an output: a terminal or a file, but not a pipe."""
    try:
        return os.isatty(descriptor) or stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:  # it is closed
        return False


def raise_limits() -> None:
    """Raise the soft limits of this process, which are meant for its caller, to the hard ones."""
    import resource  # which not every system has

    for name in ("CPU", "AS", "DATA", "NOFILE"):
        limit = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(limit)
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (hard, hard))


def remove(address: str) -> None:
    """Remove a supervisor's socket and its directory."""
    with suppress(OSError):
        Path(address).unlink()
    with suppress(OSError):
        Path(address).parent.rmdir()


def _temporary_directories() -> Collection[str]:
    places = ["/tmp", "/dev/shm"]  # noqa: S108 - a new directory in it
    with suppress(OSError):  # there is none, as in a container with a read-only file system
        places.insert(0, tempfile.gettempdir())
    return dict.fromkeys(places)


def _peer(connected: socket.socket) -> tuple[int, int]:
    """Return the process id and the user id of the other end; the id 0 if it is not known."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.geteuid()  # the directory of the socket keeps others out
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(credentials)
    return pid, uid


def _pidfd(pid: int) -> int | None:
    with suppress(OSError, AttributeError):  # not this system, not this process
        return os.pidfd_open(pid)
    return None


def program_of(pid: int) -> str:
    """Return what identifies the program that a process runs, or "" if that is not known."""
    # Each `exec` gets addresses and random bytes of its own in this vector (getauxval(3)).
    with suppress(OSError):
        # In a new PID namespace, /proc may still be that of the old one, with other ids.
        if Path("/proc/self").readlink() == Path(str(os.getpid())):
            return Path(f"/proc/{pid}/auxv").read_bytes().hex()
    return ""
