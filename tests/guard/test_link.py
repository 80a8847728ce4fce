"""The connection to the supervisor: what is sent, and what happens when the supervisor fails."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import uuid
import warnings
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobcancel import ConfigurationError
from jobcancel.api import shared_client
from jobcancel.config import as_secret
from jobcancel.guard import link as module
from jobcancel.guard import supervisor
from jobcancel.guard.held import Held, Source
from jobcancel.guard.link import Link
from jobcancel.guard.supervisor import VARIABLE
from tests.guard.programs import LIMIT, NAME, ends, until, with_variable
from tests.guard.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FIRST, SECOND = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


class Interrupt(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, such as the socket of a sidecar."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's are too long for the path of a socket
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def link(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """A link without `jobcancel run`; it is closed, and its sidecars are killed."""
    assert [] == [*folder.iterdir()]
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv(NAME, uuid.uuid4().hex)
    monkeypatch.setattr(os, "getppid", lambda: 2)  # the tests may run in a container
    link = Link()
    yield link
    link.forget()
    for pid in sidecars():
        os.kill(pid, signal.SIGKILL)
        assert ends(pid, LIMIT)
    reap(link)


@pytest.fixture
def serving(link: Link, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A supervisor in this process, as `jobcancel run`; the test steps it."""
    assert link
    serving = Serving()
    monkeypatch.setenv(VARIABLE, serving.address)
    yield serving
    serving.close()


def held(sandbox: Sandbox, job_id: str = "job", key: str = "key", **options: Any) -> Held:
    call = shared_client.prepare(
        "pulse",
        job_id,
        api_key=as_secret(key),
        base_url=options.pop("base_url", sandbox.base_urls["pulse"]),
        **options,
    )
    return Held(Source(call, shared_client), call.job)


def known(serving: Serving) -> list[str]:
    """Return the jobs of this process that the supervisor knows."""
    serving.supervisor.catch_up()
    owner = serving.supervisor._owners[os.getpid()]
    return [task.job_id for task in owner.jobs.values()]


def sidecars() -> list[int]:
    """Return the sidecars of this test, also one that is still starting."""
    return [pid for pid in with_variable(f"{NAME}={os.environ[NAME]}".encode()) if is_sidecar(pid)]


def is_sidecar(pid: int) -> bool:
    with suppress(OSError):
        return b"jobcancel.guard.sidecar" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def reap(link: Link) -> None:
    """Wait for the processes that start sidecars."""
    for pid in link._starting:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def started(link: Link) -> int:
    """Wait until a sidecar serves; return its process id."""
    link.require()
    reap(link)
    (pid,) = sidecars()
    return pid


# What is sent


def test_jobs_are_sent_once_and_forgotten(link: Link, serving: Serving, sandbox: Sandbox) -> None:
    first, second, third = (held(sandbox, each) for each in ("a", "b", "c"))
    for each in (first, second, third):
        link.hold(each)
    assert ["a", "b", "c"] == known(serving)
    link.drop([second, held(sandbox, "not held")])
    assert ["a", "c"] == known(serving)
    link.drop([second])
    link.drop([first, third])
    assert [] == known(serving)
    assert link.covers(first) is False
    assert [] == serving.rescued


def test_jobs_of_one_source_share_it(link: Link, serving: Serving, sandbox: Sandbox) -> None:
    first = held(sandbox, "a")
    link.hold(first)
    link.hold(Held(first.source, held(sandbox, "b").job))
    assert ["a", "b"] == known(serving)
    (owner,) = serving.supervisor._owners.values()
    assert [first.source.number] == [*owner.sources]


def test_a_job_is_covered_while_its_supervisor_lives(link: Link, sandbox: Sandbox) -> None:
    job = held(sandbox)
    assert not link.covers(job)
    link.hold(job)
    assert link.covers(job)
    assert not link.covers(held(sandbox))
    pid = started(link)
    os.kill(pid, signal.SIGKILL)
    assert ends(pid, LIMIT)
    assert not link.covers(job)


