"""The guard in a request handler, as on the page about FastAPI, under uvicorn."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from tests.guard.page_programs import Programs

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytest.importorskip("fastapi")

SERVER = (sys.executable, "-m", "uvicorn", "app:app", "--port=0")
# An older uvicorn imports the application after it has installed its signal handlers.
LEAVES_HANDLERS = tuple(map(int, version("uvicorn").split(".")[:2])) >= (0, 48)


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    programs = Programs(tmp_path, "fastapi.md", sandbox)
    programs.write("app.py")
    return programs


def test_the_job_of_a_client_that_disconnects_is_cancelled(programs: Programs) -> None:
    with programs.serve(*SERVER) as (_, request):
        for path in ("/report", "/progress"):
            with request(path):
                job_id = programs.job_in_block()
            programs.until_cancelled(job_id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_job_of_a_request_that_a_signal_interrupts_is_cancelled(
    programs: Programs, number: signal.Signals
) -> None:
    with programs.serve(*SERVER, "--timeout-graceful-shutdown=1") as (process, request):
        request("/report")
        job_id = programs.job_in_block()
        process.send_signal(number)
        process.wait()
        assert programs.is_cancelled(job_id) or not LEAVES_HANDLERS
        programs.until_cancelled(job_id)


def test_the_job_of_a_server_that_is_killed_is_cancelled(programs: Programs) -> None:
    with programs.serve(*SERVER) as (process, request):
        request("/progress")
        job_id = programs.job_in_block()
        process.kill()
        programs.until_cancelled(job_id)


def test_the_job_of_a_worker_process_is_cancelled_after_sigterm(programs: Programs) -> None:
    options = ("--workers=2", "--timeout-graceful-shutdown=1")
    with programs.serve(*SERVER, *options) as (process, request):
        request("/report")
        job_id = programs.job_in_block()
        process.terminate()
        programs.until_cancelled(job_id)
