"""Ctrl-C and SIGTERM in real processes, and the command that resumes what they interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from jobcancel.sandbox import Fault
from tests.cli.runs import HEADER, started

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

STALLED = "sandbox-processing"
NUMBER = 20
ONE_BY_ONE = ("--concurrency", "1")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}

both_signals = pytest.mark.parametrize("sent", [*STATUS], ids=lambda each: each.name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that runs are started in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_jobs(served: Sandbox, path: Path) -> list[str]:
    """Write the ids of jobs, one of which, in the middle, is answered late."""
    job_ids = [served.submit("pulse", pending=1000) for _ in range(NUMBER)]
    job_ids.insert(NUMBER // 2, STALLED)
    path.write_text("\n".join(job_ids))
    return job_ids


def until_asked(served: Sandbox, job_id: str, process: subprocess.Popen[str]) -> None:
    while not any(job_id in each.path for each in served.requests):
        assert process.poll() is None
        time.sleep(0.01)


def deletes(served: Sandbox) -> int:
    return sum(each.method == "DELETE" for each in served.requests)


@both_signals
def test_the_first_signal_lets_what_is_on_its_way_be_answered_and_counts_what_was_not_sent(
    served: Sandbox, folder: Path, sent: signal.Signals
) -> None:
    job_ids = write_jobs(served, folder / "jobs")
    served.fault("pulse", STALLED, Fault(stall=1.5))
    arguments = ("cancel", "pulse", "--json", "--from", "jobs", *ONE_BY_ONE)
    with started(*arguments) as (process, output, errors):
        until_asked(served, STALLED, process)
        process.send_signal(sent)
        lines, told = output.readlines(), errors.read()
        assert STATUS[sent] == process.wait()
    answered = [json.loads(line)["job_id"] for line in lines]
    assert job_ids[: NUMBER // 2 + 1] == answered
    assert len(answered) == deletes(served)
    assert "jobcancel: Finishing in-flight requests... " in told
    assert f"interrupted: 11 of {NUMBER + 1} jobs stopped in " in told
    assert "; 10 not sent\n" in told


@both_signals
def test_the_second_signal_abandons_what_is_on_its_way(
    served: Sandbox, folder: Path, sent: signal.Signals
) -> None:
    write_jobs(served, folder / "jobs")
    served.fault("pulse", STALLED, Fault(stall=60))
    arguments = ("cancel", "pulse", "--json", "--from", "jobs", *ONE_BY_ONE)
    with started(*arguments) as (process, output, errors):
        until_asked(served, STALLED, process)
        process.send_signal(sent)
        told = errors.readline() + errors.readline()
        process.send_signal(sent)
        outcomes = [json.loads(line)["outcome"] for line in output]
        told += errors.read()
        assert STATUS[sent] == process.wait()
    assert [*["cancelled"] * (NUMBER // 2), "unknown"] == outcomes
    assert "Traceback" not in told
    assert "; 1 not stopped, 10 not sent\n" in told


def test_the_first_signal_decides_the_exit_status(served: Sandbox, folder: Path) -> None:
    write_jobs(served, folder / "jobs")
    served.fault("pulse", STALLED, Fault(stall=60))
    with started("cancel", "pulse", "--from", "jobs", *ONE_BY_ONE) as (process, _, errors):
        until_asked(served, STALLED, process)
        process.send_signal(signal.SIGTERM)
        assert "send SIGTERM again" in errors.readline() + errors.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 143


def test_a_job_whose_status_is_being_read_is_still_stopping(served: Sandbox, folder: Path) -> None:
    job_id = served.submit("openai-batch", pending=1000)
    line = {"provider": "openai-batch", "job_id": job_id, "outcome": "cancelling"}
    (folder / "done").write_text(json.dumps(line))
    (folder / "jobs").write_text(job_id)
    body = {"id": job_id, "object": "batch", "status": "in_progress"}
    served.fault("openai-batch", job_id, Fault(status=200, body=body), on="status")
    arguments = ("openai-batch", "--verify", "--from", "jobs", "--done", "done")
    with started("cancel", "--json", *arguments) as (process, output, _):
        until_asked(served, job_id, process)
        process.send_signal(signal.SIGINT)
        result = json.loads(output.read())
        assert process.wait() == 130
    assert ("cancelling", 0) == (result["outcome"], result["attempts"])
    assert result["message"] == (
        "an earlier run's cancel was accepted; the run was stopped before the outcome was known"
    )


def test_what_is_skipped_or_no_job_does_not_count_as_not_sent(
    served: Sandbox, folder: Path
) -> None:
    job_ids = write_jobs(served, folder / "jobs")
    (folder / "jobs").write_text("\n".join(["job_id", "a,b", *job_ids]))
    line = {"provider": "pulse", "job_id": job_ids[-1], "outcome": "cancelled"}
    (folder / "done").write_text(json.dumps(line))
    served.fault("pulse", STALLED, Fault(stall=1.5))
    arguments = ("cancel", "pulse", "--from", "jobs", "--done", "done", *ONE_BY_ONE)
    with started(*arguments) as (process, _, errors):
        until_asked(served, STALLED, process)
        process.send_signal(signal.SIGINT)
        told = errors.read()
    assert f"interrupted: 11 of {NUMBER} jobs stopped in " in told
    assert "; 9 not sent\n" in told


# The command that resumes


def interrupt_in_shell(
    served: Sandbox, command: str, sent: signal.Signals = signal.SIGTERM
) -> tuple[str, str]:
    """Run a command in a shell, interrupt it, and return what it says and what resumes it."""
    served.fault("pulse", STALLED, Fault(stall=1.5))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"],  # noqa: S607 - whichever bash there is
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until_asked(served, STALLED, process)
        process.send_signal(sent)
        _, told = process.communicate()
    assert STATUS[sent] == process.returncode, told
    return told, told.splitlines()[-1]


def finish(resume: str) -> subprocess.CompletedProcess[str]:
    """Copy what resumes a run into a shell."""
    words, _, command = resume.partition(": ")[2].partition(": ")
    assert words == "to resume"
    return subprocess.run(
        ["bash", "-c", command],  # noqa: S607 - likewise
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


JOBCANCEL = f"{sys.executable} -m jobcancel"


@pytest.mark.parametrize(
    ("jobs", "out", "more"),
    [
        ("jobs", "out", "pulse"),
        ("my jobs", "my out.ndjson", "--done missing --done 'my out.ndjson' pulse"),
        ("jo'bs", 'ou"t $HOME `id` \\ *', "-- pulse"),
        ("-jobs", "-out", "--done ./-out -- pulse"),
        ("jöbs\u202f\xa0", "out\tof\nlines\x7f", "pulse"),
        ("sub/jobs", "sub/out", "--done=$PWD/sub/out pulse"),
    ],
)
def test_the_resuming_command_works_when_it_is_copied(
    served: Sandbox, folder: Path, jobs: str, out: str, more: str
) -> None:
    (folder / "sub").mkdir()
    job_ids = write_jobs(served, folder / jobs)
    source, output = (_quoted(f"./{name}" if name[0] == "-" else name) for name in (jobs, out))
    command = f"{JOBCANCEL} cancel --json --from={source} --concurrency 1 {more} >> {output}"
    _, resume = interrupt_in_shell(served, command)
    before = deletes(served)
    ran = finish(resume)
    assert (0, "") == (ran.returncode, ran.stdout), ran.stderr
    answered = [json.loads(line)["job_id"] for line in (folder / out).read_text().splitlines()]
    assert sorted(job_ids) == sorted(answered)
    assert NUMBER // 2 == deletes(served) - before
    assert "skipped    11\n10 of 10 jobs stopped in " in ran.stderr


def _quoted(name: str) -> str:
    return "$'" + "".join(f"\\x{byte:02x}" for byte in os.fsencode(name)) + "'"


def test_jobs_that_were_redirected_are_redirected_again(served: Sandbox, folder: Path) -> None:
    write_jobs(served, folder / "my jobs")
    command = f"{JOBCANCEL} cancel pulse --json --from - --concurrency 1"
    _, resume = interrupt_in_shell(served, f"{command} < 'my jobs' >> out")
    assert resume.endswith(" < 'my jobs' >> out")
    assert finish(resume).returncode == 0
    assert NUMBER + 1 == len((folder / "out").read_text().splitlines())


def test_results_that_are_no_json_are_appended_and_not_skipped(
    served: Sandbox, folder: Path
) -> None:
    write_jobs(served, folder / "jobs")
    _, resume = interrupt_in_shell(
        served, f"{JOBCANCEL} cancel pulse --from jobs --concurrency 1 > out.tsv"
    )
    assert "--done" not in resume
    assert finish(resume).returncode == 0
    lines = (folder / "out.tsv").read_text().splitlines(keepends=True)
    assert [0] == [number for number, line in enumerate(lines) if line == HEADER]
    assert NUMBER + 1 + NUMBER // 2 + 2 == len(lines)


def test_an_output_that_is_no_file_leaves_the_command_as_it_is(
    served: Sandbox, folder: Path
) -> None:
    write_jobs(served, folder / "jobs")
    command = f"{JOBCANCEL} cancel pulse --json --from jobs --concurrency 1"
    _, resume = interrupt_in_shell(served, command)
    assert f"jobcancel: to resume: {command}" == resume


def test_an_output_without_a_name_is_called_by_another(served: Sandbox, folder: Path) -> None:
    write_jobs(served, folder / "jobs")
    command = f"{JOBCANCEL} cancel pulse --json --from jobs --concurrency 1"
    _, resume = interrupt_in_shell(served, f"bash -c 'rm out; exec {command}' >> out")
    assert resume.startswith("jobcancel: to resume, with this run's output for OUTPUT: ")
    assert "cancel --done OUTPUT pulse" in resume
    assert resume.endswith(" >> OUTPUT")


def test_a_file_in_another_folder_has_its_whole_name(served: Sandbox, folder: Path) -> None:
    write_jobs(served, folder / "jobs")
    (folder / "sub").mkdir()
    out = folder / "out"
    command = f"{JOBCANCEL} cancel pulse --json --from ../jobs --concurrency 1 >> ../out"
    _, resume = interrupt_in_shell(served, f"bash -c 'cd sub; exec {command}'")
    assert resume.endswith(f" >> {out}")


@pytest.mark.parametrize("name", ["found", "by path"])
def test_the_installed_program_is_called_as_it_was(
    served: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_jobs(served, folder / "jobs")
    program = folder / "bin" / "jobcancel"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom jobcancel.cli import main\nif __name__ == '__main__': main()\n"
    )
    program.chmod(0o755)
    called = str(program)
    if name == "found":
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        called = "jobcancel"
    _, resume = interrupt_in_shell(served, f"{called} cancel pulse --from jobs --concurrency 1")
    assert f"jobcancel: to resume: {called} cancel pulse --from jobs --concurrency 1" == resume


# Jobs that are named


def test_sigterm_lets_the_named_job_be_answered_and_names_the_others(served: Sandbox) -> None:
    served.fault("pulse", STALLED, Fault(stall=1.5))
    with started("cancel", "pulse", STALLED, "second", "third") as (process, output, errors):
        until_asked(served, STALLED, process)
        process.send_signal(signal.SIGTERM)
        assert output.read() == (
            f"{HEADER}pulse\t{STALLED}\tcancelled\t-\tJob cancelled successfully\n"
        )
        told = errors.read().splitlines()
        assert told[-1] == "jobcancel: not cancelled: second third"
        assert process.wait() == 143


@pytest.mark.parametrize("second", [*STATUS], ids=lambda each: each.name)
def test_a_second_signal_abandons_the_named_job(served: Sandbox, second: signal.Signals) -> None:
    served.fault("pulse", STALLED, Fault(stall=60))
    with started("cancel", "pulse", STALLED, "second") as (process, output, errors):
        until_asked(served, STALLED, process)
        process.send_signal(signal.SIGTERM)
        assert "send SIGTERM again to quit now" in errors.readline() + errors.readline()
        process.send_signal(second)
        assert output.read() == ""
        assert errors.read() == (
            f"jobcancel: interrupted while cancelling {STALLED}\njobcancel: not cancelled: second\n"
        )
        assert process.wait() == 143
