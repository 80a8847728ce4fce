"""The supervisor that a process starts for itself: `python -m jobcancel.guard.sidecar`.

Its standard input is the socket that it serves. It has its own session, so a signal to the
caller's process group does not reach it, and it ends when no caller is left.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress

from jobcancel.guard.supervisor import Supervisor, Task, close_inherited, raise_limits

# Seconds that it goes on cancelling after a caller's death.
GRACE = 20.0
# Seconds to wait for the first caller.
_PATIENCE = 10.0


def main() -> None:
    """Serve until no caller is left."""
    # The caller reaps the process that it started, which ends at once: a caller that waits for
    # all of its children must not wait for its supervisor.
    if os.fork():
        os.close(0)  # if the sidecar is killed now, nobody may connect to its socket
        os._exit(0)
    os.setsid()
    # A service manager that stops the caller may signal every process of the service.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    close_inherited()
    raise_limits()
    listening = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir("/")
    supervisor = Supervisor(listening, _rescue)
    supervisor.step(_PATIENCE)
    supervisor.serve()


def _rescue(tasks: list[Task]) -> None:
    from jobcancel.guard.rescue import rescue

    for line in rescue(tasks, GRACE):
        with suppress(OSError):
            sys.stderr.write(f"jobcancel: {line}\n")
            sys.stderr.flush()


if __name__ == "__main__":
    main()
