"""`jobcancel cancel --from` as a process: signals, pipes, and a real terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from jobcancel.sandbox import Fault
from tests.cli.runs import ESCAPE, HEADER, rows, started

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from jobcancel.sandbox import Sandbox

STALLED = "sandbox-processing"


def jobs(served: Sandbox, path: Path, number: int, *others: str) -> list[str]:
    """Submit jobs and write their ids and `others`, one per line."""
    job_ids = [served.submit("pulse", pending=1000) for _ in range(number)]
    path.write_text("\n".join([*job_ids, *others]))
    return job_ids


def until_asked(served: Sandbox, job_id: str, process: subprocess.Popen[str]) -> None:
    while not any(job_id in each.path for each in served.requests):
        assert process.poll() is None
        time.sleep(0.01)  # the sandbox is a thread of this process


def interrupted(
    served: Sandbox, path: Path, number: int, *, times: int = 2
) -> tuple[list[str], str, subprocess.Popen[str]]:
    """Interrupt a run after `number` results, with one request in flight."""
    served.fault("pulse", STALLED, Fault(stall=60 if times > 1 else 2))
    arguments = ("cancel", "pulse", "--json", "--from", str(path))
    with started(*arguments) as (process, output, errors):
        lines = [output.readline() for _ in range(number)]
        until_asked(served, STALLED, process)
        process.send_signal(signal.SIGINT)
        messages = errors.readline() + errors.readline()
        if times > 1:
            process.send_signal(signal.SIGINT)
        lines += output.readlines()
        messages += errors.read()
        process.wait()
        return lines, messages, process


def test_interrupt_waits_for_requests_in_flight(served: Sandbox, tmp_path: Path) -> None:
    job_ids = jobs(served, tmp_path / "jobs", 20, STALLED)
    lines, messages, process = interrupted(served, tmp_path / "jobs", 20, times=1)
    assert sorted([*job_ids, STALLED]) == sorted(json.loads(line)["job_id"] for line in lines)
    assert "Finishing in-flight requests... press Ctrl-C again to quit now." in messages
    assert "cancelled  21\ninterrupted: 21 of 21 jobs stopped in " in messages
    assert "not sent" not in messages
    assert "to resume" not in messages
    assert process.returncode == 130


def test_second_interrupt_keeps_whole_results_and_a_summary(
    served: Sandbox, tmp_path: Path
) -> None:
    job_ids = jobs(served, tmp_path / "jobs", 20, STALLED)
    lines, messages, process = interrupted(served, tmp_path / "jobs", 20)
    *stopped, abandoned = map(json.loads, lines)
    assert sorted(job_ids) == sorted(each["job_id"] for each in stopped)
    assert (STALLED, "unknown") == (abandoned["job_id"], abandoned["outcome"])
    assert "cancelled  20\nunknown     1\ninterrupted: 20 of 21 jobs stopped in " in messages
    assert "; 1 not stopped\njobcancel: to resume: " in messages
    assert process.returncode == 130


def test_an_interrupted_run_is_finished_by_repeating_the_command(
    served: Sandbox, tmp_path: Path
) -> None:
    path, out = tmp_path / "jobs", tmp_path / "out.ndjson"
    job_ids = jobs(served, path, 20, STALLED)
    out.write_text("".join(interrupted(served, path, 20)[0]))
    arguments = ["cancel", "pulse", "--json", "--from", str(path), "--done", str(out)]
    with out.open("a") as appended:
        again = subprocess.run(
            [sys.executable, "-m", "jobcancel", *arguments],
            stdout=appended,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    results = [json.loads(line) for line in out.read_text().splitlines()]
    finished = [each["job_id"] for each in results if each["outcome"] == "cancelled"]
    assert (again.returncode, sorted([*job_ids, STALLED])) == (0, sorted(finished))
    assert "skipped    20\n1 of 1 jobs stopped" in again.stderr


def test_closed_pipe_reports_results_not_in_the_output(served: Sandbox, tmp_path: Path) -> None:
    jobs(served, tmp_path / "jobs", 1, STALLED)
    served.fault("pulse", STALLED, Fault(stall=0.5))
    arguments = ("cancel", "pulse", "--from", str(tmp_path / "jobs"))
    with started(*arguments) as (process, output, errors):
        assert output.readline() + output.readline()
        output.close()
        messages = errors.read().splitlines()
        assert messages[0] == "jobcancel: the output cannot be written (Broken pipe); stopping"
        assert messages[1] == "cancelled  2"
        assert messages[2].startswith("output lost: 2 of 2 jobs stopped in ")
        assert messages[2].endswith("; 1 not in the output")
        assert process.wait() == 1


@pytest.mark.usefixtures("served")
def test_jobs_are_read_from_stdin_one_by_one() -> None:
    with started("cancel", "--from", "-") as (process, output, errors):
        assert process.stdin is not None
        header = HEADER
        for job_id in ("sandbox-pending", "abc123-def456-ghi789"):
            print(json.dumps({"provider": "pulse", "job_id": job_id}), file=process.stdin)
            process.stdin.flush()
            line = (output.readline() if header else "") + output.readline()
            assert line.startswith(f"{header}pulse\t{job_id}\tcancelled")
            header = ""
        print("{", file=process.stdin)
        process.stdin.close()
        assert "jobcancel: standard input, line 3: not JSON" in errors.read()
        assert process.wait() == 2


@pytest.mark.usefixtures("served")
def test_interrupt_does_not_wait_for_stdin() -> None:
    with started("cancel", "pulse", "--from", "-") as (process, output, errors):
        assert process.stdin is not None
        print("sandbox-pending", file=process.stdin, flush=True)
        assert output.readline() == HEADER
        assert output.readline().startswith("pulse\tsandbox-pending\tcancelled")
        process.send_signal(signal.SIGINT)
        messages = errors.read()
        assert "interrupted: 1 of 1 jobs stopped" in messages
        assert "jobcancel: the rest of the input was not read\n" in messages
        assert "jobcancel: to resume, with the same input: " in messages
        assert process.wait() == 130


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str, output: IO[str] | None) -> str:
    """Return the stderr of a run on a terminal of 80 columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "jobcancel", "cancel", "pulse", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs if output is None else output,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while read := os.read(ours, 10_000):
                shown += read
        except OSError:  # so Linux says that the other end is closed
            pass
        os.close(ours)
        assert process.wait() == 2
    return shown.decode()


