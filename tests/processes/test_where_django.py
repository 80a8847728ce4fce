"""The guard in a Django project, as on its page: a management command, and a view."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.guard.page_programs import Programs

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytest.importorskip("django")

COMMAND = "reports/management/commands/report.py"
VIEW = "reports/views.py"
PACKAGES = ("reports", "reports/management", "reports/management/commands")
PROJECT = """\
import os

from django.core.management import execute_from_command_line
from django.urls import path

SECRET_KEY = "only for this test"
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = ["reports"]
ROOT_URLCONF = "project"
WSGI_APPLICATION = "project.application"

os.environ["DJANGO_SETTINGS_MODULE"] = "project"


def application(environ, start_response):
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()(environ, start_response)


def __getattr__(name):
    if name != "urlpatterns":
        raise AttributeError(name)
    from reports.views import report

    return [path("report", report)]


if __name__ == "__main__":
    execute_from_command_line()
"""


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    programs = Programs(tmp_path, "django.md", sandbox)
    for name in PACKAGES:
        programs.write(f"{name}/__init__.py", "")
    programs.write(COMMAND)
    programs.write(VIEW)
    programs.write("project.py", PROJECT)
    return programs


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_job_of_a_command_that_is_stopped_is_cancelled(
    programs: Programs, number: signal.Signals
) -> None:
    with programs.run(sys.executable, "project.py", "report") as process:
        job_id = programs.job_in_block()
        process.send_signal(number)
        assert -number == process.wait()
        assert programs.is_cancelled(job_id)


def test_the_job_of_a_command_that_is_killed_is_cancelled(programs: Programs) -> None:
    with programs.run(sys.executable, "project.py", "report") as process:
        job_id = programs.job_in_block()
        process.kill()
        programs.until_cancelled(job_id)


def test_the_job_of_a_view_whose_worker_is_killed_by_gunicorn_is_cancelled(
    programs: Programs,
) -> None:
    pytest.importorskip("gunicorn")
    gunicorn = (sys.executable, "-m", "gunicorn", "project:application", "--bind=127.0.0.1:0")
    with programs.serve(*gunicorn, "--graceful-timeout=1") as (master, request):
        request("/report")
        job_id = programs.job_in_block()
        master.terminate()
        programs.until_cancelled(job_id)
