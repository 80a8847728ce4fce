"""Starts the benchmarks' server in a separate process, and controls it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from benchmarks.server import HOST, Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 20.0


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: the vendor's base URL.
        control: the control connection; closing it stops the server.
    """

    url: str
    control: TextIO

    def counts(self) -> Counts:
        """Return its counts since the last reset."""
        return self._send("counts")

    def reset(self) -> None:
        """Refill its quota and reset its counts."""
        self._send("reset")

    def _send(self, command: str) -> Counts:
        self.control.write(command + "\n")
        self.control.flush()
        return Counts(**json.loads(self.control.readline()))


@contextmanager
def serving(*, latency: float = 0.0, rate: float = 0.0, burst: int = 1) -> Iterator[Server]:
    """Run a server during a `with` block.

    Args:
        latency: seconds between a request and its reply.
        rate: accepted requests per second; 0 for all.
        burst: accepted requests at once.
    """
    command = [sys.executable, "-m", "benchmarks.server", f"--latency={latency}"]
    command += [f"--rate={rate}", f"--burst={burst}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            if process.stdout is None or not (line := process.stdout.readline()):
                raise RuntimeError("the server did not start; its error is above")
            port, control_port = json.loads(line)
            with (
                socket.create_connection((HOST, control_port), timeout=_PATIENCE) as connection,
                connection.makefile("rw") as control,
            ):
                yield Server(f"http://{HOST}:{port}", control)
            process.wait(_PATIENCE)
        finally:
            process.kill()  # has no effect on a process that has ended
