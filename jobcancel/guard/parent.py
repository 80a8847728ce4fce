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

from jobcancel.guard.supervisor import VARIABLE, Supervisor, Task, listen, remove

if TYPE_CHECKING:
    from collections.abc import Callable

_FORWARDED = {
    getattr(signal, f"SIG{name}") for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2")
}
# `si_code` of a signal that the terminal sent, in sigaction(2): the command got it as well.
_SI_KERNEL = 0x80
_BY_SIGNAL = 128
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_FIRST_PROCESS = 1


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
        self._command = 0
        self._status: int | None = None
        self._supervisor: Supervisor

    def run(self, command: list[str]) -> int:
        """Run the command and cancel what it leaves; return its wait status."""
        listening = listen()
        address = listening.getsockname()
        self._supervisor = supervisor = Supervisor(listening, self._rescue)
        # A thread waits for signals: only so is it known which of them the terminal sent.
        blocked = {*self._signals, signal.SIGCHLD}
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            self._command = os.posix_spawnp(
                command[0],
                command,
                {**os.environ, VARIABLE: address},
                setsigmask=usual,
                setsigdef=[signal.SIGPIPE],  # which Python ignores
            )
        except OSError as error:
            remove(address)
            self._report(f"cannot run {command[0]!r}: {error.strerror}")
            sys.exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE)
        threading.Thread(target=self._receive, args=[blocked], daemon=True).start()
        while self._status is None:
            supervisor.step()
            self._handle_signals()
        self._finish()
        if supervisor.is_idle:
            remove(address)
        else:
            self._serve_on(address)
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
            elif not is_from_terminal and self._status is None:
                os.kill(self._command, number)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._command:
                    self._status = ended[1]

    def _finish(self) -> None:
        """Cancel what dead processes have left, after the end of the command."""
        if os.getpid() == _FIRST_PROCESS:  # the kernel ends all others when this one ends
            self._supervisor.give_up()
        while self._supervisor.step(0):
            pass
        interrupts = 0
        while self._supervisor.is_cancelling:
            self._supervisor.step()
            stops = {signal.SIGINT, signal.SIGTERM}
            interrupts += sum(number in stops for number, _ in self._received)
            self._received.clear()
            if interrupts == 1:
                self._report("still cancelling jobs; send the signal again to stop that")
            elif interrupts:
                os._exit(_BY_SIGNAL + signal.SIGINT)

    def _serve_on(self, address: str) -> None:
        """Go on in the background for the processes that live on."""
        with warnings.catch_warnings():  # of the thread that waits for signals
            warnings.simplefilter("ignore", DeprecationWarning)
            if os.fork():
                return
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        while not self._supervisor.is_idle:
            self._supervisor.step()
        remove(address)
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
