"""`jobcancel run`: the supervisor as the parent of a command, also as a container's first process.

Every process below it that uses a guard finds its socket in the environment. It forwards signals,
reaps orphans, and ends as the command ended: with its exit status, or by the same signal.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import warnings
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from jobcancel.guard.supervisor import (
    FIRST_PROCESS,
    VARIABLE,
    Supervisor,
    Task,
    close_inherited,
    is_open_ended,
    listen,
    raise_limits,
    remove,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_FORWARDED = {
    getattr(signal, f"SIG{name}") for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2")
}
# `si_code` of a signal that the terminal sent, in sigaction(2): the command got it as well.
_SI_KERNEL = 0x80
_BY_SIGNAL = 128
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def run(command: list[str], grace: float, report: Callable[[str], object]) -> NoReturn:
    """Run a command; when it and its processes die, cancel the jobs that their guards held.

    Args:
        command: the program and its arguments.
        grace: seconds that it goes on cancelling after each death.
        report: prints a line about a job that may not be stopped, or another problem.

    Raises:
        SystemExit: always, with the command's exit status; a signal that ended the command ends
            this process as well.
    """
    parent = _Parent(grace, report)
    status = parent.run(command)
    if os.WIFSIGNALED(status):
        _die_of(os.WTERMSIG(status))
    sys.exit(os.waitstatus_to_exitcode(status))


class _Parent:
    def __init__(self, grace: float, report: Callable[[str], object]) -> None:
        self._grace = grace
        self._report = report
        self._signals = {each for each in _FORWARDED if signal.getsignal(each) != signal.SIG_IGN}
        self._received: deque[tuple[int, bool]] = deque()
        self._address = ""
        self._command = 0
        self._status: int | None = None
        self._supervisor: Supervisor

    def run(self, command: list[str]) -> int:
        """Run the command and cancel what it leaves; return its wait status."""
        try:
            listening = listen()
        except OSError as error:
            self._report(f"cannot supervise {command[0]!r}: {error}")
            sys.exit(_NOT_EXECUTABLE)
        self._address = listening.getsockname()
        self._supervisor = Supervisor(listening, self._rescue)
        # A thread waits for signals: only so is it known which of them the terminal sent.
        blocked = {*self._signals, signal.SIGCHLD}
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it is ignored, no status can be read
        try:
            self._command = os.posix_spawnp(
                command[0],
                command,
                {**os.environ, VARIABLE: self._address},
                setsigmask=usual,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
            )
        except (OSError, ValueError) as error:  # ValueError: the name is empty
            remove(self._address)
            self._report(f"cannot run {command[0]!r}: {getattr(error, 'strerror', error)}")
            is_missing = isinstance(error, FileNotFoundError | ValueError)
            sys.exit(_NOT_FOUND if is_missing else _NOT_EXECUTABLE)
        raise_limits()
        threading.Thread(target=self._receive, args=[blocked], daemon=True).start()
        while self._status is None:
            self._supervisor.step()
            self._handle_signals()
        self._finish()
        if self._supervisor.is_idle:
            remove(self._address)
            self._supervisor.step(0)  # a process may have connected just before that
        if not self._supervisor.is_idle:
            self._serve_on()
        return self._status

    def _receive(self, signals: set[signal.Signals]) -> None:
        """Wait for signals, in a thread."""
        while True:
            info = signal.sigwaitinfo(signals)
            self._received.append((info.si_signo, info.si_code == _SI_KERNEL))
            self._supervisor.wake()

    def _handle_signals(self) -> None:
        while self._received:
            number, is_from_terminal = self._received.popleft()
            if number == signal.SIGCHLD:
                self._reap()
            elif self._status is None and not (is_from_terminal and self._has_received(number)):
                with suppress(PermissionError):  # it runs as another user, such as sudo
                    os.kill(self._command, number)

    def _has_received(self, number: int) -> bool:
        """Whether the command has received a signal of the terminal, as this process has."""
        # A terminal that is closed sends SIGHUP to the leader of its session alone.
        is_for_leader = number == signal.SIGHUP and os.getsid(0) == os.getpid()
        return not is_for_leader and os.getpgid(self._command) == os.getpgrp()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._command:
                    self._status = ended[1]

    def _finish(self) -> None:
        """Cancel what dead processes have left, after the end of the command."""
        if os.getpid() == FIRST_PROCESS:  # the kernel ends all others when this one ends
            self._supervisor.give_up()
        self._supervisor.catch_up()
        interrupts = 0
        while self._supervisor.is_cancelling:
            self._supervisor.step()
            while self._received:
                number, _ = self._received.popleft()
                if number not in {signal.SIGINT, signal.SIGTERM}:
                    continue
                interrupts += 1
                if interrupts > 1:
                    remove(self._address)
                    os._exit(_BY_SIGNAL + number)
                self._report("still cancelling jobs; send the signal again to stop that")

    def _serve_on(self) -> None:
        """Go on in the background for the processes that live on."""
        with warnings.catch_warnings():  # of the thread that waits for signals
            warnings.simplefilter("ignore", DeprecationWarning)
            if os.fork():
                return
        os.setsid()
        close_inherited()
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(2 if is_open_ended(2) else 3):
            os.dup2(nothing, descriptor)
        self._supervisor.serve()
        os._exit(0)

    def _rescue(self, tasks: list[Task]) -> None:
        from jobcancel.guard.rescue import rescue

        for line in rescue(tasks, self._grace):
            self._report(line)


def _die_of(number: int) -> NoReturn:
    """End this process by a signal, or with the status that shells use for it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has written its core
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    sys.exit(_BY_SIGNAL + number)
