"""Each death of a process, with each kind of supervisor: which of its jobs are cancelled.

The short suite runs a part of the pairs; `tests/faults` runs the others.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from jobcancel.sandbox import Fault
from tests.guard.deaths import DEATHS, HEAD, PAIRS, Death, is_quick
from tests.guard.programs import FOREVER, JOBS, LIMIT, RUN, cancelled, check, ends, started

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

COMMAND_LINE = {
    "the block ends normally",
    "`sys.exit(3)`",
    "SIGINT (Ctrl-C)",
    "SIGTERM",
    "SIGTERM to the whole process group",
    "SIGKILL",
}


@pytest.mark.parametrize(
    ("death", "mode"),
    [pair for pair in PAIRS if is_quick(*pair)],
    ids=str,
)
def test_a_death_cancels_the_jobs_that_were_held(
    death: Death, mode: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    check(death, mode, sandbox, tmp_path)


@pytest.mark.parametrize("death", [each for each in DEATHS if each.name in COMMAND_LINE], ids=str)
def test_jobcancel_run_ends_as_the_program(death: Death, sandbox: Sandbox, tmp_path: Path) -> None:
    check(death, "run", sandbox, tmp_path, RUN)


def test_a_program_whose_output_is_captured_ends_before_its_supervisor(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    sandbox.fault("pulse", "held", Fault(stall=60))
    death = next(each for each in DEATHS if each.name == "`os._exit(4)`")
    capture = "import subprocess, sys; print(subprocess.run(sys.argv[1:], capture_output=True))"
    command = (sys.executable, "-c", death.program, "auto", *JOBS)
    with started(
        sys.executable, "-c", capture, *command, folder=tmp_path, environ=sandbox.environ
    ) as program:
        assert program.read_line().endswith(r"returncode=4, stdout=b'dying\n', stderr=b'')"), (
            program.errors.read_text()
        )
        assert 0 == program.wait()
        assert [] != program.processes()
        assert set() == cancelled(sandbox, JOBS)


def test_the_next_job_starts_another_sidecar_if_the_first_was_killed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    code = """
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # must not end the program when it uses the first one
with new_guard("pulse", HELD, supervise="required") as held:  # which waits until it answers
    os.write(1, b"holding\\n")
    sys.stdin.readline()
    held.add("pulse", OTHER)
    die()
"""
    command = (sys.executable, "-c", HEAD + code, "auto", *JOBS)
    with started(*command, folder=tmp_path, environ=sandbox.environ) as program:
        assert "holding" == program.read_line(), program.errors.read_text()
        # The process that has started it waits to be reaped.
        others = {*program.processes()} - {program.process.pid}
        sidecars = [pid for pid in others if os.getsid(pid) == pid]
        for pid in sidecars:
            os.kill(pid, signal.SIGKILL)
            assert ends(pid, LIMIT)
        program.close_input()
        assert -signal.SIGKILL == program.wait()
        program.wait_for_all()
        assert 1 == len(sidecars)
        errors = program.errors.read_text()
    assert {"held", "other"} == cancelled(sandbox, JOBS), errors


@pytest.mark.parametrize(
    ("death", "status"),
    [
        ("with held: raise RuntimeError", 1),
        ("die(signal.SIGTERM)", -signal.SIGTERM),
        ("sys.exit(3)", 3),
        ("die()", -signal.SIGKILL),
    ],
    ids=["exception", "SIGTERM", "exit", "SIGKILL"],
)
def test_all_of_many_jobs_are_cancelled(
    death: str, status: int, sandbox: Sandbox, tmp_path: Path
) -> None:
    jobs = {sandbox.submit("pulse", pending=FOREVER) for _ in range(200)}
    code = f"""
held = new_guard()
for job_id in sys.argv[4].split():
    held.add("pulse", job_id)
{death}
"""
    command = (sys.executable, "-c", HEAD + code, "auto", "", "", " ".join(jobs))
    with started(*command, folder=tmp_path, environ=sandbox.environ) as program:
        assert status == program.wait(), program.errors.read_text()
        program.wait_for_all()
    assert jobs == cancelled(sandbox, jobs)
