"""`jobcancel demo`: every situation comes out as it should, or the demo says that it does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from jobcancel import Outcome
from jobcancel.cli import demo
from jobcancel.registry import BUILT_IN
from jobcancel.sandbox import SITUATIONS
from jobcancel.sandbox.vendors.catalog import VENDORS
from tests.cli.runs import ESCAPE

if TYPE_CHECKING:
    from tests.cli.runs import Run

PENDING, FAILED = (
    next(each for each in SITUATIONS if (each.provider, each.name) == ("pulse", name))
    for name in ("pending", "failed")
)
NOWHERE = "http://127.0.0.1:9"


def test_every_outcome_is_as_expected_whatever_the_environment_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULSE_BASE_URL", "TALONIC_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setenv("PULSE_API_KEY", "the user's own")
    ran = run("demo")
    lines = ran.stdout.splitlines()
    pulse = [each.name for each in SITUATIONS if each.provider == "pulse"]
    rows = len(SITUATIONS) + len(pulse)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(rf"{rows} of {rows} outcomes as expected, in \d+\.\d s", lines[-1])
    assert lines[0].split() == ["provider", "situation", "outcome", "state", "attempts", "time"]
    assert [line.split()[1] for line in lines if line.startswith("pulse ")] == pulse
    assert len(lines) == len(pulse) + len(BUILT_IN) + 1
    assert max(map(len, lines)) <= 80


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two situations at one vendor, one of them with a wrong expectation."""
    wrong = evolve(PENDING, outcomes=frozenset({Outcome.FORBIDDEN}))
    monkeypatch.setattr(demo, "SITUATIONS", (wrong, FAILED))
    pulse = VENDORS["pulse"]
    monkeypatch.setattr(demo, "PROVIDERS", {"pulse": pulse, "pulse-legacy": pulse})
    monkeypatch.setattr(demo, "VENDORS", {"pulse": pulse})


@pytest.mark.usefixtures("_few")
def test_an_unexpected_outcome_is_status_1(run: Run) -> None:
    ran = run("demo")
    lines = ran.stdout.splitlines()
    assert ran.returncode == 1
    assert lines.count("  WRONG: expected forbidden: Job cancelled successfully") == 2
    assert "pulse-legacy  1 of 2 situations as expected" in lines
    assert "\n2 of 4 outcomes as expected" in ran.stdout


@pytest.mark.usefixtures("terminal", "_few")
def test_a_terminal_marks_the_wrong_rows_in_red(run: Run) -> None:
    ran = run("demo")
    assert ran.returncode == 1
    assert "\x1b[1;31mcancelled" in ran.stdout
    assert "\x1b[32malready-terminal" in ran.stdout
    assert max(len(line) for line in ESCAPE.sub("", ran.stdout).splitlines()[:4]) <= 80
