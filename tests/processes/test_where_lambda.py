"""The guard in a function on AWS Lambda, as on its page, with a context as Lambda passes it."""

from __future__ import annotations

import runpy
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from jobcancel import JobState
from tests.examples import files_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

    Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def context(milliseconds: Callable[[], int]) -> SimpleNamespace:
    return SimpleNamespace(get_remaining_time_in_millis=milliseconds)


@pytest.fixture
def handler(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Handler:
    """The page's function; its event has the seconds that the job takes."""
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "function.py"
    path.write_text(files_on("aws-lambda.md")["function.py"])

    def call(event: dict[str, Any], context: Any) -> dict[str, Any]:
        def submit() -> str:
            return sandbox.submit("pulse", job_id="report", pending=0, running=event["seconds"])

        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "vendor", SimpleNamespace(submit=submit))
            result: dict[str, Any] = runpy.run_path(str(path))["handler"](event, context)
        return result

    return call


def test_a_job_that_takes_longer_than_the_function_may_is_cancelled(
    handler: Handler, sandbox: Sandbox
) -> None:
    with pytest.raises(TimeoutError, match="report did not end in time"):
        handler({"seconds": 600}, context(lambda: 15_100))
    assert JobState.CANCELLED is sandbox.job("pulse", "report").state


def test_the_job_of_a_handler_that_fails_is_cancelled(handler: Handler, sandbox: Sandbox) -> None:
    with pytest.raises(ZeroDivisionError):
        handler({"seconds": 600}, context(lambda: 1 // 0))
    assert JobState.CANCELLED is sandbox.job("pulse", "report").state


def test_a_job_that_ends_in_time_is_not_cancelled(handler: Handler, sandbox: Sandbox) -> None:
    answer = handler({"seconds": 0}, context(lambda: 60_000))
    assert {"job_id": "report", "state": "succeeded"} == answer
    assert JobState.SUCCEEDED is sandbox.job("pulse", "report").state
