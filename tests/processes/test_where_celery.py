"""The guard in a task, as on the page about Celery, in a worker with a broker of files."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.guard.page_programs import PATIENCE, Programs, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

celery = pytest.importorskip("celery")

SETTINGS = """\
broker_url = "filesystem://"
broker_transport_options = {{
    "data_folder_in": "{folder}/broker",
    "data_folder_out": "{folder}/broker",
    "control_folder": "{folder}/control",
    "polling_interval": 0.1,
}}
result_backend = "file://{folder}/results"
worker_hijack_root_logger = False
"""
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")
WORKER = (sys.executable, "-m", "celery", "--app=tasks", "worker", "--concurrency=1", *QUIET)


class Worker:
    """A worker, and a client of its broker.

    Args:
        process: its main process.
        folder: the folder of the broker.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.client = celery.Celery("client")
        self.client.conf.update(_settings(folder))

    def send(self, **options: float) -> Any:
        """Have it run the task of the page."""
        return self.client.send_task("tasks.report", **options)


def _settings(folder: Path) -> dict[str, object]:
    settings: dict[str, object] = {}
    exec(SETTINGS.format(folder=folder), settings)  # noqa: S102 - our own text
    return {name: value for name, value in settings.items() if not name.startswith("__")}


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    programs = Programs(tmp_path, "celery.md", sandbox)
    programs.write("tasks.py")
    programs.write("celeryconfig.py", SETTINGS.format(folder=tmp_path))
    for name in ("broker", "control", "results"):
        (tmp_path / name).mkdir()
    return programs


@contextmanager
def worker(programs: Programs) -> Iterator[Worker]:
    with programs.run(*WORKER) as process:
        yield Worker(process, programs.folder)


def test_the_job_of_a_task_that_is_revoked_is_cancelled(programs: Programs) -> None:
    with worker(programs) as running:
        task = running.send()
        job_id = programs.job_in_block()
        running.client.control.revoke(task.id, terminate=True)
        programs.until_cancelled(job_id)
        until(lambda: "event=jobcancel.cancel.settled" in programs.output)  # by the block


def test_the_job_of_a_task_at_its_soft_time_limit_is_cancelled(programs: Programs) -> None:
    with worker(programs) as running:
        task = running.send(soft_time_limit=1)
        job_id = programs.job_in_block()
        with pytest.raises(celery.exceptions.SoftTimeLimitExceeded):
            task.get(timeout=PATIENCE)
        assert programs.is_cancelled(job_id)


def test_the_job_of_a_task_at_its_hard_time_limit_is_cancelled(programs: Programs) -> None:
    with worker(programs) as running:
        running.send(time_limit=1)
        programs.until_cancelled(programs.job_in_block())


def test_the_job_of_a_task_is_cancelled_by_a_cold_shutdown(programs: Programs) -> None:
    with worker(programs) as running:
        running.send()
        job_id = programs.job_in_block()
        running.process.send_signal(signal.SIGQUIT)
        programs.until_cancelled(job_id)
        until(lambda: "event=jobcancel.cancel.settled" in programs.output)  # by the block


def test_the_job_of_a_worker_that_is_killed_is_cancelled(programs: Programs) -> None:
    with worker(programs) as running:
        running.send()
        job_id = programs.job_in_block()
        running.process.kill()
        programs.until_cancelled(job_id)
