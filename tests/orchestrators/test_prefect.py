"""The flows on the page about Prefect, with a local server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from jobcancel import JobState
from tests.guard.page_programs import PATIENCE, VENDOR, WITHOUT_SUPERVISOR, Programs, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

if find_spec("prefect") is None:
    pytest.skip("needs the dependency group prefect", allow_module_level=True)

PREFECT = (sys.executable, "-m", "prefect")
RUN = """\
import signal

from reports import daily_report


def fail(*_: object) -> None:
    raise LookupError("a bug")


signal.signal(signal.SIGUSR1, fail)
print("job", daily_report())
"""
RUN_MANY = "from many_reports import many_reports; many_reports(3)"
HURRY = """\
from prefect import flow
from reports import report

flow(report.with_options(timeout_seconds=1))()
"""
REMEMBER_PROCESS = """
import os
from pathlib import Path

Path("process").write_text(str(os.getpid()))
"""
SERVE = """\
from known_report import known_report
from prefect import serve
from reports import daily_report

if __name__ == "__main__":
    serve(daily_report.to_deployment("served"), known_report.to_deployment("served"))
"""
START = """\
import sys
import time

from prefect import get_client
from prefect.exceptions import ObjectNotFound

with get_client(sync_client=True) as client:
    while True:
        try:
            deployment = client.read_deployment_by_name(sys.argv[1])
        except ObjectNotFound:
            time.sleep(0.1)
        else:
            break
    parameters = {"job_id": sys.argv[2]} if sys.argv[2:] else {}
    run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    print(run.id)
"""
CANCEL = """\
import sys
import time

from prefect import get_client
from prefect.states import Cancelling

with get_client(sync_client=True) as client:
    client.set_flow_run_state(sys.argv[1], Cancelling())
    while not (state := client.read_flow_run(sys.argv[1]).state).is_final():
        time.sleep(0.1)
    print(state.name)
"""


class Prefect(Programs):
    """The files of the page.

    Args:
        folder: an empty folder.
        sandbox: the sandbox.
        settings: the environment of Prefect.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, settings: dict[str, str]) -> None:
        super().__init__(folder, "prefect.md", sandbox)
        self._settings = settings
        self.write("reports.py")
        self.write("many_reports.py")
        self.write("vendor.py", VENDOR + WITHOUT_SUPERVISOR)
        self.write("known_report.py", self.files["known_report.py"] + REMEMBER_PROCESS)
        self.write("served.py", SERVE)

    @property
    def environ(self) -> dict[str, str]:
        return super().environ | self._settings

    @property
    def flow_process(self) -> int:
        return int((self.folder / "process").read_text())

    def jobs_in_block(self, count: int) -> set[str]:
        """Wait until so many jobs are waited for."""
        until(lambda: len(self._new_jobs()) == count or self._has_ended())
        return self._new_jobs()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server; the settings to use it."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(
            [*PREFECT, "server", "start", "--port", str(port), "--no-ui"],
            env=os.environ | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as server,
    ):
        try:
            until(lambda: _answers(port))
            yield settings
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    with suppress(URLError), urlopen(f"http://127.0.0.1:{port}/api/health"):
        return True
    return False


@pytest.fixture
def prefect(tmp_path: Path, sandbox: Sandbox, settings: dict[str, str]) -> Prefect:
    return Prefect(tmp_path, sandbox, settings)


def test_sigterm_cancels_the_job(prefect: Prefect) -> None:
    with prefect.run(sys.executable, "-c", RUN) as flow:
        job_id = prefect.job_in_block()
        flow.send_signal(signal.SIGTERM)
        assert -signal.SIGTERM == flow.wait(PATIENCE)
    assert prefect.is_cancelled(job_id)


def test_an_exception_cancels_the_job(prefect: Prefect) -> None:
    with prefect.run(sys.executable, "-c", RUN) as flow:
        job_id = prefect.job_in_block()
        flow.send_signal(signal.SIGUSR1)
        assert 1 == flow.wait(PATIENCE)
    assert prefect.is_cancelled(job_id)


def test_the_time_limit_of_a_task_cancels_the_job(prefect: Prefect) -> None:
    with prefect.run(sys.executable, "-c", HURRY) as flow:
        job_id = prefect.job_in_block()
        assert 1 == flow.wait(PATIENCE)
    assert prefect.is_cancelled(job_id)
    assert "TimedOut" in prefect.output


def test_the_job_of_a_flow_that_is_killed_is_cancelled(prefect: Prefect) -> None:
    prefect.write("vendor.py", VENDOR)
    with prefect.run(sys.executable, "-c", RUN) as flow:
        job_id = prefect.job_in_block()
        flow.send_signal(signal.SIGKILL)
        prefect.until_cancelled(job_id)


def test_a_guard_in_the_flow_cancels_the_jobs_of_tasks_in_threads(prefect: Prefect) -> None:
    with prefect.run(sys.executable, "-c", RUN_MANY) as flow:
        job_ids = prefect.jobs_in_block(3)
        flow.send_signal(signal.SIGTERM)
        assert -signal.SIGTERM == flow.wait(PATIENCE)
    assert all(map(prefect.is_cancelled, job_ids))


def test_the_flow_returns_the_id_of_a_job_that_succeeds(prefect: Prefect, sandbox: Sandbox) -> None:
    prefect.write("vendor.py", VENDOR.replace("600", "0"))
    with prefect.run(sys.executable, "-c", RUN) as flow:
        assert 0 == flow.wait(PATIENCE)
    job_id = prefect.output.split()[-1]
    assert JobState.SUCCEEDED is sandbox.job("pulse", job_id).state


def test_the_job_of_a_run_that_is_cancelled_or_killed_is_cancelled(
    prefect: Prefect, sandbox: Sandbox
) -> None:
    with prefect.run(sys.executable, "served.py"):
        run = prefect.call(sys.executable, "-c", START, "daily-report/served").strip()
        job_id = prefect.job_in_block()
        assert "Cancelled" == prefect.call(sys.executable, "-c", CANCEL, run).strip()
        assert prefect.is_cancelled(job_id)
        job_id = sandbox.submit("pulse", pending=0, running=600)
        prefect.call(sys.executable, "-c", START, "known-report/served", job_id)
        assert job_id == prefect.job_in_block()
        os.kill(prefect.flow_process, signal.SIGKILL)
        until(lambda: "Hook 'cancel_job' finished running successfully" in prefect.output)
        assert prefect.is_cancelled(job_id)
