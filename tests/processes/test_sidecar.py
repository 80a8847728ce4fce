"""The sidecar as a process: what it inherits, what it leaves, and when it ends."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobcancel.sandbox import Fault, Sandbox
from tests.guard.programs import (
    FOREVER,
    JOBS,
    LIMIT,
    RUN_DIRECTLY,
    Program,
    cancelled,
    ends,
    requested,
    started,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

HEAD = """\
import os, signal, subprocess, sys, time
from jobcancel import guard
from jobcancel.guard.link import link

held = guard()

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def listen():
    return sys.stdin.buffer.raw.readline()

def die():
    os.kill(os.getpid(), signal.SIGKILL)

"""


@pytest.fixture(autouse=True)
def jobs(sandbox: Sandbox) -> Iterator[None]:
    """Submit the jobs."""
    for job_id in JOBS:
        sandbox.submit("pulse", job_id=job_id, pending=FOREVER)
    yield
    assert requested(sandbox) <= {*JOBS}


def running(
    program: str, sandbox: Sandbox, folder: Path, **environ: str
) -> AbstractContextManager[Program]:
    return started(
        *(sys.executable, "-c", HEAD + program),
        folder=folder,
        environ={**sandbox.environ, **environ},
    )


def sidecar(program: Program) -> int:
    """Wait until the sidecar of a program has started; return its process id."""
    found: list[int] = []

    def has_started() -> bool:
        found[:] = [pid for pid in program.processes() if is_serving(pid)]
        return bool(found)

    until(has_started, lambda: "there is no sidecar")
    return found[0]


def is_serving(pid: int) -> bool:
    """Whether a process is a sidecar that has left the process that started it."""
    with suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return command.endswith(b"\0jobcancel.guard.sidecar\0") and os.getsid(pid) == pid
    return False


def end(program: Program) -> str:
    """Wait until a program and its sidecar have ended; return what they have written."""
    program.close_input()
    program.wait()
    program.wait_for_all()
    assert [] == [*program.temporary.iterdir()]
    return program.errors.read_text()


def test_it_reports_what_may_not_be_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("pulse", "held", Fault(status=403, body={"message": "not yours"}), times=None)
    program = "held.add('pulse', 'held'); held.add('pulse', 'other'); die()"
    with running(program, sandbox, tmp_path) as each:
        errors = end(each)
    assert errors.startswith("jobcancel: pulse held is not known to be stopped: ")
    assert 1 == errors.count("\n")
    assert {"other"} == cancelled(sandbox, JOBS)


def test_nobody_waits_for_it_as_the_end_of_an_output(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("pulse", "held", Fault(status=503), times=None)
    program = f"""
captured = subprocess.run(
    [sys.executable, "-c", {HEAD + "held.add('pulse', 'held'); link.require(); die()"!r}],
    capture_output=True,
)
say(captured)
listen()
"""
    with running(program, sandbox, tmp_path) as each:
        expected = f"returncode={-signal.SIGKILL}, stdout=b'', stderr=b'')"
        assert each.read_line().endswith(expected)
        assert sidecar(each)  # it goes on, because the vendor is down


def test_it_keeps_no_descriptor_of_the_caller(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
reader, writer = os.pipe()
os.set_inheritable(writer, True)
held.add("pulse", "held")
os.close(writer)
os.read(reader, 1)
say("closed")
listen()
"""
    with running(program, sandbox, tmp_path) as each:
        assert "closed" == each.read_line()
        pid = sidecar(each)
        files = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}  # noqa: PTH115
        allowed = ("socket:", "anon_inode:", "/dev/null", str(each.errors))
        assert all(file.startswith(allowed) for file in files), files
        end(each)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)], ids=str)
def test_a_caller_may_have_closed_its_standard_files(
    sandbox: Sandbox, tmp_path: Path, closed: tuple[int, ...]
) -> None:
    program = f"""
done = os.dup(1)
for each in {closed}:
    os.close(each)
held.add("pulse", "held")
link.require()
os.write(done, b"held\\n")
die()
"""
    with running(program, sandbox, tmp_path) as each:
        assert "held" == each.read_line()
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


def test_a_caller_that_waits_for_all_of_its_children_does_not_wait_for_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    program = """
held.add("pulse", "held")
try:
    while True:
        os.wait()
except ChildProcessError:
    say("no children")
held.add("pulse", "other")
held.done("pulse", "held")
die()
"""
    with running(program, sandbox, tmp_path) as each:
        assert "no children" == each.read_line()
        end(each)
    assert {"other"} == cancelled(sandbox, JOBS)


