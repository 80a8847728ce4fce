"""The pytest plug-in, as an application's tests use it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from jobcancel import JobState, Outcome, cancel

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox


def test_the_environment_points_at_the_sandbox(jobcancel_sandbox: Sandbox) -> None:
    job_id = jobcancel_sandbox.submit("pulse")
    assert Outcome.CANCELLED is cancel("pulse", job_id).outcome
    assert JobState.CANCELLED is jobcancel_sandbox.job("pulse", job_id).state
    assert jobcancel_sandbox.url + "/pulse" == os.environ["PULSE_BASE_URL"]


def test_the_plug_in_imports_nothing_heavy() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import jobcancel.testing.plugin, sys; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set() == {"cattrs", "starlette", "uvicorn", "vcr", "typer"} & set(loaded)
