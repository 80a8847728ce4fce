"""`jobcancel cancel`: its output and exit status."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from jobcancel import CancelResult, JobState
from jobcancel.sandbox import Fault
from tests.cli.runs import ESCAPE, HEADER, plain, rows

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox
    from tests.cli.runs import Run

TALONIC_PROCESSING = "00000000-0000-4000-8000-000000000002"

pytestmark = pytest.mark.usefixtures("served")


def test_cancelled_job_is_one_tsv_line_and_status_0(run: Run) -> None:
    ran = run("cancel", "pulse", "abc123-def456-ghi789")
    line = "pulse\tabc123-def456-ghi789\tcancelled\t-\tJob cancelled successfully\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, HEADER + line, "")


def test_ended_job_counts_as_stopped(run: Run) -> None:
    ran = run("cancel", "pulse", "sandbox-completed")
    assert ran.returncode == 0
    assert rows(ran.stdout)[0][:4] == [
        "pulse",
        "sandbox-completed",
        "already-terminal",
        "succeeded",
    ]


def test_one_job_that_is_not_stopped_is_status_1(run: Run) -> None:
    ran = run("cancel", "pulse", "sandbox-pending", "sandbox-foreign", "sandbox-processing")
    outcomes = [row[2] for row in rows(ran.stdout)]
    assert (ran.returncode, outcomes) == (1, ["cancelled", "forbidden", "cancelled"])


def test_json_has_the_result_and_stopped(run: Run) -> None:
    ran = run("cancel", "--json", "pulse", "sandbox-pending", "sandbox-unknown")
    first, second = map(json.loads, ran.stdout.splitlines())
    assert (first.pop("stopped"), second.pop("stopped")) == (True, False)
    assert CancelResult.from_dict(first).job_id == "sandbox-pending"
    assert ran.returncode == 1


def test_verify_reports_that_the_job_completed(run: Run) -> None:
    ran = run("cancel", "--verify", "--deadline", "5", "pulse", "sandbox-completes-anyway")
    assert rows(ran.stdout)[0][2:4] == ["already-terminal", "succeeded"]


def test_id_with_leading_dash_follows_double_dash(run: Run) -> None:
    assert rows(run("cancel", "pulse", "--", "-x").stdout)[0][:3] == ["pulse", "-x", "not-found"]


def test_pipe_gets_no_escape_sequences_or_line_breaks(run: Run, served: Sandbox) -> None:
    body = {"error": {"message": "\x1b[2Jgone\r\n\tpulse\u202e\ud800", "code": "X"}}
    served.fault("pulse", "sandbox-pending", Fault(status=404, body=json.dumps(body)))
    ran = run("cancel", "pulse", "sandbox-pending")
    line = "pulse\tsandbox-pending\tnot-found\t-\t [2Jgone   pulse ?\n"
    assert ran.stdout == HEADER + line


@pytest.mark.usefixtures("terminal")
def test_terminal_gets_no_escape_sequences_or_markup(run: Run, served: Sandbox) -> None:
    body = {"error": {"message": "\x1b[2J[red]no[/red] :bomb:"}}
    served.fault("pulse", "sandbox-pending", Fault(status=404, body=json.dumps(body)))
    ran = run("cancel", "pulse", "sandbox-pending")
    assert "\x1b[2J" not in ran.stdout
    assert "[2J[red]no[/red] :bomb:" in plain(ran.stdout)


@pytest.mark.usefixtures("terminal")
def test_terminal_output_has_colors_and_fits(run: Run) -> None:
    jobs = [TALONIC_PROCESSING, "not-a-uuid", "00000000-0000-4000-8000-000000000021"]
    ran = run("cancel", "talonic", *jobs)
    assert "\x1b[32mcancelled" in ran.stdout
    assert "\x1b[31minvalid" in ran.stdout
    assert "12 of 48 done" in plain(ran.stdout)
    assert "try again in 3600 s" in plain(ran.stdout)
    assert max(len(line) for line in ESCAPE.sub("", ran.stdout).splitlines()) <= 80


def test_message_is_beside_the_result_if_there_is_room(
    run: Run, terminal: pytest.MonkeyPatch
) -> None:
    terminal.setenv("COLUMNS", "120")
    ran = run("cancel", "talonic", TALONIC_PROCESSING, "not-a-uuid")
    lines = ESCAPE.sub("", ran.stdout).splitlines()
    assert [line.split()[1] for line in lines if "must be a UUID" in line] == ["not-a-uuid"]


def test_no_color_disables_colors(run: Run, terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in run("cancel", "pulse", "sandbox-pending").stdout


def test_deprecated_provider_prints_a_message_not_a_python_warning(run: Run) -> None:
    ran = run("cancel", "pulse-legacy", "sandbox-pending")
    assert ran.returncode == 0
    assert ran.stderr == "jobcancel: 'pulse-legacy' is deprecated; use 'pulse'\n"


def test_status_prints_normalized_state(run: Run) -> None:
    ran = run("status", "pulse", "sandbox-processing", "sandbox-completed")
    cells = [row[1:4] for row in rows(ran.stdout)]
    assert cells == [
        ["sandbox-processing", "ok", "running"],
        ["sandbox-completed", "ok", "succeeded"],
    ]
    assert ran.returncode == 0


def test_unreadable_state_is_status_1(run: Run) -> None:
    ran = run("status", "pulse", "sandbox-unknown", "sandbox-pending")
    cells = [row[2:4] for row in rows(ran.stdout)]
    assert (ran.returncode, cells) == (1, [["not-found", "-"], ["ok", "pending"]])


def test_status_as_json_has_no_stopped(run: Run) -> None:
    read = json.loads(run("status", "--json", "pulse", "sandbox-pending").stdout)
    assert (read["state"], "stopped" in read) == (JobState.PENDING, False)


@pytest.mark.usefixtures("terminal")
def test_status_on_a_terminal_shows_the_raw_state(run: Run, served: Sandbox) -> None:
    body = {"job_id": "sandbox-pending", "status": "dreaming"}
    served.fault("pulse", "sandbox-pending", Fault(status=200, body=body), on="status")
    ran = run("status", "pulse", "sandbox-pending")
    shown = "pulse sandbox-pending ok unknown the vendor reports 'dreaming'"
    assert plain(ran.stdout) == f"provider job id outcome state {shown}"


@pytest.mark.usefixtures("terminal")
def test_progress_without_total_is_shown(run: Run, served: Sandbox) -> None:
    body = {"id": TALONIC_PROCESSING, "status": "processing", "completed_documents": 3}
    served.fault("talonic", TALONIC_PROCESSING, Fault(status=200, body=body), on="status")
    ran = run("status", "talonic", TALONIC_PROCESSING)
    assert plain(ran.stdout).endswith("running the vendor reports 'processing'; 3 done")


def test_output_encoding_does_not_stop_the_run(
    run: Run, served: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"error": {"message": "für dich \u2192 nein"}}
    served.fault("pulse", "sandbox-pending", Fault(status=404, body=body))
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output, encoding="latin-1"))
    assert run("cancel", "pulse", "sandbox-pending").returncode == 1
    assert output.getvalue().decode("latin-1").endswith("\tfür dich \\u2192 nein\n")
