"""Signals, exit and fork: what happens to the jobs of a process that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from jobcancel import ConfigurationError, guard
from jobcancel.errors import WrongType
from jobcancel.guard import process
from jobcancel.guard.held import Held
from jobcancel.guard.link import link
from jobcancel.guard.submitting import Submitting
from jobcancel.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.guard import Guard
    from jobcancel.models import CancelResult
    from jobcancel.sandbox import Sandbox


class Died(BaseException):
    """What is raised instead of the end of this process."""


@pytest.fixture(autouse=True)
def configured(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Configure the sandbox; restore the state of the process."""
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    signals = (signal.SIGINT, *process._DEFAULT)
    usual = {number: signal.getsignal(number) for number in signals}
    yield
    process._further.clear()
    process._installed.clear()
    for each in [*process._guards]:
        each.done()
        each.close()
    for number, handler in usual.items():
        signal.signal(number, handler)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that this process sends to itself, and is not ended by."""
    numbers: list[int] = []

    def die(status: int) -> None:
        raise Died(status)

    monkeypatch.setattr(os, "kill", lambda _pid, number: numbers.append(number))
    monkeypatch.setattr(os, "_exit", die)
    return numbers


def quiet(**settings: Any) -> Guard:
    return guard(supervise="no", **settings)


def test_a_signal_cancels_the_jobs_of_all_guards_and_is_sent_again(
    sandbox: Sandbox, killed: list[int]
) -> None:
    first, second = quiet(), quiet()
    first.add("pulse", sandbox.submit("pulse"))
    second.add("pulse", sandbox.submit("pulse"))
    # The kernel spares the first process of a container, so the handler goes on to exit.
    with pytest.raises(Died, match="143"):
        signal.raise_signal(signal.SIGTERM)
    assert ["cancelled"] * 2 == [each.outcome for each in first.results + second.results]
    assert [signal.SIGTERM] == killed
    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_a_signal_without_jobs_is_sent_again(killed: list[int]) -> None:
    with quiet(), pytest.raises(Died):
        signal.raise_signal(signal.SIGHUP)
    assert [signal.SIGHUP] == killed


HANGING = """
import logging, os, sys, time
from jobcancel import guard
logging.basicConfig(format="%(message)s")
with guard("pulse", sys.argv[1], supervise="no", grace=30.0):
    print("ready", flush=True)
    time.sleep(30)