def test_it_leaves_no_zombie(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
held.add("pulse", "held")
link.require()
try:
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # it has ended, but was not waited for
except ChildProcessError:
    pass
held.done()
try:
    os.waitpid(-1, os.WNOHANG)
    say("a zombie")
except ChildProcessError:
    say("none")
"""
    with running(program, sandbox, tmp_path) as each:
        assert "none" == each.read_line()
        end(each)
    assert set() == cancelled(sandbox, JOBS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_it_does_not_end_with_the_signals_that_end_its_caller(
    sandbox: Sandbox, tmp_path: Path, number: int
) -> None:
    with running(
        "held.add('pulse', 'held'); link.require(); listen(); die()", sandbox, tmp_path
    ) as each:
        os.kill(sidecar(each), number)
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_does_not_end_with_its_whole_service_while_it_starts(
    sandbox: Sandbox, tmp_path: Path, number: int
) -> None:
    program = f"""
signal.signal({number}, lambda *_: die())
held.add("pulse", "held")
(pid,) = link._starting
os.kill(pid, {number})
os.kill(os.getpid(), {number})
"""
    with running(program, sandbox, tmp_path) as each:
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


def test_it_has_more_time_and_files_than_its_caller(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (1, 100))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
held.add("pulse", "held")
link.require()
while True:
    pass
"""
    with running(program, sandbox, tmp_path) as each:
        assert -signal.SIGXCPU == each.wait()
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


def test_it_has_the_key_neither_in_its_arguments_nor_in_its_environment(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    key = sandbox.api_keys["pulse"]
    program = """
held.add("pulse", "held", api_key=listen().decode().strip())
link.require()
say("held")
listen()
die()
"""
    environ = {name: "" for name, value in sandbox.environ.items() if value == key}
    assert environ
    with running(program, sandbox, tmp_path, **environ) as each:
        each.write_line(key)
        assert "held" == each.read_line()
        pid = sidecar(each)
        for name in ("cmdline", "environ"):
            assert key.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


def test_it_ends_with_the_last_process_that_uses_it(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
held.add("pulse", "ended")
link.require()
if os.fork() == 0:
    held.add("pulse", "held")
    link.require()
    say(os.getpid())
    listen()
    die()
say("parent")
held.done()
os._exit(0)
"""
    with running(program, sandbox, tmp_path) as each:
        child = int(next(line for line in (each.read_line(), each.read_line()) if line != "parent"))
        each.wait()
        pid = sidecar(each)
        each.close_input()
        assert ends(child, LIMIT)
        assert ends(pid, LIMIT)
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


def test_without_a_caller_it_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    program = """
import socket
import jobcancel.guard.sidecar as sidecar
from jobcancel.guard import supervisor
sidecar._PATIENCE = 0.1
listening = supervisor.listen()
os.dup2(listening.fileno(), 0)
listening.close()
sidecar.main()
"""
    with running(program, sandbox, tmp_path) as each:
        end(each)


def test_ten_thousand_jobs_are_known_before_their_caller_dies(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    program = """
for number in range(9999):
    held.add("pulse", f"{number}")
held.add("pulse", "held")
for number in range(9999):
    held.done("pulse", f"{number}")
die()
"""
    with running(program, sandbox, tmp_path) as each:
        end(each)
    assert {"held"} == cancelled(sandbox, JOBS)


APPLICATION = """
import hooks
from attrs import evolve
from jobcancel import register
from jobcancel.vendors.pulse import PULSE

def local(name, hook):
    register(evolve(PULSE, name=name, outcome_hook=hook))
    return name

held.add(local("data", None), "held")
held.add(local("function", hooks.hook), "other")
held.add(local("lambda", lambda _: None), "ended")
die()
"""


@pytest.mark.parametrize("run", [(), RUN_DIRECTLY], ids=["sidecar", "jobcancel run"])
def test_an_adapter_of_the_application_is_known(
    sandbox: Sandbox, tmp_path: Path, run: tuple[str, ...]
) -> None:
    (tmp_path / "hooks.py").write_text("def hook(_):\n    return None\n")
    application = tmp_path / "application.py"
    application.write_text(HEAD + APPLICATION)
    command = [*run, sys.executable, str(application)]
    with started(*command, folder=tmp_path, environ=sandbox.environ) as each:
        reports = each.read_line() if run else ""
        reports += end(each)
    assert {"held", "other"} == cancelled(sandbox, JOBS)
    assert "RuntimeWarning: jobcancel.guard: the adapter of 'lambda' cannot be sent" in reports
    assert "lambda ended is not known to be stopped: UnknownProvider: " in reports
