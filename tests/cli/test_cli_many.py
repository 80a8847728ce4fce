"""`jobcancel cancel --from`: its output, skipped jobs, and exit status."""

from __future__ import annotations

import io
import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from jobcancel import CancelResult, Outcome
from jobcancel.cli.progress import Tally, _Bar
from tests.cli.runs import ESCAPE, plain, rows

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jobcancel.sandbox import Sandbox
    from tests.cli.runs import Run

STOPPED, FOREIGN = "sandbox-pending", "sandbox-foreign"
MORE = ("sandbox-processing", "abc123-def456-ghi789")
TALONIC_PROCESSING = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


def write(file: Path, *lines: str) -> str:
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


def sent(sandbox: Sandbox) -> int:
    return sum(each.method == "DELETE" for each in sandbox.requests)


def results(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.usefixtures("served")
def test_jobs_of_several_providers_are_cancelled(run: Run, file: Path) -> None:
    path = write(file, "provider,job_id", f"pulse,{STOPPED}", f"talonic,{TALONIC_PROCESSING}")
    ran = run("cancel", "--from", path)
    lines = sorted(row[:3] for row in rows(ran.stdout))
    expected = [["pulse", STOPPED, "cancelled"], ["talonic", TALONIC_PROCESSING, "cancelled"]]
    assert (ran.returncode, lines) == (0, expected)
    assert ran.stderr.startswith("cancelled  2\n2 of 2 jobs stopped in ")


def test_hundred_jobs_have_hundred_results(run: Run, served: Sandbox, file: Path) -> None:
    job_ids = [served.submit("pulse", pending=1000) for _ in range(100)]
    ran = run("cancel", "pulse", "--json", "--from", write(file, *job_ids))
    assert ran.returncode == 0
    assert sorted(job_ids) == sorted(each["job_id"] for each in results(ran.stdout))


@pytest.mark.usefixtures("served")
def test_one_job_that_is_not_stopped_is_status_1(run: Run, file: Path) -> None:
    ran = run("cancel", "pulse", "--from", write(file, STOPPED, FOREIGN))
    assert ran.returncode == 1
    assert ran.stderr.startswith("cancelled  1\nforbidden  1\n1 of 2 jobs stopped in ")


@pytest.mark.usefixtures("served")
def test_malformed_line_does_not_stop_the_run(run: Run, file: Path) -> None:
    path = write(file, json.dumps({"job_id": STOPPED}), "{oops", json.dumps({"job_id": FOREIGN}))
    ran = run("cancel", "pulse", "--json", "--from", path)
    outcomes = sorted(each["outcome"] for each in results(ran.stdout))
    assert (ran.returncode, outcomes) == (2, ["cancelled", "forbidden"])
    assert f"jobcancel: {path}, line 2: not JSON: " in ran.stderr
    assert "\nmalformed  1\n1 of 2 jobs stopped in " in ran.stderr


@pytest.mark.usefixtures("served")
def test_report_of_malformed_line_is_cut_off(run: Run, file: Path) -> None:
    path = write(file, json.dumps({"job_id": ["x" * 10_000]}))
    ran = run("cancel", "pulse", "--from", path)
    assert ran.returncode == 2
    assert max(map(len, ran.stderr.splitlines())) < 500


def test_param_option_applies_to_all_lines(run: Run, served: Sandbox, file: Path) -> None:
    ran = run("cancel", "pulse", "--param", "room=1", "--from", write(file, STOPPED))
    assert ran.returncode == 2
    assert "line 1: 'pulse' has no param 'room'" in ran.stderr
    assert sent(served) == 0


def test_jobs_that_an_earlier_run_stopped_are_skipped(
    run: Run, served: Sandbox, file: Path
) -> None:
    path = write(file, STOPPED, FOREIGN, *MORE)
    printed = run("cancel", "pulse", "--json", "--from", path).stdout
    done = file.with_name("done.ndjson")
    done.write_text("".join(line for line in printed.splitlines(keepends=True) if "b" in line))
    before = sent(served)
    ran = run("cancel", "pulse", "--json", "--from", path, "--done", str(done))
    assert [FOREIGN] == [each["job_id"] for each in results(ran.stdout)]
    assert "\nskipped    3\n0 of 1 jobs stopped in " in ran.stderr
    assert sent(served) == before + 1


def test_job_with_other_params_is_not_skipped(run: Run, served: Sandbox, file: Path) -> None:
    served.submit("runpod", job_id="7")
    path = write(file, "provider,job_id,endpoint", "runpod,7,first", "runpod,7,second")
    done = file.with_name("done.ndjson")
    done.write_text(run("cancel", "--json", "--from", path).stdout.splitlines(keepends=True)[0])
    stopped = json.loads(done.read_text())["params"]["endpoint"]
    (left,) = results(run("cancel", "--json", "--from", path, "--done", str(done)).stdout)
    assert {"first", "second"} == {stopped, left["params"]["endpoint"]}


@pytest.mark.usefixtures("served")
def test_invalid_lines_of_done_file_are_counted(run: Run, file: Path) -> None:
    done = file.with_name("done.ndjson")
    one = {"provider": "pulse", "job_id": STOPPED, "outcome": "cancelled"}
    wrong = [{**one, "outcome": "gone"}, {**one, "job_id": 7}, {**one, "provider": None}, [1], {}]
    lines = ["", '{"provider": "pul', "\ud800", *map(json.dumps, [*wrong, one])]
    done.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    arguments = ("cancel", "pulse", "--from", write(file, STOPPED), "--done", str(done))
    ran = run(*arguments)
    assert (ran.returncode, ran.stdout) == (0, "")
    first, second, _ = ran.stderr.splitlines()
    message = f"jobcancel: {done}: ignored 7 lines that --json did not write, or not to the end"
    assert message == first
    assert second == "skipped  1"


@pytest.mark.usefixtures("served")
def test_cut_off_line_of_done_file_is_invalid(run: Run, file: Path) -> None:
    done = write(file.with_name("done.ndjson"), '{"provider": "pulse", "job')
    ran = run("cancel", "pulse", "--from", write(file, STOPPED), "--done", done)
    assert ran.returncode == 0
    assert ran.stderr.startswith(f"jobcancel: {done}: ignored 1 line that --json did not write")


@pytest.mark.usefixtures("served")
def test_missing_done_file_is_empty(run: Run, file: Path) -> None:
    done = str(file.with_name("nothing"))
    ran = run("cancel", "pulse", "--from", write(file, STOPPED), "--done", done)
    assert ran.returncode == 0
    assert ran.stderr.startswith(f"jobcancel: {done} does not exist yet; no jobs to skip\n")


def test_missing_key_ends_the_run_at_once(run: Run, file: Path) -> None:
    ran = run("cancel", "pulse", "--from", write(file, *MORE))
    expected = "jobcancel: no API key for 'pulse': set PULSE_API_KEY or use --api-key-file\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", expected)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("named", [["pulse-legacy"], []])
