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
import struct
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

VARIABLE = "JOBCANCEL_SUPERVISOR"
"""The environment variable with the path of the socket of `jobcancel run`."""

_CHUNK = 65_536
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: `struct ucred` in unix(7)


class Task:
    """A job to cancel.

    Args:
        source: what `handover.source_message` sent for it.
        job_id: its id.
        params: its params.
    """

    __slots__ = ("job_id", "params", "source")

    def __init__(self, source: dict[str, Any], job_id: str, params: dict[str, str] | None) -> None:
        self.source = source
        self.job_id = job_id
        self.params = params


class _Owner:
    """A process that holds jobs.

    Args:
        pid: its id; 0 if it is not known.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pidfd = _pidfd(pid)
        self.program = _program(pid)
        self.connections: set[_Connection] = set()
        self.sources: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, Task] = {}

    @property
    def lives(self) -> bool:
        """Whether it runs the same program as at first: `exec` ends a caller, too."""
        return self.pidfd is not None and self.program == _program(self.pid) != b""

    def read(self, line: bytes) -> str | None:
        """Read one line; return the command, or None if it is incomplete."""
        try:
            command, *values = json.loads(line)
        except ValueError:  # a signal interrupted the sender, who sends everything again
            return None
        if command == "hold":
            number, source, job_id, params = values
            self.jobs[number] = Task(self.sources[source], job_id, params)
        elif command == "drop":
            for number in values[0]:
                self.jobs.pop(number, None)
        elif command == "source":
            number, self.sources[number] = values[0], values[1]
        elif command == "reset":
            self.jobs.clear()
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
        self._rest = b""

    def receive(self) -> bool:
        """Read what has arrived; return False at the end of the connection."""
        try:
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self.owner.read(line) == "ping":
                with suppress(OSError):
                    self.socket.send(b"\n")
        return bool(data)

    def receive_all(self) -> None:
        """Read all that a dead process has written."""
        self.socket.settimeout(0)
        with suppress(OSError):
            while self.socket.recv(1, socket.MSG_PEEK):
                self.receive()


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
        self._rescues: set[threading.Thread] = set()
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
        return bool(self._rescues)

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a process to watch nor a job to cancel."""
        return not (self._owners or self._unknown or self._rescues)

    def wake(self) -> None:
        """Have `step` return; may be called in a thread or in a signal handler."""
        with suppress(BlockingIOError):
            self._wake.send(b"\n")

    def step(self, seconds: float | None = None) -> bool:
        """Wait for an event and handle it.

        Args:
            seconds: how long to wait; None to wait without a limit.

        Returns:
            whether there was one.
        """
        events = self._selector.select(seconds)
        for key, _ in events:
            if key.fd in self._selector.get_map():  # not closed by an earlier one
                key.data()
        return bool(events)

    def give_up(self) -> None:
        """Regard all processes as dead."""
        while self.step(0):
            pass
        for owner in [*self._owners.values(), *self._unknown]:
            self._end(owner)

    def _accept(self) -> None:
        with suppress(OSError):
            accepted, _ = self._listening.accept()
            pid, uid = _peer(accepted)
            if uid != os.geteuid():
                accepted.close()
                return
            self._welcome(accepted, pid)

    def _welcome(self, accepted: socket.socket, pid: int) -> None:
        owner = self._owners.get(pid)
        if owner is None:
            owner = _Owner(pid)
            if owner.pidfd is not None:
                self._owners[pid] = owner
                self._selector.register(owner.pidfd, selectors.EVENT_READ, lambda: self._end(owner))
            else:
                self._unknown.add(owner)
        connection = _Connection(accepted, owner)
        owner.connections.add(connection)
        self._selector.register(accepted, selectors.EVENT_READ, lambda: self._receive(connection))

    def _receive(self, connection: _Connection) -> None:
        if not connection.receive():
            owner = connection.owner
            self._close(connection)
            if not owner.lives:
                self._end(owner)

    def _close(self, connection: _Connection) -> None:
        connection.owner.connections.discard(connection)
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
        if owner.jobs:
            tasks = [*owner.jobs.values()]
            thread = threading.Thread(target=self._run_rescue, args=(tasks,))
            self._rescues.add(thread)
            thread.start()

    def _run_rescue(self, tasks: list[Task]) -> None:
        try:
            self._rescue(tasks)
        finally:
            self._rescues.discard(threading.current_thread())
            self.wake()


def listen() -> socket.socket:
    """Return a socket that listens in a new directory, which only this user can enter.

    Raises:
        OSError: there is no place for it.
    """
    listening = socket.socket(socket.AF_UNIX)
    problem: OSError | None = None
    for parent in _temporary_directories():
        try:
            directory = tempfile.mkdtemp(prefix="jobcancel-", dir=parent)
        except OSError as error:
            problem = error
            continue
        try:
            listening.bind(f"{directory}/supervisor")
            listening.listen(128)
        except OSError as error:  # such as a path that is too long for a socket
            problem = error
            Path(directory).rmdir()
            continue
        return listening
    listening.close()
    raise problem or OSError("there is no temporary directory")


def remove(address: str) -> None:
    """Remove a supervisor's socket and its directory."""
    with suppress(OSError):
        Path(address).unlink()
    with suppress(OSError):
        Path(address).parent.rmdir()


def _temporary_directories() -> Collection[str]:
    with suppress(OSError):
        return dict.fromkeys((tempfile.gettempdir(), "/tmp"))  # noqa: S108 - a new directory in it
    return ()


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


def _program(pid: int) -> bytes:
    """Return what identifies the program that a process runs, or b"" if it has ended."""
    # Each `exec` gets addresses and random bytes of its own in this vector (getauxval(3)).
    with suppress(OSError):
        return Path(f"/proc/{pid}/auxv").read_bytes()
    return b""
