"""The command line as a process: signals, pipes, and a real terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jobcancel import Canceller, Outcome
from jobcancel.sandbox import Fault
from tests.cli.runs import HEADER, started

if TYPE_CHECKING:
    import pytest

    from jobcancel.sandbox import Sandbox

FIRST, SECOND = "sandbox-pending", "sandbox-processing"
LINE = f"pulse\t{FIRST}\tcancelled\t-\tJob cancelled successfully\n"


def test_missing_cli_extra_is_reported() -> None:
    code = "import sys; sys.modules.update(typer=None, rich=None); import jobcancel.__main__"
    expected = "jobcancel: the command line needs the extra 'cli': pip install 'jobcancel[cli]'\n"
    with started(python=("-c", code)) as (process, _, _):
        assert process.communicate() == ("", expected)
        assert process.returncode == 2


def test_interrupt_keeps_the_results_so_far(served: Sandbox) -> None:
    served.fault("pulse", SECOND, Fault(stall=60))
    with started("cancel", "pulse", FIRST, SECOND, "never-sent") as (process, output, errors):
        assert output.readline() + output.readline() == HEADER + LINE
        while not any(SECOND in each.path for each in served.requests):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert output.read() == ""
        assert errors.read() == (
            f"jobcancel: interrupted while cancelling {SECOND}\n"
            "jobcancel: not cancelled: never-sent\n"
        )
        assert process.wait() == 130


def test_closed_pipe_after_last_job_is_silent(served: Sandbox) -> None:
    served.fault("pulse", SECOND, Fault(stall=0.5))
    with started("cancel", "pulse", FIRST, SECOND) as (process, output, errors):
        assert output.readline() + output.readline() == HEADER + LINE
        output.close()
        assert errors.read() == ""
        assert process.wait() == 1


def test_closed_pipe_reports_jobs_that_are_not_cancelled(served: Sandbox) -> None:
    served.fault("pulse", SECOND, Fault(stall=0.5))
    with started("cancel", "pulse", FIRST, SECOND, "third", "fourth") as (process, output, errors):
        assert output.readline() + output.readline() == HEADER + LINE
        output.close()
        assert errors.read() == (
            f"jobcancel: the output cannot be written (Broken pipe); last {SECOND}: cancelled\n"
            "jobcancel: not cancelled: third fourth\n"
        )
        assert process.wait() == 1


def test_full_disk_is_reported(served: Sandbox) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "jobcancel", "cancel", "pulse", FIRST],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, **served.environ},
            text=True,
            check=False,
        )
    message = f"the output cannot be written (No space left on device); last {FIRST}: cancelled"
    assert (1, f"jobcancel: {message}\n") == (ran.returncode, ran.stderr)


def test_key_is_read_from_stdin(sandbox: Sandbox) -> None:
    url = sandbox.base_urls["pulse"]
    arguments = ("cancel", "pulse", FIRST, "--api-key-file", "-", "--base-url", url)
    with started(*arguments) as (process, _, _):
        assert process.communicate("sandbox-pulse-key\n") == (HEADER + LINE, "")
        assert process.returncode == 0


def test_terminal_gets_colors(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "jobcancel", "cancel", "pulse", FIRST],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, **served.environ},
        check=False,
    )
    shown = os.read(ours, 10_000).decode()
    os.close(theirs)
    os.close(ours)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert re.search(rf"pulse +\x1b\[1m{FIRST} *\x1b\[0m +\x1b\[32mcancelled", shown)


def test_the_sandbox_serves_with_its_quotas_until_it_is_interrupted() -> None:
    quotas = ("--pulse-rate", "0.001", "--pulse-burst", "2", "--talonic-per-day", "0")
    with started("sandbox", "--port", "0", *quotas) as (process, output, errors):
        url = output.readline().split()[-1]
        jobs = [("pulse", FIRST), ("pulse", "x"), ("pulse", SECOND), ("talonic", "x")]
        refused = Outcome.RATE_LIMITED
        assert cancelled(url, jobs) == [Outcome.CANCELLED, Outcome.NOT_FOUND, refused, refused]
        process.send_signal(signal.SIGINT)
        assert f"export PULSE_BASE_URL={url}/pulse" in output.read()
        assert errors.read() == "jobcancel: the sandbox runs until you press Ctrl-C\n"
        assert process.wait() == 130


def test_pulse_rate_without_burst_allows_one_request_at_once() -> None:
    with started("sandbox", "--port", "0", "--pulse-rate", "0.001") as (_, output, _):
        url = output.readline().split()[-1]
        jobs = [("pulse", FIRST), ("pulse", SECOND)]
        assert cancelled(url, jobs) == [Outcome.CANCELLED, Outcome.RATE_LIMITED]


def cancelled(url: str, jobs: list[tuple[str, str]]) -> list[Outcome]:
    """Return the outcomes of cancelling these jobs."""
    with Canceller(
        api_keys={"pulse": "sandbox-pulse-key", "talonic": "tlnc_sandbox_key"},
        base_urls={"pulse": f"{url}/pulse", "talonic": f"{url}/talonic"},
        deadline=5,
    ) as canceller:
        return [canceller.cancel(provider, job_id).outcome for provider, job_id in jobs]
