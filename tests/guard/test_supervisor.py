"""The supervisor: what it reads, when it regards a process as dead, and what it survives."""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobcancel.guard import supervisor as module
from jobcancel.guard.supervisor import is_open_ended, listen, remove
from tests.guard.programs import LIMIT
from tests.guard.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobcancel.guard.supervisor import Task

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfds")

SOURCE = ["source", 1, {"provider": "pulse"}]
# It connects, sends its second argument, and waits for a line of its standard input, or its end.
CLIENT = """
import json, os, socket, sys
reset = json.dumps(["reset", "0123456789abcdef", open("/proc/self/auxv", "rb").read().hex()])
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall((reset + "\\n" + sys.argv[2]).encode())
print("sent", flush=True)
sys.stdin.readline()
"""
WAIT = "import sys; sys.stdin.readline()"


def then_exec(program: str) -> str:
    """Return a client that becomes another program, with the same arguments."""
    command = f"[sys.executable, '-IS', '-c', {program!r}, *sys.argv[1:]]"
    return f"{CLIENT}\nos.execv(sys.executable, {command})"


def go_on(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def lines(*messages: Sequence[object]) -> str:
    return "".join(json.dumps(message) + "\n" for message in messages)


def hold(number: int, job_id: object = "job", source: int = 1) -> list[object]:
    return ["hold", number, source, job_id, None]


@pytest.fixture
def serving() -> Iterator[Serving]:
    serving = Serving()
    yield serving
    serving.close()


@contextmanager
def client(serving: Serving, text: str, program: str = CLIENT) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that has connected and sent a text; end it."""
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", program, serving.address, text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            assert b"sent\n" == process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_what_a_killed_process_holds_is_rescued(serving: Serving) -> None:
    with client(serving, lines(SOURCE, hold(1, "a"), hold(2, "b"), hold(3, "c"), ["drop", [2, 9]])):
        serving.supervisor.catch_up()
        assert [] == serving.rescued
        assert not serving.supervisor.is_idle
    serving.until_rescued("a", "c")
    assert serving.supervisor.is_idle


def test_a_process_that_died_before_it_was_seen_is_rescued(serving: Serving) -> None:
    with client(serving, lines(SOURCE, hold(1, "a"))):
        pass  # it is killed and reaped, so it has no pidfd
    serving.until_rescued("a")
    assert serving.supervisor.is_idle


def test_a_process_that_holds_nothing_is_forgotten(serving: Serving) -> None:
    with client(serving, lines(SOURCE, hold(1), ["reset", "", ""])):
        serving.supervisor.catch_up()
    serving.until(lambda: serving.supervisor.is_idle)
    assert [] == serving.rescued


def test_a_process_that_sends_nothing_is_watched_until_its_end(serving: Serving) -> None:
    with client(serving, ""):
        serving.supervisor.catch_up()
        assert not serving.supervisor.is_idle
    serving.until(lambda: serving.supervisor.is_idle)


MALFORMED = [
    "",
    "[",
    "5",
    "null",
    '"ping',
    "{}",
    "[]",
    "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    "[" * 100_000,
    lines(["unknown", 1])[:-1],
    lines([["hold"]])[:-1],
    lines(["hold"])[:-1],
    lines(["hold", 1, 99, "job", None])[:-1],
    lines(["hold", [1], 1, "job", None])[:-1],
    lines(["drop"])[:-1],
    lines(["drop", 5])[:-1],
    lines(["drop", [[]]])[:-1],
    lines(["source", 2])[:-1],
    lines(["source", [], {}])[:-1],
    lines(["source", 7, {}], ["hold", 7, 7, "job", None])[:-1],
    lines(["source", 8, []], ["hold", 8, 8, "job", None])[:-1],
    lines(["reset"])[:-1],
    lines(["reset", "token"])[:-1],
    lines(hold(9))[:5],
]


@pytest.mark.parametrize("line", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_lines_are_ignored(serving: Serving, line: str) -> None:
    connection = serving.connect()
    text = lines(SOURCE) + line + "\n" + lines(hold(1, "a"), ["ping"])
    connection.sendall(text.encode())
    serving.supervisor.catch_up()
    assert b"\n" == connection.recv(10)
    serving.supervisor.give_up()
    serving.until_rescued("a")
    connection.close()


def test_a_message_may_arrive_in_parts(serving: Serving) -> None:
    connection = serving.connect()
    for byte in lines(SOURCE, hold(1, "a")).encode():
        connection.sendall(bytes([byte]))
        serving.supervisor.step(LIMIT)
    serving.supervisor.give_up()
    serving.until_rescued("a")
    connection.close()


def test_a_process_that_connects_again_has_left_its_first_connection(serving: Serving) -> None:
    first, second = serving.connect(), serving.connect()
    serving.supervisor.catch_up()
    second.sendall(lines(["reset", "token", ""], SOURCE, hold(2, "b")).encode())
    first.sendall(lines(SOURCE, hold(1, "a"), ["ping"]).encode())
    serving.supervisor.catch_up()
    assert b"\n" == first.recv(10)
    first.sendall(lines(["ping"]).encode())
    serving.supervisor.catch_up()
    assert b"\n" == first.recv(10)
    serving.supervisor.give_up()
    serving.until_rescued("b")
    first.close()
    second.close()


def test_the_sender_of_a_line_without_end_is_disconnected_and_keeps_its_jobs(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_LINE", 200_000)
    connection = serving.connect()
    connection.sendall(lines(SOURCE, hold(1, "a")).encode())
    connection.settimeout(0)
    with pytest.raises(ConnectionError):
        while True:
            with suppress(BlockingIOError):
                connection.send(b"x" * 50_000)
            serving.supervisor.step(0)
    serving.supervisor.give_up()
    serving.until_rescued("a")
    connection.close()


def test_a_line_without_end_of_a_dead_process_is_not_read_to_its_end(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_LINE", 10)
    with client(serving, lines(SOURCE, hold(1, "a")) + "x" * 100_000):
        pass
    serving.until_rescued("a")


def test_a_process_that_reads_no_answers_does_not_block_others(serving: Serving) -> None:
    deaf, other = serving.connect(), serving.connect()
    deaf.settimeout(0)
    pings = lines(["ping"]).encode() * 5000
    for _ in range(60):
        with suppress(BlockingIOError):
            deaf.send(pings)
        serving.supervisor.step(0)
    other.sendall(lines(["ping"]).encode())
    serving.supervisor.catch_up()
    assert b"\n" == other.recv(10)
    deaf.close()  # with unread answers
    (owner,) = serving.supervisor._owners.values()
    serving.until(lambda: len(owner.connections) == 1)
    other.close()


# When a process is dead


def test_the_end_of_a_connection_is_not_the_end_of_its_process(serving: Serving) -> None:
    closing = CLIENT.replace('print("sent"', 'connection.close(); print("sent"')
    with client(serving, lines(SOURCE, hold(1, "a")), closing):
        serving.supervisor.catch_up()
        assert not serving.supervisor._owners[next(iter(serving.supervisor._owners))].connections
        assert [] == serving.rescued
    serving.until_rescued("a")


FORK = CLIENT.replace(
    'print("sent"', "os.fork() or (os.close(1), sys.stdin.readline(), os._exit(0)); print('sent'"
)


def test_an_inherited_connection_does_not_keep_a_dead_process_alive(serving: Serving) -> None:
    with client(serving, lines(SOURCE, hold(1, "a")), FORK) as process:
        serving.supervisor.catch_up()
        assert not serving.supervisor.is_cancelling
        process.kill()
        serving.until_rescued("a")  # while its child lives


def test_a_descriptor_with_the_number_of_a_closed_one_is_another_one(serving: Serving) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(client(serving, lines(SOURCE, hold(1, "first")), FORK))
        serving.supervisor.catch_up()
        (owner,) = serving.supervisor._owners.values()
        (connection,) = owner.connections
        # Three events, in this order: the end of a process; a new connection, which gets the
        # descriptors that the first event closes; the end of the connection, by a child.
        first.kill()
        first.wait()
        stack.enter_context(client(serving, lines(SOURCE, hold(1, "second"))))
        assert first.stdin is not None
        first.stdin.close()
        select.select([connection.socket], [], [], LIMIT)
        serving.until_rescued("first")
        serving.supervisor.catch_up()
        assert not serving.supervisor.is_idle
    serving.until_rescued("first", "second")


def test_everything_that_a_dead_process_has_written_is_read(serving: Serving) -> None:
    program = f"""
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
print("sent", flush=True)
sys.stdin.readline()
connection.sendall(sys.argv[2].encode())
print("sent", flush=True)
{WAIT}
"""
    holds = [hold(number, f"{number:0600}") for number in range(150)]  # more than one chunk
    with client(serving, lines(SOURCE, *holds), program) as process:
        serving.supervisor.catch_up()
        go_on(process)
        assert process.stdout is not None
        assert b"sent\n" == process.stdout.readline()
    serving.until_rescued(*(f"{number:0600}" for number in range(150)))


@pytest.mark.parametrize("is_early", [True, False])
def test_exec_ends_a_caller(serving: Serving, is_early: bool) -> None:
    with client(serving, lines(SOURCE, hold(1, "a")), then_exec(WAIT)) as process:
        if not is_early:
            serving.supervisor.catch_up()
        go_on(process)
        serving.until_rescued("a")  # while the new program lives
        assert serving.supervisor.is_idle


def test_a_new_program_in_the_same_process_is_another_caller(serving: Serving) -> None:
    second = CLIENT.replace("sent", "again")
    first = CLIENT.replace(
        "sys.stdin.readline()",
        "sys.stdin.readline()\n"
        "connection.set_inheritable(True)\n"
        "sys.argv[2] = sys.argv[2].replace('first', 'second')",
    )
    program = then_exec(second).replace(CLIENT, first)
    with client(serving, lines(SOURCE, hold(1, "first")), program) as process:
        serving.supervisor.catch_up()
        go_on(process)
        assert process.stdout is not None
        assert b"again\n" == process.stdout.readline()
        serving.until_rescued("first")
        process.kill()
        serving.until_rescued("first", "second")


def test_a_process_with_the_id_of_a_dead_one_is_not_taken_for_it(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client(serving, lines(SOURCE, hold(1, "a"))):
        pass
    # It has died before the supervisor started, and another process has got its id since.
    monkeypatch.setattr(module, "_peer", lambda _: (os.getpid(), os.geteuid()))
    serving.until_rescued("a")
    assert serving.supervisor.is_idle


def test_where_proc_is_that_of_another_namespace_exec_cannot_be_seen(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client(serving, lines(SOURCE, hold(1, "a")), then_exec(WAIT)) as process:
        monkeypatch.setattr(os, "getpid", lambda: 1)
        go_on(process)
        serving.until(lambda: serving.supervisor._owners)
        (owner,) = serving.supervisor._owners.values()
        serving.until(lambda: not owner.connections)
        assert [] == serving.rescued
    serving.until_rescued("a")


@pytest.mark.parametrize("missing", ["pidfd", "pid"])
def test_without_pidfds_the_end_of_the_connection_is_the_end_of_its_process(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "pid":
        monkeypatch.delattr(socket, "SO_PEERCRED")
    else:
        monkeypatch.delattr(os, "pidfd_open")
    connection = serving.connect()
    connection.sendall(lines(SOURCE, hold(1, "a")).encode())
    serving.supervisor.catch_up()
    assert not serving.supervisor.is_idle
    connection.close()
    serving.until_rescued("a")
    assert serving.supervisor.is_idle


def test_all_processes_can_be_given_up(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    with client(serving, lines(SOURCE, hold(1, "a"))):
        serving.supervisor.catch_up()
        monkeypatch.delattr(os, "pidfd_open")
        connection = serving.connect()
        with client(serving, lines(SOURCE, hold(1, "b"))):
            serving.supervisor.give_up()
            serving.until_rescued("a", "b")
            assert serving.supervisor.is_idle
            connection.close()


def test_a_process_that_has_found_another_supervisor_is_not_rescued(serving: Serving) -> None:
    note = Path(serving.address).with_name("0123456789abcdef")
    with client(serving, lines(SOURCE, hold(1, "a"))):
        serving.supervisor.catch_up()
        note.touch()
    serving.until(lambda: serving.supervisor.is_idle)
    assert [] == serving.rescued
    assert not note.exists()


# Who may connect


def test_other_users_are_refused(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = serving.connect()
    connection.sendall(lines(SOURCE, hold(1, "a")).encode())
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    serving.supervisor.catch_up()
    with suppress(ConnectionResetError):
        assert b"" == connection.recv(10)
    assert serving.supervisor.is_idle
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="starts a process as another user")
def test_a_process_that_has_become_another_user_is_refused(serving: Serving) -> None:
    program = CLIENT.replace("connection = ", "os.setuid(65534)\nconnection = ")
    Path(serving.address).parent.chmod(0o755)
    Path(serving.address).chmod(0o777)
    with client(serving, lines(SOURCE, hold(1, "a")), program):
        serving.supervisor.catch_up()
    assert serving.supervisor.is_idle
    assert [] == serving.rescued


# What it survives


def test_where_no_thread_can_be_started_the_rescue_is_done_at_once(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with client(serving, lines(SOURCE, hold(1, "a"))):
        pass
    monkeypatch.setattr(threading.Thread, "start", refuse)
    serving.until(lambda: serving.supervisor.is_idle and serving.rescued)
    assert ["a"] == serving.rescued


def test_an_error_in_a_rescue_is_printed(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(tasks: list[Task]) -> None:
        serving.rescue(tasks)
        raise ImportError("the virtual environment was deleted")

    serving.supervisor._rescue = fail
    with client(serving, lines(SOURCE, hold(1, "a"))):
        pass
    serving.until(lambda: "was deleted" in capsys.readouterr().err)
    serving.until(lambda: serving.supervisor.is_idle)


def test_without_descriptors_it_accepts_later(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0)
    connection = serving.connect()
    connection.sendall(lines(["ping"]).encode())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        serving.supervisor.step(LIMIT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert serving.supervisor.is_idle
    serving.supervisor.catch_up()
    assert b"\n" == connection.recv(10)
    connection.close()


def test_it_can_be_woken_at_any_time(serving: Serving) -> None:
    for _ in range(2000):
        serving.supervisor.wake()
    assert serving.supervisor.step(LIMIT)
    serving.supervisor.catch_up()
    assert not serving.supervisor.step(0)


def test_it_serves_until_no_process_is_left_and_misses_none(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_and_remove(address: str) -> None:
        with client(serving, lines(SOURCE, hold(1, "late"))):
            pass
        remove(address)

    monkeypatch.setattr(module, "remove", connect_and_remove)
    with client(serving, lines(SOURCE, hold(1, "early"))):
        pass
    serving.supervisor.step(LIMIT)
    serving.supervisor.serve()
    assert ["early", "late"] == serving.rescued
    assert not Path(serving.address).parent.exists()


# The place of its socket


def test_the_directory_is_the_users_own() -> None:
    listening = listen()
    address = Path(listening.getsockname())
    assert 0o700 == address.parent.stat().st_mode & 0o777
    listening.close()
    remove(str(address))
    assert not address.parent.exists()
    remove(str(address))


@pytest.mark.parametrize("folder", ["", "x" * 120, None])
def test_a_place_that_cannot_be_used_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    def refuse() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    place = tmp_path / (folder or "missing")
    if folder is None:
        monkeypatch.setattr(tempfile, "gettempdir", refuse)
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        if folder:
            place.mkdir()
    listening = listen()
    address = listening.getsockname()
    listening.close()
    remove(address)
    assert address.startswith("/tmp/jobcancel-")  # noqa: S108
    assert not place.exists() or [] == [*place.iterdir()]


def test_without_any_place_it_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(OSError, match="Read-only"):
        listen()


# What a supervisor does to its own process


def run(code: str, **options: Any) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, **options
    )
    return done.stdout


@pytest.mark.parametrize("proc", [True, False], ids=["with /proc", "without"])
def test_it_closes_what_it_has_inherited_and_nothing_else(proc: bool) -> None:
    inherited, other_end = os.pipe()
    code = f"""
import os
from jobcancel.guard.supervisor import close_inherited
own, _ = os.pipe()
if not {proc}:
    def refuse(_):
        raise OSError
    os.listdir, usual = refuse, os.listdir
close_inherited()
for number in (0, 1, 2, own, {inherited}):
    try:
        os.fstat(number)
        print("open", end=" ")
    except OSError:
        print("closed", end=" ")
if not {proc}:
    os.listdir = usual
"""
    assert "open open open open closed" == run(code, pass_fds=[inherited]).strip()
    os.close(inherited)
    os.close(other_end)


def test_its_soft_limits_are_the_hard_ones() -> None:
    code = """
import resource
from jobcancel.guard.supervisor import raise_limits
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
resource.setrlimit(resource.RLIMIT_CPU, (300, 400))
raise_limits()
print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CPU))
"""
    assert "(200, 200) (400, 400)" == run(code).strip()


def test_nobody_waits_for_the_end_of_a_file_or_of_a_terminal(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    main, terminal = os.openpty()
    with (tmp_path / "file").open("wb") as file:
        answers = [is_open_ended(each) for each in (file.fileno(), terminal, writer)]
    for each in (reader, writer, main, terminal):
        os.close(each)
    assert [True, True, False] == answers
    assert not is_open_ended(writer)
