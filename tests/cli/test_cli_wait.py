"""`jobcancel wait`: the end of a job, the time limit, signals, and the line of progress."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

import pytest
from attrs import evolve

from jobcancel import JobState, register, registry
from jobcancel.cli.options import read_duration
from jobcancel.sandbox import Fault
from jobcancel.vendors.pulse import PULSE
from tests.cli.runs import ESCAPE, HEADER, plain, rows, started
from tests.test_lifetime import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

    from jobcancel.sandbox import Sandbox
    from tests.cli.runs import Run

WAIT = (sys.executable, "-m", "jobcancel", "wait")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
both_signals = pytest.mark.parametrize("number", [*STATUS], ids=lambda each: each.name)


def running(sandbox: Sandbox, provider: str = "pulse", *, ends_as: JobState | None = None) -> str:
    """Submit a job that runs for long, or that ends just before its status is read again."""
    job_id = sandbox.submit(provider, pending=0.0, running=1e6)
    if ends_as is not None:
        sandbox.fault(provider, job_id, Fault(), on="status")
        sandbox.fault(provider, job_id, Fault(finish=ends_as), on="status")
    return job_id


def state(sandbox: Sandbox, job_id: str) -> JobState:
    return sandbox.job("pulse", job_id).state


def until_read(sandbox: Sandbox, job_id: str) -> None:
    wait_until(lambda: any(job_id in each.path for each in sandbox.requests))


def wait(run: Run, job_id: str, *options: str) -> CompletedProcess[str]:
    return run("wait", "pulse", job_id, "--poll", "0.1", *options)


# The end


@pytest.mark.parametrize(
    ("ends_as", "status", "message"),
    [
        (JobState.SUCCEEDED, 0, "the vendor reports status 'completed'"),
        (JobState.FAILED, 1, "The document could not be read"),
    ],
)
def test_the_state_of_a_job_that_ended_is_printed(
    served: Sandbox, run: Run, ends_as: JobState, status: int, message: str
) -> None:
    job_id = running(served, ends_as=ends_as)
    ran = wait(run, job_id, "--timeout", "10m")
    assert (status, "") == (ran.returncode, ran.stderr)
    assert [["pulse", job_id, "ok", ends_as, message]] == rows(ran.stdout)


def test_a_job_is_cancelled_when_the_time_is_up(served: Sandbox, run: Run) -> None:
    job_id = running(served)
    ran = wait(run, job_id, "--timeout", "0.1s")
    assert (1, "") == (ran.returncode, ran.stderr)
    expected = ["pulse", job_id, "cancelled", "-", "Job cancelled successfully"]
    assert [expected] == rows(ran.stdout)


def test_a_job_that_succeeded_just_before_the_cancel_succeeded(served: Sandbox, run: Run) -> None:
    job_id = running(served)
    served.fault("pulse", job_id, Fault(finish=JobState.SUCCEEDED))
    ran = wait(run, job_id, "--timeout", "0.01")
    assert (0, "already-terminal") == (ran.returncode, rows(ran.stdout)[0][2])


def test_no_cancel_leaves_the_job_running(served: Sandbox, run: Run) -> None:
    job_id = running(served)
    ran = wait(run, job_id, "--timeout", "0.1", "--no-cancel")
    assert (1, "running") == (ran.returncode, rows(ran.stdout)[0][3])
    assert JobState.RUNNING is state(served, job_id)


def test_a_job_that_does_not_exist_is_not_found(run: Run, served: Sandbox) -> None:
    ran = wait(run, "nobody", "--timeout", "1h")
    assert (1, "not-found") == (ran.returncode, rows(ran.stdout)[0][2])
    assert ["GET"] == [each.method for each in served.requests]


def test_json_has_the_fields_of_a_reading_or_of_a_result(served: Sandbox, run: Run) -> None:
    ended, endless = running(served, ends_as=JobState.SUCCEEDED), running(served)
    reading = json.loads(wait(run, ended, "--timeout", "1m", "--json").stdout)
    assert ("succeeded", 2, True) == (reading["state"], reading["attempts"], "at" in reading)
    result = json.loads(wait(run, endless, "--timeout", "0.01", "--json").stdout)
    assert ("cancelled", True) == (result["outcome"], result["stopped"])


def test_the_params_and_the_key_are_used(
    sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = sandbox.submit("runpod", pending=0.0, running=0.0)
    monkeypatch.setenv("RUNPOD_API_KEY", sandbox.api_keys["runpod"])
    arguments = ("--base-url", sandbox.base_urls["runpod"], "--param", "endpoint=e-1")
    ran = run("wait", "runpod", job_id, "--timeout", "1m", *arguments)
    assert (0, "succeeded") == (ran.returncode, rows(ran.stdout)[0][3]), ran.stderr


def test_an_output_that_cannot_be_written_is_reported(served: Sandbox) -> None:
    ended, endless, unreadable = (running(served) for _ in range(3))
    served.fault("pulse", ended, Fault(finish=JobState.SUCCEEDED), on="status")
    fault = Fault(status=403, body={"error": {"message": "no"}})
    served.fault("pulse", unreadable, fault, on="status")
    words = {ended: "succeeded", endless: "cancelled", unreadable: "forbidden"}
    for each, word in words.items():
        with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
            ran = subprocess.run(
                [*WAIT, "pulse", each, "--timeout", "0.3", "--poll", "0.1"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        problem = f"the output cannot be written (No space left on device); {each}: {word}"
        assert (1, f"jobcancel: {problem}\n") == (ran.returncode, ran.stderr)


# Signals


@both_signals
def test_the_first_signal_cancels_the_job(served: Sandbox, number: signal.Signals) -> None:
    job_id = running(served)
    with started("wait", "pulse", job_id, "--timeout", "10m") as (process, output, errors):
        until_read(served, job_id)
        process.send_signal(number)
        printed, complaints = output.read(), errors.read()
        assert STATUS[number] == process.wait()
    assert f"{HEADER}pulse\t{job_id}\tcancelled\t-\tJob cancelled successfully\n" == printed
    again = {signal.SIGINT: "press Ctrl-C again", signal.SIGTERM: "send SIGTERM again"}[number]
    assert f"\njobcancel: Cancelling {job_id}... {again} to quit now.\n" == complaints


@both_signals
def test_the_second_signal_quits_and_the_supervisor_cancels_the_job(
    served: Sandbox, number: signal.Signals
) -> None:
    job_id = running(served)
    served.fault("pulse", job_id, Fault(stall=60))
    with started("wait", "pulse", job_id, "--timeout", "10m") as (process, output, errors):
        until_read(served, job_id)
        process.send_signal(number)
        assert "to quit now" in errors.readline() + errors.readline()
        wait_until(lambda: "DELETE" in [each.method for each in served.requests])
        process.send_signal(number)
        assert (STATUS[number], "") == (process.wait(), output.read())
        assert f"jobcancel: interrupted while cancelling {job_id}\n" == errors.read()
    wait_until(lambda: state(served, job_id) is JobState.CANCELLED)


@both_signals
def test_a_signal_leaves_the_job_running_with_no_cancel(
    served: Sandbox, number: signal.Signals
) -> None:
    job_id = running(served)
    arguments = ("wait", "pulse", job_id, "--timeout", "10m", "--no-cancel")
    with started(*arguments) as (process, output, errors):
        until_read(served, job_id)
        process.send_signal(number)
        complaint = f"jobcancel: interrupted while waiting for {job_id}; it was not cancelled\n"
        assert ("", complaint) == (output.read(), errors.read())
        assert STATUS[number] == process.wait()
    assert JobState.RUNNING is state(served, job_id)


def test_a_killed_wait_cancels_the_job(served: Sandbox) -> None:
    job_id = running(served)
    with started("wait", "pulse", job_id, "--timeout", "10m") as (process, _, _):
        until_read(served, job_id)
        process.kill()
        process.wait()
    wait_until(lambda: state(served, job_id) is JobState.CANCELLED)


# The line of progress


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run a wait whose standard error is a terminal; give the process and what it shows."""
    ours, theirs = pty.openpty()
    with (
        open(ours, "rb", buffering=0) as terminal,  # noqa: PTH123 - a descriptor
        subprocess.Popen(
            [*WAIT, *arguments],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        ) as process,
    ):
        os.close(theirs)
        yield process, terminal


