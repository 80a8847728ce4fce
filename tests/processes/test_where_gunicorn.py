"""The guard in a WSGI application, as on the page about gunicorn."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.guard.page_programs import Programs

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytest.importorskip("gunicorn")

SERVER = (sys.executable, "-m", "gunicorn", "app:app", "--bind=127.0.0.1:0")


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    programs = Programs(tmp_path, "gunicorn.md", sandbox)
    programs.write("app.py")
    return programs


@pytest.mark.parametrize("worker", ["--workers=1", "--threads=2", "--preload"])
def test_the_job_of_a_worker_that_outlasts_the_graceful_timeout_is_cancelled(
    programs: Programs, worker: str
) -> None:
    with programs.serve(*SERVER, worker, "--graceful-timeout=1") as (master, request):
        request("/")
        job_id = programs.job_in_block()
        master.terminate()
        programs.until_cancelled(job_id)
        assert 0 == master.wait()


def test_the_job_of_a_worker_that_is_stopped_at_once_is_cancelled(programs: Programs) -> None:
    with programs.serve(*SERVER) as (master, request):
        request("/")
        job_id = programs.job_in_block()
        master.send_signal(signal.SIGQUIT)
        assert 0 == master.wait()
        assert programs.is_cancelled(job_id)


def test_the_job_of_a_request_that_takes_too_long_is_cancelled(programs: Programs) -> None:
    with programs.serve(*SERVER, "--timeout=1") as (_, request):
        request("/")
        programs.until_cancelled(programs.job_in_block())


def test_the_job_of_a_killed_worker_is_cancelled_by_jobcancel_run(programs: Programs) -> None:
    run = ("jobcancel", "run", "--grace", "20", "--")
    with programs.serve(*run, *SERVER, "--graceful-timeout=1") as (process, request):
        request("/")
        job_id = programs.job_in_block()
        process.terminate()
        assert 0 == process.wait()
        assert programs.is_cancelled(job_id)
