"""Random families of processes that submit jobs, fork and die: whose jobs are cancelled."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.guard.deaths import HEAD
from tests.guard.programs import FOREVER, cancelled, requested, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FAMILIES = int(os.environ.get("JOBCANCEL_TEST_FAMILIES", "10"))

PROGRAM = (
    HEAD
    + """
import json

def live(steps, end, held):
    for name, value, *others in steps:
        if name == "fork":
            child = os.fork()
            if child == 0:
                begin(*value, held)
            waits, = others
            if waits:
                os.waitpid(child, 0)
        else:
            getattr(held, name)("pulse", value)
    if end == "exception":
        raise RuntimeError
    if end == "_exit":
        os._exit(0)
    if end != "normal":
        os.kill(os.getpid(), getattr(signal, end))
        wait()

def begin(steps, end, has_guard, inherited):
    if has_guard:
        with new_guard() as held:
            live(steps, end, held)
    else:
        live(steps, end, inherited)
        inherited.close()
    os._exit(0)

begin(*json.loads(sys.argv[4]), None)
"""
)


@frozen
class End:
    """A job has ended, one of those that this process or its parents have submitted.

    Args:
        index: which of them; larger indices begin again.
    """

    index: int


@frozen
class Fork:
    """A child is born; its parent waits for its end, or goes on."""

    child: Life
    waits: bool


SUBMIT = "submit"


@frozen
class Life:
    """What a process does.

    Args:
        steps: `SUBMIT`, `End` and `Fork`, in order.
        end: how it ends.
        has_guard: whether it makes a guard, or uses the one of its parent.
    """

    steps: Sequence[str | End | Fork]
    end: str
    has_guard: bool

    def plan(self, job_ids: Iterator[str], known: Sequence[str] = ()) -> tuple[list[Any], set[str]]:
        """Return the arguments of `begin`, and the ids of the jobs that must be cancelled.

        Args:
            job_ids: new ids.
            known: the ids of the jobs of the parents.
        """
        known, steps = [*known], []
        held: set[str] = set()
        left: set[str] = set()
        for step in self.steps:
            if isinstance(step, Fork):
                child, lost = step.child.plan(job_ids, known)
                steps.append(["fork", child, step.waits])
                left |= lost
            elif isinstance(step, End):
                if known:
                    job_id = known[step.index % len(known)]
                    held.discard(job_id)
                    steps.append(["done", job_id])
            else:
                known.append(next(job_ids))
                held.add(known[-1])
                steps.append(["add", known[-1]])
        if self.end != "normal":
            left |= held
        return [steps, self.end, self.has_guard], left


def lives(steps: st.SearchStrategy[Any], has_guard: st.SearchStrategy[bool]) -> Any:
    ends = st.sampled_from(["exception", "_exit", "SIGTERM", "SIGKILL", "normal"])
    some = st.lists(steps, min_size=1, max_size=5)
    return st.builds(Life, some.map(lambda steps: [SUBMIT, *steps]), ends, has_guard)


JOBS = st.just(SUBMIT) | st.builds(End, st.integers(0, 5))
CHILDREN = st.recursive(
    lives(JOBS, st.booleans()),
    lambda children: lives(JOBS | st.builds(Fork, children, st.booleans()), st.booleans()),
    max_leaves=4,
)
FIRST = lives(st.builds(Fork, CHILDREN, st.booleans()) | JOBS, st.just(value=True))


@settings(max_examples=FAMILIES)
@given(life=FIRST)
def test_the_jobs_that_each_process_held_are_cancelled(
    life: Life, running_sandbox: Sandbox
) -> None:
    numbers = itertools.count()
    plan, left = life.plan(f"job-{number}" for number in numbers)
    jobs = [f"job-{number}" for number in range(next(numbers))]
    running_sandbox.reset()
    for job_id in jobs:
        running_sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    command = (sys.executable, "-c", PROGRAM, "auto", "", "", json.dumps(plan))
    with (
        tempfile.TemporaryDirectory() as folder,
        started(*command, folder=Path(folder), environ=running_sandbox.environ) as program,
    ):
        program.wait()
        program.wait_for_all()
        errors = program.errors.read_text()
    assert left == cancelled(running_sandbox, jobs), errors
    assert left == requested(running_sandbox), errors