@pytest.mark.parametrize("name", ["getpid", "getppid"])
def test_a_sidecar_does_not_survive_the_first_process_of_a_container(
    link: Link, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    job = held(sandbox)
    link.hold(job)
    monkeypatch.setattr(os, name, lambda: 1)
    assert not link.covers(job)


def test_jobcancel_run_survives_the_processes_of_a_container(
    link: Link, serving: Serving, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serving
    job = held(sandbox)
    link.hold(job)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert link.covers(job)


def test_a_forked_process_starts_anew(link: Link, serving: Serving, sandbox: Sandbox) -> None:
    link.hold(held(sandbox, "a"))
    link.forget()  # as `os.fork` calls it in the child
    link.forget()
    link.hold(held(sandbox, "b"))
    assert ["b"] == known(serving)


# Signal handlers in the middle of a message


@contextmanager
def stepping(serving: Serving) -> Iterator[None]:
    """Step a supervisor in a thread."""

    def step() -> None:
        while not is_over:
            serving.supervisor.step()

    is_over: list[bool] = []
    thread = threading.Thread(target=step)
    thread.start()
    try:
        yield
    finally:
        is_over.append(True)
        serving.supervisor.wake()
        thread.join()


@contextmanager
def alarm(serving: Serving, handle: Callable[[], object]) -> Iterator[list[int]]:
    """Handle a signal in the middle of a message, which the supervisor does not read until then.

    Args:
        serving: the supervisor.
        handle: what the handler does.

    Yields:
        the signals that have come.
    """

    def on_signal(number: int, _: object) -> None:
        stack.enter_context(stepping(serving))
        received.append(number)
        handle()

    received: list[int] = []
    with ExitStack() as stack:
        signal.signal(signal.SIGALRM, on_signal)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        yield received
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_a_handler_that_raises_in_a_message_costs_no_job(
    link: Link, serving: Serving, sandbox: Sandbox
) -> None:
    def interrupt() -> None:
        raise Interrupt

    jobs = [held(sandbox, f"{number:0800}") for number in range(1000)]
    added = []
    with alarm(serving, interrupt), pytest.raises(Interrupt):
        for job in jobs:
            added.append(job.job.job_id)
            link.hold(job)
    assert added == known(serving)
    link.drop(jobs[1:])
    assert added[:1] == known(serving)


def test_a_handler_may_release_and_add_jobs_in_a_message(
    link: Link, serving: Serving, sandbox: Sandbox
) -> None:
    def handle() -> None:
        link.drop(jobs[:10])
        link.hold(last)

    jobs = [held(sandbox, f"{number:0800}") for number in range(1000)]
    last = held(sandbox, "last")
    added: list[str] = []
    with alarm(serving, handle) as received:
        while not received:
            job = jobs[len(added)]
            added.append(job.job.job_id)
            link.hold(job)
    assert sorted([*added[10:], "last"]) == sorted(known(serving))


def test_a_handler_that_raises_while_the_supervisor_dies_leaves_the_link_usable(
    link: Link, serving: Serving, sandbox: Sandbox
) -> None:
    def interrupt() -> None:
        link_socket = link._line._socket if link._line else None
        assert link_socket
        link_socket.shutdown(socket.SHUT_RDWR)
        raise Interrupt

    with alarm(serving, interrupt), pytest.raises(Interrupt):
        for number in range(1000):
            link.hold(held(sandbox, f"{number:0800}"))
    serving.listening.close()
    link.hold(held(sandbox, "last"))
    assert started(link)


def test_a_handler_that_raises_while_it_connects_leaves_the_link_usable(
    link: Link, serving: Serving, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str) -> socket.socket:
        raise Interrupt

    with monkeypatch.context() as patch, pytest.raises(Interrupt):
        patch.setattr(module, "_connected", interrupt)
        link.hold(held(sandbox, "a"))
    link.hold(held(sandbox, "b"))
    assert ["a", "b"] == known(serving)


# An application that closes descriptors


@pytest.mark.parametrize("is_reused", [False, True])
def test_an_application_that_closes_all_descriptors_is_reconnected(
    link: Link, serving: Serving, sandbox: Sandbox, is_reused: bool
) -> None:
    first = held(sandbox, "a")
    link.hold(first)
    assert link._line is not None
    number = link._line._socket.fileno()
    known(serving)
    reader, writer = os.pipe()
    if is_reused:
        os.dup2(writer, number)
    else:
        os.close(number)
    os.close(writer)
    assert not link.covers(first)
    link.hold(held(sandbox, "b"))
    assert link.covers(first)
    assert ["a", "b"] == known(serving)
    if is_reused:
        os.close(number)
    assert b"" == os.read(reader, 100)
    os.close(reader)
    assert [] == [*Path(serving.address).parent.glob("????????????????")]


# A supervisor that fails


def test_a_sidecar_that_is_killed_is_replaced(link: Link, sandbox: Sandbox, folder: Path) -> None:
    first = held(sandbox, "a")
    link.hold(first)
    pid = started(link)
    os.kill(pid, signal.SIGKILL)
    assert ends(pid, LIMIT)
    link.hold(held(sandbox, "b"))
    assert link.covers(first)
    assert started(link) != pid
    assert 1 == len([*folder.iterdir()])
    link.drop([first])
    assert not link._starting


def test_a_stopped_supervisor_is_left_to_a_sidecar(
    link: Link,
    serving: Serving,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 1)
    first = held(sandbox, "a")
    link.hold(first)
    assert link._line is not None
    address = link._line.address
    for number in range(1000):
        link.hold(held(sandbox, f"{number:0800}"))
        if link._line.address != address:
            break
    assert link.covers(first)
    assert sidecars()
    assert serving.address == address
    serving.supervisor.give_up()  # it goes on, and does not know of jobs that were released
    serving.until(lambda: serving.supervisor.is_idle)
    assert [] == serving.rescued
    assert ["supervisor"] == [each.name for each in Path(address).parent.iterdir()]


def test_a_supervisor_that_is_too_busy_to_be_left_a_note_is_left_one(
    link: Link, serving: Serving, sandbox: Sandbox
) -> None:
    link.hold(held(sandbox, "a"))
    known(serving)
    assert link._line is not None
    line = link._line
    serving.listening.listen(0)
    waiting = []
    with suppress(BlockingIOError):
        while True:
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].settimeout(0)
            waiting[-1].connect(serving.address)
    line.leave()
    assert Path(serving.address).with_name(line.token).exists()
    for each in waiting:
        each.close()
    serving.supervisor.give_up()
    assert [] == serving.rescued


def test_a_supervisor_that_does_not_take_everything_is_not_tried_again(
    link: Link, serving: Serving, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_LONGEST_LINE", 100_000)
    first = held(sandbox, "x" * 500_000)
    with stepping(serving):
        link.hold(first)
    assert {serving.address} == link._failed
    assert link.covers(first)
    assert started(link)


# No supervisor


NO_PYTHON = "jobcancel.guard has no supervisor"


def without_python(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make this process one that embeds a Python without an executable."""
    patch.setattr(sys, "executable", "")
    patch.setattr(sysconfig, "get_path", lambda _: str(folder / "missing"))


def test_without_python_it_warns_once(
    link: Link, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = held(sandbox, "a")
    with monkeypatch.context() as patch:
        without_python(folder, patch)
        with pytest.warns(RuntimeWarning, match=NO_PYTHON) as caught:
            link.hold(first)
        assert __file__ == caught[0].filename
        link.hold(held(sandbox, "b"))
        link.drop([first])
        assert not link.covers(first)
        with pytest.raises(ConfigurationError, match=r"there is no supervisor .*No such file"):
            link.require()
    assert [] == [*folder.iterdir()]


def test_jobs_that_were_held_without_a_supervisor_are_sent_to_a_required_one(
    link: Link, serving: Serving, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delenv(VARIABLE)
        without_python(folder, patch)
        with pytest.warns(RuntimeWarning, match=NO_PYTHON):
            link.hold(held(sandbox, "a"))
    with stepping(serving):
        link.require()
    assert ["a"] == known(serving)


def test_an_embedded_python_uses_the_one_of_its_installation(
    link: Link, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/sbin/uwsgi")
    link.hold(held(sandbox))
    assert started(link)


@pytest.mark.parametrize("status", [0, 3])
def test_a_python_that_does_not_start_the_sidecar_is_not_tried_again(
    link: Link, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\necho started >> {folder}/log\nexit {status}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    first = held(sandbox, "a")
    with warnings.catch_warnings(record=True, category=RuntimeWarning) as caught:
        warnings.simplefilter("always")
        link.hold(first)
        until(lambda: not link.covers(first), lambda: "the connection is open")
        link.hold(held(sandbox, "b"))
        link.hold(held(sandbox, "c"))
    (warning,) = caught
    assert f"{python} did not start it" in str(warning.message)
    assert "started\n" == (folder / "log").read_text()
    assert ["log", "python"] == sorted(each.name for each in folder.iterdir())


def test_a_required_sidecar_must_answer(
    link: Link, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = folder / "python"
    python.write_text("#!/bin/sh\nsleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(module, "_START", 0.1)
    with pytest.raises(ConfigurationError, match="timed out"):
        link.require()
    for pid in link._starting:
        os.kill(pid, signal.SIGKILL)


def test_a_required_supervisor_may_be_a_new_one(link: Link, sandbox: Sandbox) -> None:
    link.hold(held(sandbox))
    pid = started(link)
    os.kill(pid, signal.SIGKILL)
    assert ends(pid, LIMIT)
    assert started(link) != pid


@pytest.mark.parametrize("kind", ["a file", "a pipe"])
def test_a_sidecar_writes_to_files_alone(
    link: Link, sandbox: Sandbox, folder: Path, kind: str
) -> None:
    usual = os.dup(2)
    reader, writer = os.pipe()
    with (folder / "log").open("wb") as log:
        # Like a file that the application has opened as its standard error: it is not inheritable.
        os.dup2(log.fileno() if kind == "a file" else writer, 2, inheritable=False)
        link.hold(held(sandbox))
        os.dup2(usual, 2)
    os.close(usual)
    os.close(writer)
    error = Path(f"/proc/{started(link)}/fd/2").readlink()
    assert (folder / "log" if kind == "a file" else Path(os.devnull)) == error
    assert b"" == os.read(reader, 1)
    os.close(reader)


def test_on_other_systems_there_is_none(
    link: Link, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_spawn")
    with pytest.warns(RuntimeWarning, match="not available on"):
        link.hold(held(sandbox))


def test_without_descriptors_there_is_none(link: Link, sandbox: Sandbox, folder: Path) -> None:
    job = held(sandbox)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    for more in (0, 1):  # no socket; only the one that listens
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, hard))
        try:
            with pytest.raises(ConfigurationError, match="Too many open files"):
                link.require()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not link.covers(job)
    assert [] == [*folder.iterdir()]


# The address in the environment


@pytest.mark.parametrize("address", ["", "x", "/nonexistent/supervisor", f"/dev/{'x' * 200}"])
def test_an_address_that_cannot_be_used_is_passed_over(
    link: Link, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    link.hold(held(sandbox))
    assert started(link)
    assert link._line is not None
    assert address != link._line.address


@pytest.mark.parametrize("kind", ["a file", "a dead socket", "a socket that others may use"])
def test_what_is_no_supervisor_of_this_user_is_passed_over_and_kept(
    link: Link, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = folder / "directory" / "supervisor"
    path.parent.mkdir(mode=0o755 if "others" in kind else 0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "a file":
            path.touch()
        else:
            listening.bind(str(path))
        if "others" in kind:
            listening.listen()
        monkeypatch.setenv(VARIABLE, str(path))
        link.hold(held(sandbox))
        assert started(link)
    assert link._line is not None
    assert str(path) != link._line.address
    assert path.exists()


def test_the_supervisor_of_another_user_is_refused(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: usual + 1)
    with pytest.raises(OSError, match="others may enter"):
        module._connected(serving.address)
