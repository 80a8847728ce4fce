"""The activity on the page about Temporal, in Temporal's environment for activities.

A server cannot be installed from a package index, so the workflow is only loaded.
"""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from jobcancel import JobState
from tests.guard.page_programs import PATIENCE, VENDOR, WITHOUT_SUPERVISOR, Programs

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

if find_spec("temporalio") is None:
    pytest.skip("needs the dependency group temporal", allow_module_level=True)

ATTEMPT = """\
import asyncio
from pathlib import Path

from activities import report
from temporalio.testing import ActivityEnvironment


async def main() -> None:
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda job_id: Path("heartbeat").write_text(job_id)
    attempt = asyncio.ensure_future(environment.run(report))
    while not (attempt.done() or Path("cancel").exists()):
        await asyncio.sleep(0.01)
    environment.cancel()
    print(await attempt)


asyncio.run(main())
"""
ATTEMPT_IN_A_THREAD = """\
import threading
import time
from pathlib import Path

from temporalio import activity
from temporalio.testing import ActivityEnvironment
from vendor import submit

from jobcancel import guard, wait_for

environment = ActivityEnvironment()


@activity.defn
def report() -> None:
    with guard() as jobs:
        with jobs.submitting():
            jobs.add("pulse", job_id := submit())
        wait_for("pulse", job_id, timeout=600, poll=0.1)


def attempt() -> None:
    try:
        environment.run(report)
    except BaseException as error:
        print(repr(error), flush=True)


thread = threading.Thread(target=attempt)
thread.start()
while not Path("cancel").exists():
    time.sleep(0.01)
environment.cancel()
thread.join()
"""
LOAD = """\
import asyncio

from temporalio import workflow
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from workflows import DailyReport


async def main() -> None:
    definition = workflow._Definition.must_from_class(DailyReport)
    SandboxedWorkflowRunner().prepare_workflow(definition)


asyncio.run(main())
"""


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    programs = Programs(tmp_path, "temporal.md", sandbox)
    programs.write("activities.py")
    programs.write("workflows.py")
    return programs


@pytest.mark.parametrize("attempt", [ATTEMPT, ATTEMPT_IN_A_THREAD], ids=["async", "in a thread"])
def test_the_job_of_a_cancelled_activity_is_cancelled(programs: Programs, attempt: str) -> None:
    programs.write("vendor.py", VENDOR + WITHOUT_SUPERVISOR)
    with programs.run(sys.executable, "-c", attempt) as process:
        job_id = programs.job_in_block()
        (programs.folder / "cancel").touch()
        process.wait(PATIENCE)
    assert programs.is_cancelled(job_id)
    assert "CancelledError" in programs.output


def test_the_job_of_a_worker_that_is_killed_is_cancelled(programs: Programs) -> None:
    with programs.run(sys.executable, "-c", ATTEMPT) as process:
        job_id = programs.job_in_block()
        process.send_signal(signal.SIGKILL)
        programs.until_cancelled(job_id)


def test_the_activity_sends_heartbeats_and_returns_the_id_of_a_job_that_succeeds(
    programs: Programs, sandbox: Sandbox
) -> None:
    programs.write("vendor.py", VENDOR.replace("600", "0"))
    job_id = programs.call(sys.executable, "-c", ATTEMPT).strip()
    assert JobState.SUCCEEDED is sandbox.job("pulse", job_id).state
    assert job_id == (programs.folder / "heartbeat").read_text()


def test_the_workflow_can_be_loaded_in_temporals_sandbox(programs: Programs) -> None:
    programs.call(sys.executable, "-c", LOAD)