def test_deprecated_provider_is_reported_once(run: Run, file: Path, named: list[str]) -> None:
    lines = [f"{job_id},pulse-legacy" for job_id in (STOPPED, *MORE)]
    ran = run("cancel", *named, "--from", write(file, "job_id,provider", *lines))
    assert ran.returncode == 0
    assert ran.stderr.count("'pulse-legacy' is deprecated; use 'pulse'") == 1


def test_rate_can_be_set_for_all_or_by_provider(run: Run, served: Sandbox, file: Path) -> None:
    path = write(file, STOPPED)
    for rates in (["--rate", "60/s"], ["--rate", "pulse=60/s", "--rate", "talonic=1/min"]):
        assert run("cancel", "pulse", "--from", path, *rates).returncode == 0
    assert sent(served) == 2


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing PROVIDER (or use --from FILE)"),
        (["pulse", "a", "--done", "x"], "--done: it needs --from"),
        (["pulse", "a", "--rate", "1/s"], "--rate: it needs --from"),
        (["pulse", "a", "--concurrency", "32"], "--concurrency: it needs --from"),
        (["pulse", "a", "--max-wait", "1"], "--max-wait: it needs --from"),
        (["pulse", "a", "--from", "FILE"], "JOB_ID: the ids are in the file of --from"),
        (["--from", "FILE", "--api-key-file", "x"], "--api-key-file: it needs PROVIDER"),
        (["--from", "FILE", "--base-url", "http://x"], "--base-url: it needs PROVIDER"),
        (["pulse", "--from", "-", "--api-key-file", "-"], "standard input is either the key or"),
        (["pulse", "--from", "FILE", "--rate", "1/s", "--rate", "pulse=1/s"], "one rate for all"),
        (["pulse", "--from", "FILE", *["--rate", "pulse=1/s"] * 2], "one rate for all"),
        (["pulse", "--from", "FILE", "--rate", "fast"], "jobcancel: rate 'fast' is invalid"),
        (["pulse", "--from", "FILE", "--concurrency", "0"], "jobcancel: concurrency must be"),
        (["pulse", "--from", "FILE", "--max-wait", "-1"], "jobcancel: max_wait must be"),
        (["plse", "--from", "FILE"], "jobcancel: no provider 'plse'; did you mean 'pulse'?"),
        (["--from", "FILE"], "looks like a plain job ID (no NDJSON, no 'job_id' CSV header); pass"),
        (["pulse", "--from", "/"], "jobcancel: cannot read /: Is a directory"),
        (["pulse", "--from", "/no/file"], "jobcancel: cannot read /no/file: No such file"),
        (["pulse", "--from", "FILE", "--done", "/"], "jobcancel: cannot read '/': Is a directory"),
    ],
)
def test_invalid_arguments_are_reported(
    run: Run, file: Path, arguments: list[str], message: str
) -> None:
    path = write(file, STOPPED)
    ran = run("cancel", *(path if each == "FILE" else each for each in arguments))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in plain(ran.stderr)


