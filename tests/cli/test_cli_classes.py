"""Stopped, stopping and not stopped: exit status, summary, and resuming a run."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from jobcancel import CancelResult, JobReading, Outcome
from jobcancel.cli.output import NOT_STOPPED, STOPPED, STOPPING, printer, style
from jobcancel.sandbox import Fault
from tests.cli.runs import HEADER, rows

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jobcancel.sandbox import Sandbox
    from tests.cli.runs import Run

PENDING, FOREIGN = "sandbox-pending", "sandbox-foreign"


@pytest.fixture
def batch(served: Sandbox) -> str:
    """A batch at OpenAI: a cancel is usually `cancelling`."""
    return served.submit("openai-batch", pending=1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs.ndjson"


def write(file: Path, *jobs: tuple[str, str]) -> str:
    lines = [json.dumps({"provider": provider, "job_id": job_id}) for provider, job_id in jobs]
    file.write_text("\n".join(lines))
    return str(file)


def test_every_outcome_has_the_style_of_its_class() -> None:
    shades = {outcome: style(outcome) for outcome in Outcome}
    assert {Outcome.CANCELLED, Outcome.ALREADY_TERMINAL} == {
        outcome for outcome, shade in shades.items() if shade == STOPPED
    }
    assert [Outcome.CANCELLING] == [o for o, shade in shades.items() if shade == STOPPING]
    assert set(shades.values()) == {STOPPED, STOPPING, NOT_STOPPED}


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--strict"], 1)])
def test_stopping_job_is_status_0_unless_strict(
    run: Run, batch: str, options: list[str], status: int
) -> None:
    ran = run("cancel", *options, "openai-batch", batch)
    assert (status, "cancelling") == (ran.returncode, rows(ran.stdout)[0][2])


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--strict"], 1)])
def test_stopping_job_of_a_file_is_status_0_unless_strict(
    run: Run, batch: str, file: Path, options: list[str], status: int
) -> None:
    path = write(file, ("openai-batch", batch), ("pulse", PENDING))
    ran = run("cancel", *options, "--from", path)
    assert status == ran.returncode
    assert ran.stderr.startswith("cancelled   1\ncancelling  1\n1 of 2 jobs stopped in ")
    assert ran.stderr.endswith("; 1 stopping\n")


@pytest.mark.parametrize("options", [[], ["--strict"]])
def test_job_of_a_file_that_is_not_stopped_is_status_1(
    run: Run, batch: str, file: Path, options: list[str]
) -> None:
    path = write(file, ("openai-batch", batch), ("pulse", PENDING), ("pulse", FOREIGN))
    ran = run("cancel", *options, "--from", path)
    assert ran.returncode == 1
    assert ran.stderr.endswith("; 1 stopping, 1 not stopped\n")


@pytest.mark.usefixtures("terminal")
def test_classes_have_colors(run: Run, batch: str, file: Path) -> None:
    path = write(file, ("openai-batch", batch), ("pulse", PENDING), ("pulse", FOREIGN))
    shown = run("cancel", "--from", path).stdout
    assert "\x1b[32mcancelled" in shown
    assert "\x1b[33mcancelling" in shown
    assert "\x1b[31mforbidden" in shown


def results(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.usefixtures("served")
def test_json_has_the_time_and_the_run(run: Run, batch: str, file: Path) -> None:
    path = write(file, ("openai-batch", batch), ("pulse", PENDING))
    before = datetime.now(UTC)
    runs = [results(run("cancel", "--json", "--from", path).stdout) for _ in range(2)]
    runs.append(results(run("cancel", "--json", "pulse", PENDING, FOREIGN).stdout))
    assert [2, 2, 2] == [len(each) for each in runs]
    assert 3 == len({line["run"] for each in runs for line in each})
    for line in (line for each in runs for line in each):
        assert before <= datetime.fromisoformat(line["at"]) <= datetime.now(UTC)
        assert datetime.fromisoformat(line["at"]).utcoffset() == UTC.utcoffset(None)
        result = CancelResult.from_dict(line)
        assert (line["stopped"], line["accepted"]) == (result.stopped, result.accepted)


@pytest.mark.usefixtures("served")
def test_json_of_a_status_has_the_time_and_the_run(run: Run) -> None:
    first, second = results(run("status", "--json", "pulse", PENDING, FOREIGN).stdout)
    assert first["run"] == second["run"]
    assert datetime.fromisoformat(first["at"]).utcoffset() == UTC.utcoffset(None)
    assert PENDING == JobReading.from_dict(first).job_id


def test_nan_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime.now(UTC)
    result = CancelResult(
        provider="acme", job_id="1", outcome=Outcome.RATE_LIMITED, retry_after=math.nan, at=at
    )
    printer(as_json=True)(result)
    printed = capsys.readouterr().out
    assert "NaN" not in printed
    assert json.loads(printed)["retry_after"] is None


def test_tsv_output_can_be_read_as_jobs(
    run: Run, served: Sandbox, file: Path, tmp_path: Path
) -> None:
    served.fault("pulse", PENDING, Fault(status=404, body={"message": "no such job"}))
    printed = run("cancel", "--from", write(file, ("pulse", PENDING), ("pulse", FOREIGN))).stdout
    assert printed.startswith(HEADER)
    again = tmp_path / "again.tsv"
    again.write_text(printed)
    outcomes = {row[1]: row[2] for row in rows(run("cancel", "--from", str(again)).stdout)}
    assert {PENDING: "cancelled", FOREIGN: "forbidden"} == outcomes


# --done


def cancelling(file: Path, provider: str, job_id: str) -> str:
    """Write the output of an earlier run whose cancel was accepted."""
    done = file.with_name("done.ndjson")
    line = {"provider": provider, "job_id": job_id, "outcome": "cancelling", "run": "earlier"}
    done.write_text(json.dumps(line) + "\n")
    return str(done)


def methods(served: Sandbox, job_id: str) -> list[str]:
    return [each.method for each in served.requests if job_id in each.path]


@pytest.mark.parametrize(
    "read",
    [
        ("cancelled", "cancelled"),
        ("cancelling", "cancelling"),
        ("in_progress", "cancelling"),
        ("completed", "already-terminal"),
        ("failed", "already-terminal"),
    ],
)
def test_stopping_job_is_read_not_cancelled_again(
    run: Run, served: Sandbox, batch: str, file: Path, read: tuple[str, str]
) -> None:
    state, outcome = read
    body = {"id": batch, "object": "batch", "status": state}
    served.fault("openai-batch", batch, Fault(status=200, body=body), on="status")
    path, done = write(file, ("openai-batch", batch)), cancelling(file, "openai-batch", batch)
    ran = run("cancel", "--json", "--from", path, "--done", done)
    (line,) = results(ran.stdout)
    assert (0, outcome, 0, state) == (
        ran.returncode,
        line["outcome"],
        line["attempts"],
        line["raw_state"],
    )
    assert ["GET"] == methods(served, batch)
    assert "an earlier run's cancel was accepted" in line["message"]


@pytest.mark.parametrize("status", [404, 401, 403])
def test_stopping_job_with_unreadable_status_is_cancelled_again(
    run: Run, served: Sandbox, batch: str, file: Path, status: int
) -> None:
    body = {"error": {"message": "no", "type": "invalid_request_error", "code": None}}
    served.fault("openai-batch", batch, Fault(status=status, body=body), on="status")
    path, done = write(file, ("openai-batch", batch)), cancelling(file, "openai-batch", batch)
    (line,) = results(run("cancel", "--json", "--from", path, "--done", done).stdout)
    assert ("cancelling", 1) == (line["outcome"], line["attempts"])
    assert ["GET", "POST"] == methods(served, batch)[:2]


def test_stopping_job_with_unknown_state_is_cancelled_again(
    run: Run, served: Sandbox, batch: str, file: Path
) -> None:
    body = {"id": batch, "object": "batch", "status": "dreaming"}
    served.fault("openai-batch", batch, Fault(status=200, body=body), on="status")
    path, done = write(file, ("openai-batch", batch)), cancelling(file, "openai-batch", batch)
    run("cancel", "--json", "--from", path, "--done", done)
    assert ["GET", "POST"] == methods(served, batch)[:2]


def test_verify_reads_stopping_job_until_it_has_ended(
    run: Run, served: Sandbox, file: Path
) -> None:
    job_id = served.submit("openai-batch", pending=1000)
    for state in ("cancelling", "cancelling", "cancelled"):
        body = {"id": job_id, "object": "batch", "status": state}
        served.fault("openai-batch", job_id, Fault(status=200, body=body), on="status")
    path, done = write(file, ("openai-batch", job_id)), cancelling(file, "openai-batch", job_id)
    (line,) = results(run("cancel", "--json", "--verify", "--from", path, "--done", done).stdout)
    assert ("cancelled", True) == (line["outcome"], line["verified"])
    assert ["GET"] * 3 == methods(served, job_id)


def test_verify_does_not_read_stopping_job_after_the_deadline(
    run: Run, served: Sandbox, batch: str, file: Path
) -> None:
    path, done = write(file, ("openai-batch", batch)), cancelling(file, "openai-batch", batch)
    options = ("--verify", "--deadline", "0.1", "--from", path, "--done", done)
    (line,) = results(run("cancel", "--json", *options).stdout)
    assert ("cancelling", ["GET"]) == (line["outcome"], methods(served, batch))


def test_latest_result_of_several_runs_counts(run: Run, served: Sandbox, file: Path) -> None:
    done = file.with_name("done.ndjson")
    line = {"provider": "pulse", "job_id": PENDING}
    lines = [{**line, "outcome": each} for each in ("cancelling", "cancelled", "unknown")]
    done.write_text("\n".join(map(json.dumps, lines)))
    ran = run("cancel", "--from", write(file, ("pulse", PENDING)), "--done", str(done))
    assert (0, "", []) == (ran.returncode, ran.stdout, methods(served, PENDING))


def test_a_run_is_repeated_until_every_job_is_stopped(
    run: Run, served: Sandbox, file: Path
) -> None:
    job_id = served.submit("openai-batch", pending=1000)
    path, out = write(file, ("openai-batch", job_id)), file.with_name("out.ndjson")
    outcomes = []
    for _ in range(3):
        out.touch()
        ran = run("cancel", "--json", "--from", path, "--done", str(out))
        outcomes += [line["outcome"] for line in results(ran.stdout)]
        out.write_text(out.read_text() + ran.stdout)
        served.fault(
            "openai-batch",
            job_id,
            Fault(status=200, body={"id": job_id, "object": "batch", "status": "cancelled"}),
            on="status",
        )
    assert ["cancelling", "cancelled"] == outcomes
