"""Shell completion, and help without Python types."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jobcancel import providers
from tests.cli.runs import plain

if TYPE_CHECKING:
    from tests.cli.runs import Run

COMMANDS = ["cancel", "status", "wait", "record", "providers", "new-adapter", "sandbox", "demo"]


def completed(shell: str, *words: str) -> list[str]:
    """Return the completions of the last of these words."""
    line = " ".join(("jobcancel", *words))
    ran = subprocess.run(
        [sys.executable, "-m", "jobcancel"],
        env={
            **os.environ,
            "_JOBCANCEL_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words)),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.split()


def test_provider_names_are_completed() -> None:
    assert ["pulse", "pulse-legacy"] == completed("bash", "cancel", "pul")
    assert list(providers()) == completed("bash", "cancel", "")


@pytest.mark.parametrize("command", ["cancel", "status", "wait", "record", "providers"])
def test_every_command_completes_provider_names(command: str) -> None:
    assert ["talonic"] == completed("bash", command, "tal")


def test_commands_and_options_are_completed() -> None:
    assert ["cancel"] == completed("bash", "canc")
    assert ["--skip-unconfigured"] == completed("bash", "cancel", "--skip")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_works_in_other_shells(shell: str) -> None:
    assert "talonic" in " ".join(completed(shell, "cancel", "tal"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_a_shell(
    run: Run, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: (shell, shell))
    ran = run("--show-completion")
    assert (0, True) == (ran.returncode, "_JOBCANCEL_COMPLETE" in ran.stdout)


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
@pytest.mark.parametrize("width", ["80", "120"])
def test_help_shows_no_types(
    run: Run, command: list[str], width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    shown = run(*command, "--help").stdout
    assert [] == re.findall(r"<\w+(?:\[\w+\])?>", shown)
    assert max(len(line) for line in shown.splitlines()) <= int(width)


def test_help_lists_exit_statuses(run: Run) -> None:
    for command in ([], ["cancel"]):
        shown = plain(run(*command, "--help").stdout)
        for status in ("0 every job is stopped or stopping", "1 some", "2 usage", "130", "143"):
            assert status in shown