def until(terminal: IO[bytes], text: bytes = b"") -> str:
    """Return what is shown until a text, or until the process ends."""
    shown = b""
    with suppress(OSError):  # the process has ended
        while part := terminal.read(10_000):
            shown += part
            if text and text in shown:
                break
    return shown.decode()


def shown(job_id: str, provider: str, *options: str) -> str:
    """Return what a wait shows on a terminal."""
    with on_a_terminal(provider, job_id, "--timeout", "1h", *options) as (process, terminal):
        text = until(terminal)
        assert process.wait() == 0, text
    return plain(ESCAPE.sub("", text))


def test_a_terminal_shows_the_state_the_progress_and_the_time(served: Sandbox) -> None:
    job_id = running(served, "talonic", ends_as=JobState.SUCCEEDED)
    text = shown(job_id, "talonic", "--poll", "0.3")
    assert f"waiting for talonic {job_id} 0:00:0" in text
    assert f"talonic {job_id}: running, 0 of 12 done 0:00:0" in text
    assert " of 1:00:00" in text


def test_a_terminal_shows_unknown_words_and_problems(served: Sandbox) -> None:
    job_id = served.submit("pulse", pending=0.0, running=1e6)
    archiving = Fault(status=200, body={"job_id": job_id, "status": "archiving"})
    for fault in (archiving, Fault(status=503), Fault(finish=JobState.SUCCEEDED)):
        served.fault("pulse", job_id, fault, on="status")
    text = shown(job_id, "pulse", "--poll", "0.5")
    assert f"pulse {job_id}: 'archiving'" in text
    assert f"pulse {job_id}: the status cannot be read (unknown)" in text