def test_a_terminal_shows_progress_while_results_go_to_a_file(
    served: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job_ids = jobs(served, tmp_path / "jobs", 3)
    path = tmp_path / "jobs.csv"
    path.write_text("\n".join(["job_id", *job_ids, "a,b"]))
    with (tmp_path / "out").open("w") as output:
        shown = on_a_terminal(monkeypatch, "--from", str(path), output=output)
    assert "0 of 3" in ESCAPE.sub("", shown)
    bars = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", shown)) if " of 3 done" in line]
    assert {80} == {len(bar) for bar in bars}
    assert all(bar.endswith(" left") for bar in bars)
    assert "0 stopped  0 stopping  0 not stopped" in ESCAPE.sub("", shown)
    assert "line 5: 2 cells where the header has 1" in ESCAPE.sub("", shown)
    assert "3 of 3 jobs stopped in " in ESCAPE.sub("", shown)
    assert sorted(job_ids) == sorted(row[1] for row in rows((tmp_path / "out").read_text()))


def test_a_terminal_shows_results_above_the_progress(
    served: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job_ids = jobs(served, tmp_path / "jobs", 3, "\x00")
    (tmp_path / "jobs").write_bytes("\n".join(job_ids).encode() + b"\n\xff\n")
    shown = on_a_terminal(monkeypatch, "--from", str(tmp_path / "jobs"), output=None)
    assert all(job_id in shown for job_id in job_ids)
    assert "0 of 3" in ESCAPE.sub("", shown)
