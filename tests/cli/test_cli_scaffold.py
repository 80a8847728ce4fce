"""`jobcancel new-adapter`: the project passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import uv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.runs import Run

# The plug-in of schemathesis takes longer to import than all else together.
WITHOUT = ("-p", "no:randomly", "-p", "no:schemathesis")


def test_a_project_is_written_installed_and_passes_its_tests(run: Run, tmp_path: Path) -> None:
    ran = run("new-adapter", "acme-batch", "--into", str(tmp_path))
    project, installed = tmp_path / "jobcancel-acme-batch", tmp_path / "installed"
    assert (0, 4) == (ran.returncode, len(ran.stdout.splitlines()))
    assert "cd jobcancel-acme-batch; pip install -e . 'jobcancel[testing]'; pytest" in ran.stderr
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--target", installed, project], check=True)
    tested = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", *WITHOUT],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == tested.returncode, tested.stdout + tested.stderr
    assert "17 passed" in tested.stdout


def test_project_is_formatted(run: Run, tmp_path: Path) -> None:
    run("new-adapter", "acme", "--into", str(tmp_path))
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "--check"]
    assert 0 == subprocess.run([*command, tmp_path], check=False, capture_output=True).returncode


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Acme", "'Acme' is not a valid provider name; use lower-case words"),
        ("../x", "is not a valid provider name"),
        ("a" * 41, "is not a valid provider name"),
        ("pulse", "'pulse' is built in; a plug-in cannot replace it"),
    ],
)
def test_invalid_name_is_refused(run: Run, tmp_path: Path, name: str, problem: str) -> None:
    ran = run("new-adapter", name, "--into", str(tmp_path))
    assert (2, "", []) == (ran.returncode, ran.stdout, list(tmp_path.iterdir()))
    assert problem in ran.stderr


def test_existing_directory_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "jobcancel-acme").mkdir()
    ran = run("new-adapter", "acme", "--into", str(tmp_path))
    assert (2, "") == (ran.returncode, ran.stdout)
    assert "jobcancel-acme already exists; nothing was written" in ran.stderr


def test_read_only_directory_is_reported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("new-adapter", "acme", "--into", str(tmp_path / "file"))
    assert 2 == ran.returncode
    assert f"cannot write {tmp_path / 'file'}" in ran.stderr