@pytest.mark.usefixtures("served")
def test_closed_stderr_does_not_stop_the_run(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    ran = run("cancel", "pulse", "--from", write(file, STOPPED))
    assert (ran.returncode, rows(ran.stdout)[0][2]) == (0, "cancelled")


@pytest.mark.usefixtures("terminal")
def test_terminal_cuts_messages_of_stopped_jobs_only(run: Run, served: Sandbox, file: Path) -> None:
    long = served.submit("pulse", pending=1000)
    lines = [f"pulse,{long}", "talonic,not-a-uuid"]
    ran = run("cancel", "--from", write(file, "provider,job_id", *lines))
    shown = ESCAPE.sub("", ran.stdout).splitlines()
    assert max(map(len, shown)) <= 80
    assert [line for line in shown if long in line and line.endswith("…")]
    assert "\x1b[31minvalid" in ran.stdout
    assert "…" not in " ".join(line for line in shown if long not in line)
    assert "must be a UUID" in plain(ran.stdout)


@pytest.mark.usefixtures("served", "terminal")
def test_json_on_a_terminal_is_one_object_per_line(run: Run, file: Path) -> None:
    ran = run("cancel", "pulse", "--json", "--from", write(file, STOPPED))
    assert [STOPPED] == [each["job_id"] for each in results(ran.stdout)]


class Interrupting(io.TextIOWrapper):
    """An output during whose writes Ctrl-C is pressed."""

    times = 1

    def write(self, text: str) -> int:
        half = len(text) // 2
        super().write(text[:half])
        for _ in range(self.times if text else 0):  # typer tries whether it takes text
            signal.raise_signal(signal.SIGINT)
        return super().write(text[half:])


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("times", "whole"), [(1, True), (2, True), (3, False)])
def test_third_ctrl_c_interrupts_a_write(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch, times: int, whole: bool
) -> None:
    monkeypatch.setattr(Interrupting, "times", times)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Interrupting(output, encoding="utf-8"))
    path = write(file, STOPPED)
    try:
        ran = run("cancel", "pulse", "--from", path)
    finally:
        sys.stdout.flush()
        signal.signal(signal.SIGINT, handler)
    assert ran.returncode == 130
    assert output.getvalue().decode().endswith("\n") is whole
    assert f"interrupted: {int(whole)} of 1 jobs stopped" in ran.stderr


def shown(tally: Tally, total: int | None, *times: float) -> str:
    """Return the text of the bar after one stopped job at each of these times."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    bar = _Bar(tally, total, console)
    result = CancelResult(provider="pulse", job_id="a", outcome=Outcome.CANCELLED)
    for now in times:
        bar.get_time = lambda now=now: now  # type: ignore[misc]
        tally.add(result)
        bar.get_renderable()
    with console.capture() as captured:
        console.print(bar.get_renderable())
    return ESCAPE.sub("", captured.get()).replace("━", " ").replace("╸", " ")


def test_bar_shows_progress_and_classes() -> None:
    tally = Tally(skipped=3, malformed=1)
    for outcome in (Outcome.FORBIDDEN, Outcome.CANCELLING, Outcome.CANCELLING):
        tally.add(CancelResult(provider="pulse", job_id="a", outcome=outcome))
    first, second = shown(tally, 2000, 0.0, 0.1, 0.2).splitlines()
    assert "6 of 2,000 done 10/s 0:03:20 left" == first.strip()
    assert "3 stopped  2 stopping  1 not stopped" == second


def test_bar_of_a_pipe_has_no_total() -> None:
    first, second = shown(Tally(), None).splitlines()
    assert "0 done -/s -:--:-- left" == first.strip()
    assert "0 stopped  0 stopping  0 not stopped" == second


def test_bar_of_ten_million_jobs_fits_80_columns() -> None:
    tally = Tally()
    tally.outcomes.update(dict.fromkeys(Outcome, 1_234_567))
    first, second = shown(tally, 20_000_000, 0.0, 0.1, 0.2).splitlines()
    assert "12,345,673 of 20,000,000 done 10/s" in first
    assert "left" in first
    assert "not stopped" in second
    assert max(len(first), len(second)) <= 80