"""


@pytest.mark.parametrize("further", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_is_overlooked_and_the_third_one_obeyed(
    sandbox: Sandbox, further: signal.Signals
) -> None:
    job_id = sandbox.submit("pulse")
    sandbox.fault("pulse", job_id, Fault(stall=30.0), times=None)
    command = [sys.executable, "-c", HANGING, job_id]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        while not any(each.path.endswith(job_id) for each in sandbox.requests):
            time.sleep(0.001)
        process.send_signal(further)
        assert "guard.interrupted" in process.stderr.readline()
        process.send_signal(further)
    assert -further == process.returncode


def test_a_signal_after_the_handled_one(
    killed: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    process._on_further_signal(signal.SIGINT, None)
    assert ([], "guard.interrupted" in caplog.text) == (killed, True)
    with pytest.raises(Died, match="130"):
        process._on_further_signal(signal.SIGINT, None)
    assert [signal.SIGINT] == killed


def test_an_ignored_signal_is_ignored_while_jobs_are_cancelled(killed: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with quiet(), pytest.raises(Died):
        signal.raise_signal(signal.SIGTERM)
    assert signal.SIG_IGN == signal.getsignal(signal.SIGINT)
    assert [signal.SIGTERM] == killed


def test_handlers_of_the_application_are_left_alone() -> None:
    def own(*_: object) -> None:
        pass

    signal.signal(signal.SIGTERM, own)
    with quiet():
        assert own is signal.getsignal(signal.SIGTERM)
    assert own is signal.getsignal(signal.SIGTERM)


def test_a_handler_that_the_application_installs_in_the_block_stays() -> None:
    def own(*_: object) -> None:
        pass

    with quiet():
        signal.signal(signal.SIGTERM, own)
    assert own is signal.getsignal(signal.SIGTERM)


def test_a_guard_in_a_thread_installs_no_handler() -> None:
    def work() -> None:
        with quiet():
            handlers.append(signal.getsignal(signal.SIGTERM))

    handlers: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [signal.SIG_DFL] == handlers


def test_install_handles_signals_outside_of_guards_as_well(killed: list[int]) -> None:
    guard.install()
    with quiet():
        pass
    with pytest.raises(Died):
        signal.raise_signal(signal.SIGTERM)
    assert [signal.SIGTERM] == killed


def test_install_takes_signals() -> None:
    usual = signal.getsignal(signal.SIGUSR1)
    guard.install(signals=[signal.SIGUSR1])
    assert process._on_signal is signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, usual)


def test_install_needs_signals_and_the_main_thread() -> None:
    with pytest.raises(WrongType, match="is not a signal"):
        guard.install(signals=[1000])  # type: ignore[list-item]
    errors = []

    def install() -> None:
        try:
            guard.install()
        except ConfigurationError as error:
            errors.append(str(error))

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert ["guard.install() works in the main thread only; call it there"] == errors


def test_at_exit_a_few_jobs_are_cancelled_here(sandbox: Sandbox) -> None:
    held = guard("pulse", sandbox.submit("pulse"))
    process._at_exit()
    assert ["cancelled"] == [each.outcome for each in held.results]


def test_at_exit_many_jobs_are_left_to_the_supervisor(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 2)  # the tests may run in a container
    covered, not_covered = guard(), quiet()
    for _ in range(4):
        covered.add("pulse", sandbox.submit("pulse"))
    not_covered.add("pulse", sandbox.submit("pulse"))
    assert link.covers(covered.held()[0])
    process._at_exit()
    assert [] == covered.results
    assert ["cancelled"] == [each.outcome for each in not_covered.results]


def test_at_exit_nothing_may_be_left() -> None:
    with quiet():
        process._at_exit()


def test_where_no_thread_can_be_started_jobs_are_cancelled_one_by_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    held = quiet()
    for _ in range(3):
        held.add("pulse", sandbox.submit("pulse"))
    monkeypatch.setattr("jobcancel.guard.batch.start", refuse)
    process._at_exit()
    assert ["cancelled"] * 3 == [each.outcome for each in held.results]


def test_where_no_thread_can_be_started_an_interrupted_job_is_cancelled_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    real, interrupts = Held.cancel, [KeyboardInterrupt()]

    def cancel(held: Held, seconds: float) -> CancelResult:
        if interrupts:
            raise interrupts.pop()
        return real(held, seconds)

    held = quiet()
    held.add("pulse", sandbox.submit("pulse"))
    monkeypatch.setattr("jobcancel.guard.batch.start", refuse)
    monkeypatch.setattr(Held, "cancel", cancel)
    process._at_exit()
    assert ["cancelled"] == [each.outcome for each in held.results]


# Submitting


def test_a_signal_is_delayed_until_the_job_is_added() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), quiet().submitting():
        signal.raise_signal(signal.SIGINT)
        steps.append("submitted and added")
    assert ["submitted and added"] == steps


@pytest.mark.anyio
async def test_a_signal_is_delayed_in_async_code() -> None:
    received: list[int] = []
    usual = signal.signal(signal.SIGHUP, lambda number, _: received.append(number))
    async with quiet().submitting():
        async with quiet().submitting():
            signal.raise_signal(signal.SIGHUP)
        assert [] == received
    assert [signal.SIGHUP] == received
    signal.signal(signal.SIGHUP, usual)


def test_a_second_signal_is_not_delayed() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), quiet().submitting():
        signal.raise_signal(signal.SIGINT)
        steps.append("hangs")
        signal.raise_signal(signal.SIGINT)
        steps.append("never")
    assert ["hangs"] == steps


def test_blocks_that_overlap_restore_the_handlers() -> None:
    first, second = Submitting(), Submitting()
    usual = signal.getsignal(signal.SIGINT)
    with first:
        second.__enter__()
    assert usual != signal.getsignal(signal.SIGINT)
    second.__exit__()
    assert usual == signal.getsignal(signal.SIGINT)


def test_a_stuck_thread_of_a_handler_does_not_keep_its_job(
    sandbox: Sandbox, killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lock = Held.cancel, threading.Event()

    def cancel(held: Held, seconds: float) -> CancelResult:
        if threading.get_ident() != threading.main_thread().ident:
            lock.wait()  # the code that the signal interrupted holds it
        return real(held, seconds)

    monkeypatch.setattr(Held, "cancel", cancel)
    monkeypatch.setattr("jobcancel.guard.batch._SIGNAL_DELAY", 0.01)
    held = quiet()
    for _ in range(3):
        held.add("pulse", sandbox.submit("pulse"))
    with pytest.raises(Died):
        signal.raise_signal(signal.SIGTERM)
    lock.set()
    assert ["cancelled"] * 3 == [each.outcome for each in held.results]
    assert [signal.SIGTERM] == killed


def test_ignored_signals_stay_ignored_and_new_handlers_stay() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Submitting():
        assert signal.SIG_IGN == signal.getsignal(signal.SIGHUP)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.SIG_IGN == signal.getsignal(signal.SIGTERM)


def test_in_a_thread_nothing_is_delayed() -> None:
    def work() -> None:
        with Submitting():
            handlers.append(signal.getsignal(signal.SIGINT))

    handlers: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [signal.getsignal(signal.SIGINT)] == handlers
