"""Each death of a process, with each kind of supervisor: which of its jobs are cancelled."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from jobcancel.sandbox import Fault
from tests.guard.deaths import DEATHS, Death
from tests.guard.programs import cancelled, requested, started, until

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

JOBS = ("held", "ended", "other")
FOREVER = 10_000.0


@pytest.mark.parametrize("mode", ["auto", "run", "no"])
@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_a_death_cancels_the_jobs_that_were_held(
    death: Death, mode: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    expected = death.expected(mode)
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    if death.stalled:
        sandbox.fault("pulse", "held", Fault(stall=0.3))
    command = (sys.executable, "-c", death.program, "no" if mode == "no" else "auto", *JOBS)
    with started(
        *command, folder=tmp_path, environ=sandbox.environ, run=mode == "run"
    ) as program:
        assert "dying" == program.read_line(), program.errors.read_text()
        for each in death.signals:
            if each.in_request:
                until(lambda: "held" in requested(sandbox), program.errors.read_text)
            program.process.send_signal(each.number)
        if at_once := expected & {*death.at_once}:
            until(lambda: at_once <= cancelled(sandbox, JOBS), program.errors.read_text)
            assert at_once == cancelled(sandbox, JOBS)
        program.close_input()
        status = program.wait()
        program.wait_for_all()
        assert "" == program.read_line(), "an unexpected line"
    errors = (tmp_path / "errors").read_text()
    assert (death.status, expected) == (status, cancelled(sandbox, JOBS)), errors
    assert expected == requested(sandbox), errors
