"""Each death of a process, with each kind of supervisor: which of its jobs are cancelled."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from jobcancel.sandbox import Fault
from tests.guard.deaths import DEATHS, Death
from tests.guard.programs import RUN, RUN_WITHOUT_OPTIONS, cancelled, requested, started, until

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

JOBS = ("held", "ended", "other")
FOREVER = 10_000.0
COMMAND_LINE = [
    "the block ends normally",
    "`sys.exit(3)`",
    "SIGINT (Ctrl-C)",
    "SIGTERM",
    "SIGTERM to the whole process group",
    "SIGKILL",
]


@pytest.mark.parametrize("mode", ["auto", "run", "no"])
@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_a_death_cancels_the_jobs_that_were_held(
    death: Death, mode: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    before = RUN_WITHOUT_OPTIONS if mode == "run" else ()
    check(death, before, death.expected(mode), sandbox, tmp_path, "no" if mode == "no" else "auto")


@pytest.mark.parametrize(
    "death", [each for each in DEATHS if each.name in COMMAND_LINE], ids=str
)
def test_jobcancel_run_ends_as_the_program(death: Death, sandbox: Sandbox, tmp_path: Path) -> None:
    check(death, RUN, death.expected("run"), sandbox, tmp_path)


def check(
    death: Death,
    before: tuple[str, ...],
    expected: frozenset[str],
    sandbox: Sandbox,
    folder: Path,
    supervise: str = "auto",
) -> None:
    """Run a program; check its exit status, and which of its jobs are cancelled.

    Args:
        death: the program.
        before: the command that starts it.
        expected: the jobs that must be cancelled.
        sandbox: the vendor.
        folder: for its standard error.
        supervise: the argument of its guards.
    """
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    if death.stalled:
        sandbox.fault("pulse", "held", Fault(stall=0.3))
    command = (*before, sys.executable, "-c", death.program, supervise, *JOBS)
    with started(*command, folder=folder, environ=sandbox.environ) as program:
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
    errors = program.errors.read_text()
    assert (death.status, expected) == (status, cancelled(sandbox, JOBS)), errors
    assert expected == requested(sandbox), errors
