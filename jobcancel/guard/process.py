"""The guards of this process, and what happens to their jobs when it gets a signal or exits.

A signal is handled only where its action is the default one, and only while there is a guard
(`install`: always). The handler cancels, restores the default action and sends the signal again,
so that the parent process sees the usual status. The application's own handlers are left alone.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from jobcancel import log
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.guard.batch import Batch
from jobcancel.guard.link import link

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from jobcancel.guard.block import Guard
    from jobcancel.guard.held import Held

_DEFAULT = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
# At exit, jobs are cancelled one after another, at least from Python 3.12 on, which starts no
# threads then; more jobs are left to the supervisor.
_MOST_AT_EXIT = 4
_BY_SIGNAL = 128

_guards: dict[Guard, None] = {}
_installed: set[signal.Signals] = set()
_further: list[int] = []


def activate(guard: Guard) -> None:
    """Have the jobs of a guard cancelled when this process gets a signal or exits."""
    if guard not in _guards:
        _guards[guard] = None
        _handle(_DEFAULT)


def deactivate(guard: Guard) -> None:
    """Undo `activate`; the last guard restores the default actions."""
    _guards.pop(guard, None)
    if not _guards and _is_main():
        for number in _DEFAULT:
            if number not in _installed and signal.getsignal(number) is _on_signal:
                signal.signal(number, signal.SIG_DFL)


def install(signals: Iterable[signal.Signals] = _DEFAULT) -> None:
    """Handle signals from now on, not only while the main thread is in a guard.

    Call it first in the main thread of a program whose guards are in other threads, or of a
    server that restores the earlier handlers and sends the signal again, as uvicorn does. A signal
    whose action is not the default one is left alone.

    Args:
        signals: the signals, SIGTERM and SIGHUP by default.

    Raises:
        ConfigurationError: one of them is not a signal, or this is not the main thread.
    """
    numbers = [_signal(each) for each in signals]
    if not _is_main():
        raise ConfigurationError("guard.install() works in the main thread only; call it there")
    _handle(numbers)
    _installed.update(numbers)


def _signal(number: object) -> signal.Signals:
    try:
        return signal.Signals(number)  # type: ignore[arg-type]
    except ValueError:
        raise WrongType(f"{number!r} is not a signal; pass such as signal.SIGTERM") from None


def _is_main() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _handle(signals: Iterable[signal.Signals]) -> None:
    if _is_main():
        for number in signals:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _on_signal)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    """Cancel the jobs of all guards, and die of the signal."""
    for each in {signal.SIGINT, *_DEFAULT, number}:
        if signal.getsignal(each) not in {signal.SIG_IGN, None}:
            signal.signal(each, _on_further_signal)
    with suppress(Exception):  # whatever happens, this process has to die
        _cancel(_held_by_guard(), in_handler=True)
    _die_of(number)


def _on_further_signal(number: int, _frame: FrameType | None) -> None:
    """Overlook the first signal after the one that is handled, and obey the next one at once."""
    _further.append(number)
    if len(_further) > 1:
        _die_of(number)
    log.guard_interrupted(len(_held_by_guard()), signal.Signals(number).name)


def _die_of(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    os._exit(_BY_SIGNAL + number)  # the kernel spares the first process of a container


def _held_by_guard() -> dict[Held, Guard]:
    return {held: guard for guard in list(_guards) for held in guard.held()}


def _cancel(jobs: dict[Held, Guard], *, in_handler: bool = False) -> None:
    if not jobs:
        return
    batch = Batch(jobs, max(guard.grace for guard in jobs.values()))
    try:
        batch.run(in_handler=in_handler)
    finally:
        for held, result in batch.results().items():
            jobs[held].settle(held, result)


@atexit.register
def _at_exit() -> None:
    """Cancel what is left in guards that were never left, such as those of daemon threads."""
    jobs = _held_by_guard()
    if len(jobs) > _MOST_AT_EXIT:
        jobs = {held: guard for held, guard in jobs.items() if not link.covers(held)}
    _cancel(jobs)


def _in_child() -> None:
    """Start anew in a forked process: the jobs are its parent's."""
    for guard in list(_guards):
        guard.forget()


os.register_at_fork(after_in_child=_in_child)
