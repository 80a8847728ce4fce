"""`jobcancel run` as the parent of a program: statuses, signals, and processes that live on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from jobcancel.guard import parent
from jobcancel.sandbox import Fault
from tests.guard.programs import FOREVER, LIMIT, RUN_DIRECTLY, ends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Prints each signal that it gets; ends at the end of its input.
PRINTS_SIGNALS = """
import os, signal, sys
for name in ("HUP", "INT", "USR1", "USR2"):
    signal.signal(
        getattr(signal, f"SIG{name}"), lambda number, _: os.write(1, b"got %d\\n" % number)
    )
os.write(1, b"ready\\n")
sys.stdin.read()
"""

HOLDS = """
import os, signal, sys
from jobcancel import guard
with guard("pulse", sys.argv[1]):
    os.write(1, b"%d\\n" % os.getpid())
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [*RUN_DIRECTLY, sys.executable, "-c", code, *arguments]


def start(command: list[str], **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environ},
    )


def arrived(sandbox: Sandbox, job_id: str) -> bool:
    """Return whether the vendor has been asked to cancel a job; earlier ones may still be."""
    return any(each.path.endswith(job_id) for each in sandbox.requests)


def line_of(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


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


@pytest.mark.parametrize("name", ["HUP", "INT", "USR1", "USR2"])
def test_signals_are_forwarded(name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    with start(python(PRINTS_SIGNALS)) as program:
        assert "ready" == line_of(program)
        program.send_signal(number)
        assert f"got {number}" == line_of(program)
    assert 0 == program.returncode


def test_a_signal_that_ends_the_program_ends_its_parent() -> None:
    with start(python(PRINTS_SIGNALS)) as program:
        assert "ready" == line_of(program)
        program.send_signal(signal.SIGTERM)
        assert -signal.SIGTERM == program.wait(LIMIT)


def test_a_signal_of_the_terminal_is_not_forwarded() -> None:
    in_terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    with start([sys.executable, "-c", in_terminal, *python(PRINTS_SIGNALS)]) as program:
        assert "ready" == line_of(program)
        assert program.stdin is not None
        program.stdin.write("\x03")
        program.stdin.flush()
        assert f"got {signal.SIGINT}" in line_of(program)
        program.stdin.write("\x04")
        program.stdin.close()
        assert program.stdout is not None
        assert "got" not in program.stdout.read()


def test_orphans_are_reaped() -> None:
    # Processes whose parent has ended become children of the nearest process with this attribute.
    adopts = f"import ctypes; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); {RUN_DIRECTLY[2]}"
    orphan = "import os; pid = os.fork(); pid or os.setsid(); pid or print(os.getpid(), flush=True)"
    waits = "import subprocess, sys; subprocess.run(sys.argv[1:]); sys.stdin.read()"
    command = [sys.executable, "-c", waits, sys.executable, "-c", orphan]
    with start([sys.executable, "-c", adopts, *command]) as program:
        pid = int(line_of(program))
        until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - it is not a path of ours
    assert 0 == program.returncode


def test_the_second_signal_ends_the_cancelling(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse", pending=FOREVER)
    sandbox.fault("pulse", job_id, Fault(stall=60.0), times=None)
    with start(python(HOLDS, job_id), **sandbox.environ) as program:
        line_of(program)
        assert program.stdin is not None
        program.stdin.close()
        until(lambda: arrived(sandbox, job_id))
        program.send_signal(signal.SIGUSR1)  # there is no program to forward it to
        program.send_signal(signal.SIGTERM)
        assert "jobcancel" not in (line := line_of(program))
        assert "still cancelling jobs" in line
        program.send_signal(signal.SIGTERM)
    assert 128 + signal.SIGTERM == program.returncode


def test_a_job_that_may_run_on_is_reported(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse", pending=FOREVER)
    sandbox.fault("pulse", job_id, Fault(stall=60.0), times=None)
    shortly = RUN_DIRECTLY[2].replace("20.0", "0.3")
    exits = HOLDS.replace("os.kill(os.getpid(), signal.SIGKILL)", "os._exit(4)")
    command = [sys.executable, "-c", shortly, sys.executable, "-c", exits, job_id]
    with start(command, **sandbox.environ) as program:
        line_of(program)
        assert program.stdin is not None
        program.stdin.close()
        assert f"pulse {job_id} is not known to be stopped: " in line_of(program)
    assert 4 == program.returncode


def test_a_process_that_lives_on_is_supervised_in_the_background(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse", pending=FOREVER)
    leaves = """
import os
reader, writer = os.pipe()
if os.fork():
    os.read(reader, 1)
    os._exit(3)
"""
    holds = HOLDS.replace("    sys.stdin", '    os.write(writer, b"!")\n    sys.stdin')
    with start(python(leaves + holds, job_id), **sandbox.environ) as program:
        left = int(line_of(program))
        assert 3 == program.wait(LIMIT)
        assert not arrived(sandbox, job_id)
        assert program.stdin is not None
        program.stdin.close()
        assert ends(left, LIMIT)
        until(lambda: arrived(sandbox, job_id))
