"""`jobcancel run` in awkward places: terminals, containers, other users, what it has inherited."""

from __future__ import annotations

import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jobcancel.guard import parent
from jobcancel.sandbox import Fault
from tests.guard.programs import (
    FOREVER,
    JOBS,
    RUN,
    RUN_DIRECTLY,
    Program,
    cancelled,
    requested,
    started,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PYTHON = (sys.executable, "-IS", "-c")
# Prints the signals that it gets, each once; ends at SIGUSR1.
SIGNALS = """
import os, signal
numbers = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
%s
print("ready", flush=True)
while (number := signal.sigwait(numbers)) != signal.SIGUSR1:
    print("got", number, flush=True)
"""
# Holds the jobs in its arguments until its standard input has a line or ends, and is killed then.
HOLD = """
import os, signal, sys
from jobcancel import guard
with guard() as held:
    for job_id in sys.argv[1:]:
        held.add("pulse", job_id)
    os.write(1, b"held\\n")
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""
# Has a process hold the jobs in the background, and ends, with the status in its first argument.
LEAVE = f"""
import subprocess, sys
command = [sys.executable, "-c", {HOLD!r}, *sys.argv[2:]]
process = subprocess.Popen(command, stdout=subprocess.PIPE)
process.stdout.readline()
process.returncode = 0  # no warning
print("left", process.pid, flush=True)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def jobs(sandbox: Sandbox) -> None:
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)


# Status


@pytest.mark.parametrize("status", [0, 1, 127, 255])
def test_its_status_is_that_of_the_command(status: int) -> None:
    done = subprocess.run([*RUN, "sh", "-c", f"exit {status}"], check=False)
    assert status == done.returncode


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "KILL", "SEGV", "PIPE", "TERM", "XFSZ"])
def test_it_dies_of_the_signal_of_the_command(name: str) -> None:
    # Not a Python program: Python ignores SIGPIPE and SIGXFSZ.
    done = subprocess.run([*RUN_DIRECTLY, "sh", "-c", f"kill -{name} $$"], check=False)
    assert -getattr(signal, f"SIG{name}") == done.returncode


def test_the_kernel_spares_the_first_process_of_a_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: killed.append(number))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    usual = signal.getsignal(signal.SIGUSR2)
    for number in (signal.SIGKILL, signal.SIGUSR2):
        with pytest.raises(SystemExit, match=str(128 + number)):
            parent._die_of(number)
    signal.signal(signal.SIGUSR2, usual)
    assert [signal.SIGKILL, signal.SIGUSR2] == killed


# Signals


@pytest.mark.parametrize("name", ["HUP", "CHLD"])
def test_signals_may_be_ignored_from_the_start(name: str, tmp_path: Path) -> None:
    ignoring = f"import os, signal, sys; signal.signal(signal.SIG{name}, signal.SIG_IGN)"
    ignoring += "; os.execv(sys.argv[1], sys.argv[1:])"
    program = f"import signal; print(signal.getsignal(signal.SIG{name}) == signal.SIG_IGN); input()"
    command = [*PYTHON, ignoring, *RUN_DIRECTLY, *PYTHON, program]
    with started(*command, folder=tmp_path, environ={}) as each:
        # As with `nohup`. The status of a child cannot be read while SIGCHLD is ignored.
        assert str(name == "HUP") == each.read_line()
        if name == "HUP":
            each.process.send_signal(signal.SIGHUP)
        each.write_line("")
        assert 0 == each.wait(), each.errors.read_text()


def test_a_command_of_another_user_cannot_be_signalled(tmp_path: Path) -> None:
    # Like `sudo`, which no test can use: the kernel refuses the signal.
    refusing = f"""
import os
def refuse(*_):
    print("refused", flush=True)
    raise PermissionError
os.kill = refuse
{RUN_DIRECTLY[2]}
"""
    program = "print('ready', flush=True); input()"
    command = [sys.executable, "-c", refusing, *PYTHON, program]
    with started(*command, folder=tmp_path, environ={}) as each:
        assert "ready" == each.read_line()
        each.process.send_signal(signal.SIGTERM)
        assert "refused" == each.read_line()
        each.write_line("")
        assert 0 == each.wait(), each.errors.read_text()


