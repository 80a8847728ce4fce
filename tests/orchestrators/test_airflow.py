"""The operators on the page about Airflow, in a worker, in a triggerer and in `dag.test()`."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobcancel import JobState
from tests.guard.page_programs import PATIENCE, VENDOR, WITHOUT_SUPERVISOR, Programs, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from jobcancel.sandbox import Sandbox

if find_spec("airflow") is None:
    pytest.skip("needs the dependency group airflow", allow_module_level=True)

WORKER = str(Path(__file__).with_name("airflow_worker.py"))
TRIGGERER = str(Path(__file__).with_name("airflow_triggerer.py"))
REMEMBER_PROCESS = """
from pathlib import Path

Path("process").write_text(str(os.getpid()))
"""
DAG = """\
import signal
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from deferred import DeferrableReportOperator
from operators import ReportOperator

from jobcancel import status


class Watched(ReportOperator):
    def on_kill(self) -> None:
        before = status("pulse", self.job_id).state
        super().on_kill()
        after = status("pulse", self.job_id).state
        Path("on-kill").write_text(f"{before} {after}")


def fail(*_: object) -> None:
    raise LookupError("a bug")


signal.signal(signal.SIGUSR1, fail)

with DAG("reports", schedule=None) as dag:
    Watched(task_id="wait")
    Watched(task_id="hurry", execution_timeout=timedelta(seconds=2))
    DeferrableReportOperator(task_id="defer")
"""
RUN = """\
import json
import sys
from pathlib import Path

from airflow.utils.db import initdb

initdb()
sys.path.append("dags")

from airflow.sdk import DAG
from reports import dag

run = dag.test()
instances = run.get_task_instances()
assert {"success"} == {each.state for each in instances}, run
results = {each.task_id: each.xcom_pull(task_ids=each.task_id) for each in instances}
Path("results").write_text(json.dumps(results))
"""


class Airflow(Programs):
    """The files of the page, and a DAG with their operators."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        super().__init__(folder, "airflow.md", sandbox)
        self.write("operators.py")
        self.write("deferred.py")
        self.write("dags/reports.py", DAG)
        self.write("vendor.py", VENDOR + REMEMBER_PROCESS + WITHOUT_SUPERVISOR)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of Airflow, with settings for a short test."""
        settings = {
            "AIRFLOW_HOME": self.folder / "home",
            "AIRFLOW__CORE__DAGS_FOLDER": self.folder / "dags",
            "AIRFLOW__CORE__LOAD_EXAMPLES": False,
            "AIRFLOW__CORE__UNIT_TEST_MODE": False,
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        }
        return super().environ | {name: str(value) for name, value in settings.items()}

    @contextmanager
    def worker(self, task: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a task in a worker; whatever is left of it is killed."""
        try:
            with self.run(sys.executable, WORKER, "reports.py", task) as process:
                yield process
        finally:
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.task_process, signal.SIGKILL)  # it has a process group of its own

    @property
    def task_process(self) -> int:
        return int((self.folder / "process").read_text())

    @property
    def states(self) -> list[str]:
        """The states of the task that the worker has reported."""
        requests = [json.loads(line) for line in (self.folder / "api").read_text().splitlines()]
        return [body["state"] for path, body in requests if "state" in (body or {})]

    @property
    def on_kill(self) -> str | None:
        """The states of the job before and after `on_kill`, if that was called."""
        path = self.folder / "on-kill"
        return path.read_text() if path.exists() else None


@pytest.fixture
def airflow(tmp_path: Path, sandbox: Sandbox) -> Airflow:
    return Airflow(tmp_path, sandbox)


def test_an_exception_cancels_the_job_and_does_not_call_on_kill(airflow: Airflow) -> None:
    with airflow.worker("wait") as worker:
        job_id = airflow.job_in_block()
        os.kill(airflow.task_process, signal.SIGUSR1)
        worker.wait(PATIENCE)
    assert airflow.is_cancelled(job_id)
    assert ["running", "failed"] == airflow.states
    assert airflow.on_kill is None


def test_the_block_cancels_the_job_at_the_execution_timeout(airflow: Airflow) -> None:
    with airflow.worker("hurry") as worker:
        airflow.job_in_block()
        worker.wait(PATIENCE)
    assert "cancelled cancelled" == airflow.on_kill
    assert ["running", "failed"] == airflow.states


def test_on_kill_cancels_the_job_of_a_task_that_is_marked_as_failed(airflow: Airflow) -> None:
    with airflow.worker("wait") as worker:
        airflow.job_in_block()
        (airflow.folder / "marked-failed").touch()
        worker.wait(PATIENCE)
    assert "running cancelled" == airflow.on_kill


def test_on_kill_cancels_the_job_after_sigterm_to_the_worker_and_the_task_fails(
    airflow: Airflow,
) -> None:
    with airflow.worker("wait") as worker:
        airflow.job_in_block()
        worker.send_signal(signal.SIGTERM)
        worker.wait(PATIENCE)
    assert "running cancelled" == airflow.on_kill
    assert ["running", "failed"] == airflow.states


def test_the_job_of_a_task_that_is_killed_is_cancelled(airflow: Airflow) -> None:
    airflow.write("vendor.py", VENDOR + REMEMBER_PROCESS)
    with airflow.worker("wait") as worker:
        job_id = airflow.job_in_block()
        os.kill(airflow.task_process, signal.SIGKILL)
        airflow.until_cancelled(job_id)
        worker.wait(PATIENCE)
    assert airflow.on_kill is None


def test_a_task_whose_worker_is_killed_continues_with_its_job(
    airflow: Airflow, sandbox: Sandbox
) -> None:
    airflow.write("vendor.py", VENDOR + REMEMBER_PROCESS)
    with airflow.worker("wait") as worker:
        job_id = airflow.job_in_block()
        worker.kill()
        worker.wait(PATIENCE)
        read = len(sandbox.requests)
        until(lambda: len(sandbox.requests) > read)
        assert JobState.RUNNING is sandbox.job("pulse", job_id).state


@pytest.mark.parametrize(
    ("how", "state"), [("killed", JobState.CANCELLED), ("restarted", JobState.RUNNING)]
)
def test_a_trigger_cancels_its_job_only_if_a_user_kills_the_task(
    airflow: Airflow, sandbox: Sandbox, how: str, state: JobState
) -> None:
    job_id = sandbox.submit("pulse", pending=0, running=600)
    with airflow.run(sys.executable, TRIGGERER, how, job_id) as triggerer:
        assert job_id == airflow.job_in_block()
        triggerer.send_signal(signal.SIGUSR1)
        assert 0 == triggerer.wait(PATIENCE)
    assert state is sandbox.job("pulse", job_id).state


def test_the_operators_return_the_ids_of_jobs_that_succeed(
    airflow: Airflow, sandbox: Sandbox
) -> None:
    airflow.write("vendor.py", VENDOR.replace("600", "0"))
    airflow.write("run.py", RUN)
    with airflow.run(sys.executable, "run.py") as run:
        assert 0 == run.wait(2 * PATIENCE)
    results = json.loads((airflow.folder / "results").read_text())
    assert {"wait", "hurry", "defer"} == set(results)
    states = [sandbox.job("pulse", job_id).state for job_id in results.values()]
    assert [JobState.SUCCEEDED] * 3 == states
