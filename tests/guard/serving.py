"""A supervisor in the process of the test, which steps it."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from jobcancel.guard.supervisor import Supervisor, listen, remove
from tests.guard.programs import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.guard.supervisor import Task


class Serving:
    """A supervisor.

    Attributes:
        address: its socket.
        rescued: the ids of the jobs that it has rescued.
    """

    def __init__(self) -> None:
        self.listening = listen()
        self.address = self.listening.getsockname()
        self.rescued: list[str] = []
        self.threads: list[threading.Thread] = []
        self.supervisor = Supervisor(self.listening, self.rescue)

    def rescue(self, tasks: list[Task]) -> None:
        self.threads.append(threading.current_thread())
        self.rescued += [task.job_id for task in tasks]

    def until(self, holds: Callable[[], object]) -> None:
        """Step until a condition holds."""
        while not holds():
            assert self.supervisor.step(LIMIT), "nothing happens any more"

    def until_rescued(self, *job_ids: str) -> None:
        self.until(lambda: len(self.rescued) >= len(job_ids) and not self.supervisor.is_cancelling)
        assert sorted(job_ids) == sorted(self.rescued)

    def connect(self) -> socket.socket:
        """Return a connection of the test's own process."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        connection.settimeout(LIMIT)
        return connection

    def close(self) -> None:
        supervisor = self.supervisor
        for thread in self.threads:
            if thread is not threading.current_thread():
                thread.join()
        for key in [*supervisor._selector.get_map().values()]:
            supervisor._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, int):
                os.close(key.fileobj)
            else:
                key.fileobj.close()  # type: ignore[attr-defined]
        for owner in [*supervisor._owners.values(), *supervisor._unknown]:
            for connection in owner.connections:
                connection.socket.close()
        supervisor._selector.close()
        supervisor._wake.close()
        remove(self.address)
