"""`jobcancel demo`: every situation comes out as it should, or the demo says that it does not."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from jobcancel import Canceller, JobState, Outcome
from jobcancel.cli import demo
from jobcancel.sandbox import SITUATIONS, Sandbox
from jobcancel.testing.clocks import StillClock
from tests.cli.runs import ESCAPE

if TYPE_CHECKING:
    from tests.cli.runs import Run

PENDING = next(each for each in SITUATIONS if each.name == "pending")
FAILED = next(each for each in SITUATIONS if each.name == "failed")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _waits_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the client and the sandbox a clock in common that only the client's waits move."""
    clock = StillClock().clock

    def canceller(**settings: Any) -> Canceller:
        made = Canceller(**settings)
        made._clock = clock
        return made

    monkeypatch.setattr(demo, "Canceller", canceller)
    monkeypatch.setattr(demo, "Sandbox", partial(Sandbox, now=clock.wall))


def test_every_outcome_is_as_expected_whatever_the_environment_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULSE_BASE_URL", "TALONIC_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setenv("PULSE_API_KEY", "the user's own")
    ran = run("demo")
    lines = ran.stdout.splitlines()
    rows = 3 + sum({"pulse": 2, "talonic": 1}[each.vendor] for each in SITUATIONS)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(rf"{rows} of {rows} outcomes as expected, in \d+\.\d s", lines[-1])
    assert lines[0].split() == ["provider", "situation", "outcome", "state", "attempts", "time"]
    assert len(lines) == rows + 2
    assert max(map(len, lines)) <= 80


def test_an_outcome_that_is_not_the_expected_one_is_status_1(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = evolve(PENDING, outcome=Outcome.FORBIDDEN)
    monkeypatch.setattr(demo, "SITUATIONS", (wrong, FAILED))
    ran = run("demo")
    assert ran.returncode == 1
    assert "  WRONG: expected forbidden: Job cancelled successfully" in ran.stdout.splitlines()
    assert "\n5 of 7 outcomes as expected" in ran.stdout


@pytest.mark.usefixtures("terminal")
def test_a_terminal_marks_the_wrong_rows_in_red(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = evolve(FAILED, state=JobState.EXPIRED)
    monkeypatch.setattr(demo, "SITUATIONS", (PENDING, wrong))
    ran = run("demo")
    assert ran.returncode == 1
    assert "\x1b[1;31malready-terminal" in ran.stdout
    assert "\x1b[32mcancelled" in ran.stdout
    assert "WRONG: expected already-terminal, state expired" in ran.stdout
    assert max(len(line) for line in ESCAPE.sub("", ran.stdout).splitlines()[:4]) <= 80
