"""A call in another thread, as it is made while the main thread may be anywhere."""

from __future__ import annotations

import _thread
import threading

import pytest

from jobcancel import _lazy
from jobcancel.threads import call_in_thread


def fail() -> None:
    raise LookupError("no")


def test_another_thread_does_the_work_and_its_result_comes_back() -> None:
    assert threading.get_ident() != call_in_thread(threading.get_ident, None)


def test_an_error_is_raised_in_the_thread_that_waits() -> None:
    with pytest.raises(LookupError, match="no"):
        call_in_thread(fail, 10.0)


def test_work_that_takes_too_long_is_a_time_out() -> None:
    over = threading.Event()
    with pytest.raises(TimeoutError, match=r"not finished within 0\.01 seconds"):
        call_in_thread(over.wait, 0.01)
    over.set()


def test_work_is_done_here_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", no_thread)
    assert threading.get_ident() == call_in_thread(threading.get_ident, None)


def test_an_import_that_takes_too_long_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lazy, "_PATIENCE", 0.0)
    monkeypatch.setattr(_lazy, "_loaded", {})
    assert threading is _lazy.load("threading")


def test_a_module_that_is_not_there_is_an_error_of_the_import() -> None:
    with pytest.raises(ModuleNotFoundError):
        _lazy.load("jobcancel.no_such_module")