@contextmanager
def in_terminal(*command: str, folder: Path) -> Iterator[tuple[Program, int]]:
    """Start a program as the leader of a session with a terminal; yield the terminal, too."""
    main, terminal = pty.openpty()
    leading = (
        "import fcntl, os, sys, termios; "
        f"fcntl.ioctl({terminal}, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with started(*PYTHON, leading, *command, folder=folder, environ={}, keep=terminal) as program:
        os.close(terminal)
        yield program, main


def test_ctrl_c_reaches_a_command_with_a_process_group_of_its_own(tmp_path: Path) -> None:
    command = [*RUN_DIRECTLY, *PYTHON, SIGNALS % "os.setpgid(0, 0)"]
    with in_terminal(*command, folder=tmp_path) as (program, terminal):
        assert "ready" == program.read_line()
        os.write(terminal, b"\x03")
        assert f"got {signal.SIGINT}" == program.read_line()
        program.process.send_signal(signal.SIGUSR1)
        assert 0 == program.wait(), program.errors.read_text()
        os.close(terminal)


def test_ctrl_c_reaches_a_command_once(tmp_path: Path) -> None:
    command = [*RUN_DIRECTLY, *PYTHON, SIGNALS % ""]
    with in_terminal(*command, folder=tmp_path) as (program, terminal):
        assert "ready" == program.read_line()
        os.write(terminal, b"\x03")
        assert f"got {signal.SIGINT}" == program.read_line()
        program.process.send_signal(signal.SIGHUP)
        assert f"got {signal.SIGHUP}" == program.read_line()
        program.process.send_signal(signal.SIGUSR1)
        assert 0 == program.wait(), program.errors.read_text()
        os.close(terminal)


def test_the_end_of_the_terminal_reaches_the_command(tmp_path: Path) -> None:
    command = [*RUN_DIRECTLY, *PYTHON, SIGNALS % ""]
    with in_terminal(*command, folder=tmp_path) as (program, terminal):
        assert "ready" == program.read_line()
        os.close(terminal)  # the kernel sends SIGHUP to the leader of the session alone
        assert f"got {signal.SIGHUP}" == program.read_line()
        program.process.send_signal(signal.SIGUSR1)
        assert 0 == program.wait(), program.errors.read_text()


def test_signals_after_the_end_of_the_command_are_not_forwarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("forwarded to a reused process id"))
    each = parent._Parent(1.0, print)
    each._command = os.posix_spawn("/bin/sh", ["sh", "-c", ""], {})
    os.waitid(os.P_PID, each._command, os.WEXITED | os.WNOWAIT)
    each._received += [(signal.SIGCHLD, False), (signal.SIGTERM, False)]
    each._handle_signals()
    assert 0 == each._status


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        ("./missing", 127, "cannot run './missing': No such file or directory"),
        ("", 127, "cannot run ''"),
        ("./directory", 126, "cannot run './directory': Permission denied"),
    ],
)
def test_a_program_that_cannot_be_run(command: str, status: int, text: str, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    done = subprocess.run(
        [*RUN_DIRECTLY, command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert status == done.returncode
    assert text in done.stdout


def test_without_a_place_for_the_socket_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def listen() -> None:
        raise OSError("there is no temporary directory")

    reports: list[str] = []
    monkeypatch.setattr(parent, "listen", listen)
    with pytest.raises(SystemExit, match="126"):
        parent.run(["true"], 1.0, reports.append)
    assert ["cannot supervise 'true': there is no temporary directory"] == reports


# The end


@pytest.mark.usefixtures("jobs")
def test_it_reports_what_may_not_be_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("pulse", "held", Fault(stall=60.0), times=None)
    command = [*RUN[:-1], "--grace", "0.5", "--", sys.executable, "-c", HOLD, "held", "other"]
    with started(*command, folder=tmp_path, environ=sandbox.environ) as each:
        assert "held" == each.read_line()
        each.close_input()
        assert -signal.SIGKILL == each.wait()
        each.wait_for_all()
        assert [] == [*each.temporary.iterdir()]
    (line,) = each.errors.read_text().splitlines()
    assert line.startswith("jobcancel: pulse held is not known to be stopped: ")
    assert {"other"} == cancelled(sandbox, JOBS)


@pytest.mark.usefixtures("jobs")
def test_an_impatient_end_leaves_no_directory(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("pulse", "held", Fault(stall=60.0), times=None)
    command = [*RUN_DIRECTLY, sys.executable, "-c", HOLD, "held"]
    with started(*command, folder=tmp_path, environ=sandbox.environ) as each:
        assert "held" == each.read_line()
        each.close_input()
        until(lambda: "held" in requested(sandbox), each.errors.read_text)
        each.process.send_signal(signal.SIGUSR1)
        each.process.send_signal(signal.SIGINT)
        assert "still cancelling jobs; send the signal again to stop that" == each.read_line()
        each.process.send_signal(signal.SIGINT)
        assert 128 + signal.SIGINT == each.wait()
        assert "" == each.read_line()
        assert [] == [*each.temporary.iterdir()]


@pytest.mark.usefixtures("jobs")
def test_the_background_cancels_and_reports(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("pulse", "other", Fault(status=403, body={"message": "no"}), times=None)
    # One process is rescued before the fork into the background, another one after it.
    script = f"{sys.executable} hold ended < /dev/null; exec {sys.executable} leave 7 held other"
    (tmp_path / "hold").write_text(HOLD)
    (tmp_path / "leave").write_text(LEAVE)
    script = f"cd {tmp_path}; {script}"
    with started(*RUN, "sh", "-c", script, folder=tmp_path, environ=sandbox.environ) as each:
        assert "held" == each.read_line()
        assert each.read_line().startswith("left ")
        assert 7 == each.wait(), each.errors.read_text()
        assert "" == each.read_line(), "the background holds the standard output"
        assert {"ended"} == cancelled(sandbox, JOBS)
        each.close_input()
        each.wait_for_all()
        assert [] == [*each.temporary.iterdir()]
    errors = each.errors.read_text()
    assert "jobcancel: pulse other is not known to be stopped: " in errors
    assert {"ended", "held"} == cancelled(sandbox, JOBS)


@pytest.mark.usefixtures("jobs")
def test_the_background_keeps_no_descriptor(sandbox: Sandbox, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    command = [*RUN_DIRECTLY, sys.executable, "-c", LEAVE, "0", "held"]
    environ = sandbox.environ
    with started(*command, folder=tmp_path, environ=environ, keep=writer) as each:
        os.close(writer)
        assert each.read_line().startswith("left ")
        assert 0 == each.wait()
        assert b"" == os.read(reader, 1)
        each.close_input()
        each.wait_for_all()
    os.close(reader)
    assert {"held"} == cancelled(sandbox, JOBS)


@pytest.mark.usefixtures("jobs")
def test_a_process_that_connects_at_the_end_is_not_missed(sandbox: Sandbox, tmp_path: Path) -> None:
    late = f"""
import subprocess, sys
from jobcancel.guard import parent
usual, processes = parent.remove, []
def connect_and_remove(address):
    if not processes:
        environ = dict(parent.os.environ, JOBCANCEL_SUPERVISOR=address)
        command = [sys.executable, "-c", {HOLD!r}, "held"]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environ))
        processes[0].stdout.readline()
    usual(address)
parent.remove = connect_and_remove
parent.run(["true"], 20.0, print)
"""
    with started(sys.executable, "-c", late, folder=tmp_path, environ=sandbox.environ) as each:
        assert 0 == each.wait()
        each.close_input()
        each.wait_for_all()
    assert {"held"} == cancelled(sandbox, JOBS)


# As the first process of a container


@pytest.fixture
def container() -> tuple[str, ...]:
    """A command that runs another one as the first process of a PID namespace."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no command unshare")
    as_user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    command = ("unshare", *as_user, "--pid", "--fork", "--mount-proc", "--kill-child")
    done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(done.stderr)
    return command


@pytest.mark.usefixtures("jobs")
def test_the_first_process_reaps_orphans_and_cancels_what_lives_on(
    sandbox: Sandbox, tmp_path: Path, container: tuple[str, ...]
) -> None:
    command = f"""
import os, subprocess, sys, time
assert os.getppid() == 1
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(writer, b"%d" % os.getpid())
    os._exit(0)
os.wait()
orphan = int(os.read(reader, 10))
while os.path.exists(f"/proc/{{orphan}}"):
    time.sleep(0.01)
print("reaped", flush=True)
{LEAVE}
"""
    program = [*container, *RUN_DIRECTLY, sys.executable, "-c", command, "5", "held", "other"]
    with started(*program, folder=tmp_path, environ=sandbox.environ) as each:
        assert "reaped" == each.read_line(), each.errors.read_text()
        assert each.read_line().startswith("left ")
        assert 5 == each.wait(), each.errors.read_text()
        each.wait_for_all()
        assert [] == [*each.temporary.iterdir()]
    assert {"held", "other"} == cancelled(sandbox, JOBS)


@pytest.mark.parametrize("first", [(), ("sh", "-c", '"$@"; exit', "sh")], ids=["it", "a shell"])
def test_nothing_is_left_to_a_sidecar_that_ends_with_the_container(
    sandbox: Sandbox, tmp_path: Path, container: tuple[str, ...], first: tuple[str, ...]
) -> None:
    job_ids = [sandbox.submit("pulse", pending=FOREVER) for _ in range(9)]
    # More than are cancelled at exit if a sidecar has them.
    program = """
import os, sys
from jobcancel import guard
assert 1 in {os.getpid(), os.getppid()}
held = guard(supervise="required")
for job_id in sys.argv[1:]:
    held.add("pulse", job_id)
"""
    command = [*container, *first, sys.executable, "-c", program, *job_ids]
    # The kernel may end the sidecar while it writes the data of coverage.
    environ = {**sandbox.environ, "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
    with started(*command, folder=tmp_path, environ=environ) as each:
        assert 0 == each.wait(), each.errors.read_text()
        each.wait_for_all()
    assert {*job_ids} == cancelled(sandbox, job_ids)


@pytest.mark.parametrize("name", ["TERM", "SEGV"])
def test_the_first_process_exits_with_the_status_that_shells_use(
    container: tuple[str, ...], name: str
) -> None:
    command = [*container, *RUN_DIRECTLY, "sh", "-c", f"kill -{name} $$"]
    done = subprocess.run(command, check=False)
    assert 128 + getattr(signal, f"SIG{name}") == done.returncode