def test_a_terminal_has_its_cursor_after_the_second_signal(served: Sandbox) -> None:
    job_id = running(served)
    served.fault("pulse", job_id, Fault(stall=60))
    with on_a_terminal("pulse", job_id, "--timeout", "1h") as (process, terminal):
        assert "\x1b[?25l" in until(terminal, b"running")
        process.send_signal(signal.SIGINT)
        until(terminal, b"to quit now")
        process.send_signal(signal.SIGINT)
        assert f"\x1b[?25hjobcancel: interrupted while cancelling {job_id}" in until(terminal)
        assert process.wait() == 130


# Arguments


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("1.5h", 5400),
        ("1m30", 90),
        (" 5s ", 5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds == read_duration(text, "--timeout")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timeout", "soon"], "--timeout: 'soon' is not a duration; use seconds, or a text such"),
        (["--timeout", ""], "'' is not a duration"),
        (["--timeout", "-5"], "'-5' is not a duration"),
        (["--timeout", "10m 5s"], "'10m 5s' is not a duration"),
        (["--timeout", "5s10m"], "'5s10m' is not a duration"),
        (["--timeout", "1e3"], "'1e3' is not a duration"),
        (["--timeout", "٣"], "'٣' is not a duration"),
        (["--timeout", "1m", "--poll", "x"], "--poll: 'x' is not a duration"),
        (["--timeout", "0"], "timeout must be more than 0"),
        (["--timeout", "1m", "--poll", "0s"], "poll must be more than 0"),
        (["--timeout", "9999h"], "timeout must be more than 0 and at most 2,592,000 seconds"),
        ([], "Missing option '--timeout'"),
        (["--timeout", "1m", "--api-key", "k"], "a key is not taken from the command line"),
    ],
)
def test_invalid_options_are_reported(run: Run, options: list[str], message: str) -> None:
    ran = run("wait", "pulse", "1", *options)
    assert (2, "") == (ran.returncode, ran.stdout)
    assert message in plain(ran.stderr)


def test_a_missing_key_is_reported(run: Run) -> None:
    ran = run("wait", "pulse", "1", "--timeout", "1m")
    expected = "no API key for 'pulse': set PULSE_API_KEY or use --api-key-file"
    assert (2, f"jobcancel: {expected}\n") == (ran.returncode, ran.stderr)


@pytest.mark.usefixtures("served")
def test_a_provider_without_a_status_endpoint_is_reported(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    register(evolve(PULSE, name="blind", title="Blind", status=None))
    ran = run("wait", "blind", "1", "--timeout", "1m")
    assert 2 == ran.returncode
    assert "jobcancel: 'blind' has no status endpoint" in ran.stderr
