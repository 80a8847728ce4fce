"""The op on the page about Dagster, in runs that are terminated, killed or fail."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from jobcancel import JobState
from tests.guard.page_programs import PATIENCE, VENDOR, WITHOUT_SUPERVISOR, Programs, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

if find_spec("dagster") is None:
    pytest.skip("needs the dependency group dagster", allow_module_level=True)

SETTINGS = """\
telemetry: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
"""
DAGSTER = (sys.executable, "-W", "ignore", "-m", "dagster")
EXECUTE = (*DAGSTER, "job", "execute", "-f", "hooked.py", "-j", "daily_report")
ONE_PROCESS = ("--config", "one-process.yaml")
FAIL_ON_SIGNAL = """
import signal
from pathlib import Path


def fail(*_: object) -> None:
    raise LookupError("a bug")


signal.signal(signal.SIGUSR1, fail)
Path("process").write_text(str(os.getpid()))
"""
TERMINATE = """\
import time

from dagster import DagsterInstance

with DagsterInstance.get() as instance:
    (run,) = instance.get_runs()
    assert instance.run_launcher.terminate(run.run_id)
    while not run.is_finished:
        time.sleep(0.1)
        run = instance.get_run_by_id(run.run_id)
    print(run.status.value)
"""
SENSOR = """\
import sys

from dagster import DagsterInstance, build_run_status_sensor_context
from definitions import daily_report, failed

with DagsterInstance.ephemeral() as instance:
    run = daily_report.execute_in_process(instance=instance, raise_on_error=False)
    instance.add_run_tags(run.run_id, {"pulse": sys.argv[1]})
    failed(
        build_run_status_sensor_context(
            sensor_name="cancel_after_failure",
            dagster_instance=instance,
            dagster_run=instance.get_run_by_id(run.run_id),
            dagster_event=run.get_run_failure_event(),
        )
    )
"""
IN_PROCESS = """\
from definitions import daily_report

print(daily_report.execute_in_process().output_for_node("report"))
"""


# The job with a failure hook, which Dagster does not call for a run that is interrupted.
HOOKED = """\
from dagster import Definitions, HookContext, failure_hook
from definitions import daily_report as plain


@failure_hook
def say(context: HookContext) -> None:
    print("the failure hook ran", flush=True)


daily_report = plain.with_hooks({say})
defs = Definitions(jobs=[daily_report])
"""


class Dagster(Programs):
    """The file of the page."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        super().__init__(folder, "dagster.md", sandbox)
        self.write("definitions.py")
        self.write("hooked.py", HOOKED)
        self.write("vendor.py", VENDOR + FAIL_ON_SIGNAL + WITHOUT_SUPERVISOR)
        self.write("home/dagster.yaml", SETTINGS)
        self.write("one-process.yaml", "execution: {config: {in_process: {}}}")

    @property
    def environ(self) -> dict[str, str]:
        settings = {"DAGSTER_HOME": str(self.folder / "home"), "DAGSTER_DISABLE_TELEMETRY": "1"}
        return super().environ | settings

    @property
    def op_process(self) -> int:
        return int((self.folder / "process").read_text())

    @contextmanager
    def code_location(self) -> Iterator[str]:
        """Serve the definitions; return the name of a workspace file."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = {"host": "localhost", "port": port, "location_name": "reports"}
        self.write("workspace.yaml", json.dumps({"load_from": [{"grpc_server": server}]}))
        serve = ("api", "grpc", "-f", "definitions.py", "--host", "localhost", "-p", str(port))
        with self.run(*DAGSTER, *serve):
            until(lambda: "Started Dagster code server" in self.output)
            yield "workspace.yaml"


@pytest.fixture
def dagster(tmp_path: Path, sandbox: Sandbox) -> Dagster:
    return Dagster(tmp_path, sandbox)


def test_the_job_of_a_run_that_is_terminated_is_cancelled(dagster: Dagster) -> None:
    with dagster.code_location() as workspace:
        dagster.call(*DAGSTER, "job", "launch", "-w", workspace, "-j", "daily_report")
        job_id = dagster.job_in_block()
        assert "CANCELED" == dagster.call(sys.executable, "-c", TERMINATE).strip()
        assert dagster.is_cancelled(job_id)


def test_sigterm_to_a_run_cancels_its_job(dagster: Dagster) -> None:
    with dagster.run(*EXECUTE, *ONE_PROCESS) as run:
        job_id = dagster.job_in_block()
        run.send_signal(signal.SIGTERM)
        assert 1 == run.wait(PATIENCE)
    assert dagster.is_cancelled(job_id)
    assert "DagsterExecutionInterruptedError" in dagster.output
    assert "the failure hook ran" not in dagster.output


def test_an_exception_in_the_op_cancels_the_job(dagster: Dagster) -> None:
    with dagster.run(*EXECUTE, *ONE_PROCESS) as run:
        job_id = dagster.job_in_block()
        os.kill(dagster.op_process, signal.SIGUSR1)
        assert 1 == run.wait(PATIENCE)
    assert dagster.is_cancelled(job_id)
    assert "the failure hook ran" in dagster.output


def test_the_job_of_an_op_that_is_killed_is_cancelled(dagster: Dagster) -> None:
    dagster.write("vendor.py", VENDOR + FAIL_ON_SIGNAL)
    with dagster.run(*EXECUTE) as run:
        job_id = dagster.job_in_block()
        os.kill(dagster.op_process, signal.SIGKILL)
        dagster.until_cancelled(job_id)
        assert 1 == run.wait(PATIENCE)


def test_a_sensor_cancels_the_job_of_a_failed_run(dagster: Dagster, sandbox: Sandbox) -> None:
    dagster.write("vendor.py", "def submit():\n    raise LookupError")
    job_id = sandbox.submit("pulse", pending=0, running=600)
    dagster.call(sys.executable, "-c", SENSOR, job_id)
    assert dagster.is_cancelled(job_id)


def test_the_op_returns_the_id_of_a_job_that_succeeds(dagster: Dagster, sandbox: Sandbox) -> None:
    dagster.write("vendor.py", VENDOR.replace("600", "0"))
    job_id = dagster.call(sys.executable, "-c", IN_PROCESS).strip()
    assert JobState.SUCCEEDED is sandbox.job("pulse", job_id).state
