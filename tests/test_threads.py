"""Calls and imports in another thread."""

from __future__ import annotations

import _thread
import threading

import pytest

from jobcancel import _lazy
from jobcancel.threads import call_in_thread


def fail() -> None:
    raise LookupError("no")


def test_the_result_of_the_other_thread_is_returned() -> None:
    assert threading.get_ident() != call_in_thread(threading.get_ident, None)


def test_an_error_is_raised_in_the_waiting_thread() -> None:
    with pytest.raises(LookupError, match="no"):
        call_in_thread(fail, 10.0)


def test_a_call_that_takes_too_long_times_out() -> None:
    over = threading.Event()
    with pytest.raises(TimeoutError, match=r"not done within 0\.01 seconds"):
        call_in_thread(over.wait, 0.01)
    over.set()


def test_the_call_runs_here_if_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", no_thread)
    assert threading.get_ident() == call_in_thread(threading.get_ident, None)


def test_an_import_that_takes_too_long_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lazy, "_PATIENCE", 0.0)
    monkeypatch.setattr(_lazy, "_loaded", {})
    assert threading is _lazy.load("threading")


def test_a_missing_module_raises_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        _lazy.load("jobcancel.no_such_module")
