"""The vendor of docs/add-a-vendor.md, as a plug-in: installed, tested and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wire import Wire, answer

PAGE = Path(__file__).parent.parent.parent / "docs" / "add-a-vendor.md"
ADAPTER, CONTRACT, USE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)

# The plug-in of schemathesis takes longer to import than all else together.
WITHOUT = ("-p", "no:randomly", "-p", "no:schemathesis")

TESTS = f"""\
from jobcancel_acme import *

{CONTRACT}

def test_plug_in_is_found_by_name(jobcancel_no_wait):
    from jobcancel import cancel
    from jobcancel.testing import scripted

    running, stopped = {{"id": "j-1", "status": "RUNNING"}}, {{"verdict": "STOPPED"}}
    with scripted(reply(423), reply(200, running), reply(202, stopped)) as script:
        assert cancel("acme", "j-1", params={{"queue": "q-7"}}).outcome is Outcome.CANCELLED
    assert ["PUT", "GET", "PUT"] == [request.method for request in script.requests]
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the plug-in is installed."""
    (tmp_path / "jobcancel_acme.py").write_text(ADAPTER)
    about = tmp_path / "jobcancel_acme-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: jobcancel-acme\nVersion: 0.1.0")
    (about / "entry_points.txt").write_text("[jobcancel.adapters]\nacme = jobcancel_acme:ACME")
    return {**os.environ, "PYTHONPATH": str(tmp_path), "ACME_API_KEY": "acme-secret-key"}


def run(*command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], env=env, capture_output=True, text=True, check=False
    )


def test_plug_in_has_at_most_25_lines() -> None:
    assert len(ADAPTER.strip().splitlines()) <= 25


def test_plug_in_passes_contract_and_works_with_pytest(
    installed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "test_acme.py").write_text(TESTS)
    ran = run("pytest", "-q", *WITHOUT, str(tmp_path), env=installed)
    assert 0 == ran.returncode, ran.stdout
    assert "17 passed" in ran.stdout


def test_plug_in_works_on_the_command_line(installed: dict[str, str]) -> None:
    stopped = answer("202 Accepted", json.dumps({"id": "j 1", "verdict": "STOPPED"}).encode())
    with Wire([stopped]) as wire:
        env = {**installed, "ACME_BASE_URL": wire.url}
        ran = run("jobcancel", "cancel", "acme", "--param", "queue=q/7", "--json", "j 1", env=env)
    assert (0, "cancelled") == (ran.returncode, json.loads(ran.stdout)["outcome"])
    (request,) = wire.requests
    assert request.startswith(b"PUT /queues/q%2F7/jobs/j%201/stop HTTP/1.1")
    assert b"x-acme-key: acme-secret-key" in request.lower()


def test_plug_in_is_listed(installed: dict[str, str]) -> None:
    shown = run("jobcancel", "providers", "acme", env=installed).stdout
    assert "the queue that the job is in" in shown
    assert "verdict 'TOO_LATE'" in shown


def test_adapter_can_be_registered_in_one_program(installed: dict[str, str]) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            f"{ADAPTER}\n{CONTRACT}\n{USE}\nprint(result.outcome)",
        ],
        env={**installed, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("cancelled\n", "") == (ran.stdout, ran.stderr)
