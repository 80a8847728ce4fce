"""Which connections are reused, and that unsolicited replies on them are ignored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
import trustme

from jobcancel import AsyncCanceller, Canceller, CancelResult, Outcome
from jobcancel.retry import Clock
from jobcancel.transport import aiohttp as over_aiohttp
from jobcancel.transport import environment
from tests.wire import Behavior, Wire, reset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KEY = "sk-very-secret-key"
Run: TypeAlias = Callable[..., list[CancelResult]]


async def _no_wait(_: float) -> None:
    return None


# Back-off takes no time; timeouts are real.
IMPATIENT = Clock(sleep=lambda _: None, async_sleep=_no_wait)


def body(job: str, **more: str) -> bytes:
    return json.dumps({"job_id": job, **more}).encode()


def accepted(job: str) -> bytes:
    return body(job, message="Job cancelled successfully")


def full(content: bytes, head: str = "200 OK", *, chunked: bool = False) -> bytes:
    """The bytes of one reply."""
    if not chunked:
        return f"HTTP/1.1 {head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
    return (
        f"HTTP/1.1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n{len(content):x};x=y\r\n".encode()
        + content
        + b"\r\n0\r\nTrailer: x\r\n\r\n"
    )


def sent(*parts: bytes) -> Behavior:
    return lambda connection, _: connection.sendall(b"".join(parts))


def run_sync(url: str, jobs: Sequence[str], *, between: Any = None, **options: Any) -> Any:
    with Canceller(base_urls={"pulse": url}, timeout=5) as canceller:
        canceller.clock = IMPATIENT
        results = []
        for job in jobs:
            results.append(canceller.cancel("pulse", job, **{"api_key": KEY, **options}))
            if between is not None:
                between()
        return results


def run_async(
    url: str, jobs: Sequence[str], *, backend: str = "asyncio", between: Any = None, **options: Any
) -> Any:
    async def run() -> list[CancelResult]:
        async with AsyncCanceller(base_urls={"pulse": url}, timeout=5) as canceller:
            canceller.clock = IMPATIENT
            results = []
            for job in jobs:
                results.append(await canceller.cancel("pulse", job, **{"api_key": KEY, **options}))
                if between is not None:
                    between()  # blocks the event loop, which notices nothing meanwhile
            return results

    return anyio.run(run, backend=backend)


def run_trio(url: str, jobs: Sequence[str], **options: Any) -> Any:
    return run_async(url, jobs, backend="trio", **options)


def run_async_httpx(url: str, jobs: Sequence[str], **options: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBCANCEL_TRANSPORT", "httpx")
        return run_async(url, jobs, **options)


EVERY = [run_sync, run_async, run_async_httpx, run_trio]


@pytest.fixture(params=EVERY)
def run(request: pytest.FixtureRequest) -> Run:
    made: Run = request.param
    return made


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ssl.SSLContext]:
    """A server's TLS context with a certificate that our clients trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    environment._tls_contexts.clear()
    yield context
    environment._tls_contexts.clear()


REPLIES = {
    "content-length": full(accepted("0")),
    "chunked": full(accepted("0"), chunked=True),
    "after 1xx": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + full(accepted("0")),
    "bare line feeds": full(accepted("0")).replace(b"\r\n", b"\n"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    "empty": full(b"", "404 Not Found"),
    "without a length": b"HTTP/1.0 200 OK\r\n\r\n" + accepted("0"),
}


def send_at_once(connection: socket.socket, tls: ssl.SSLContext, replies: list[bytes]) -> None:
    """Serve one request over TLS: each reply is a record, and all go out in one segment."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    encrypted = tls.wrap_bio(incoming, outgoing, server_side=True)

    def until_it_works(act: Callable[[], object]) -> None:
        while True:
            try:
                act()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
            else:
                return

    until_it_works(encrypted.do_handshake)
    connection.sendall(outgoing.read())
    until_it_works(lambda: encrypted.read(65536))
    for each in replies:
        encrypted.write(each)
    connection.sendall(outgoing.read())
    connection.recv(1)


def job_of(request: bytes) -> str:
    return request.split(b" ")[1].decode().rpartition("/")[2]


def truthfully(connection: socket.socket, request: bytes) -> None:
    """Answer as a vendor that cancels every job."""
    if request.startswith(b"DELETE"):
        connection.sendall(full(accepted(job_of(request))))
    else:
        connection.sendall(full(body(job_of(request), status="canceled")))


def outcomes(results: list[CancelResult]) -> list[Outcome]:
    return [result.outcome for result in results]


# One surplus reply


@pytest.mark.parametrize("kind", REPLIES)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_second_reply_in_the_same_segment_is_ignored(
    run: Run, kind: str, tls: ssl.SSLContext, *, encrypted: bool
) -> None:
    """The HTTP parser has both replies before the second request is sent."""
    stray = full(body("1", status="completed"))

    def first(connection: socket.socket, _: bytes) -> None:
        connection.sendall(REPLIES[kind] + stray)
        if kind == "without a length":
            connection.shutdown(socket.SHUT_RDWR)

    with Wire([first, *[truthfully] * 5], tls=tls if encrypted else None) as wire:
        results = run(wire.url, ["0", "1"])
    assert Outcome.CANCELLED is results[1].outcome
    assert "completed" not in json.dumps([result.to_dict() for result in results[1:]])
    assert wire.connections == 2


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_reply_on_an_idle_connection_is_ignored(
    run: Run, tls: ssl.SSLContext, *, encrypted: bool, chunked: bool
) -> None:
    done, strayed = threading.Event(), threading.Event()

    def then_stray(connection: socket.socket, _: bytes) -> None:
        connection.sendall(full(accepted("0"), chunked=chunked))
        assert done.wait(10)
        connection.sendall(full(body("1", status="completed"), chunked=chunked))
        strayed.set()

    def between() -> None:
        done.set()
        assert strayed.wait(10)

    with Wire([then_stray, truthfully], tls=tls if encrypted else None) as wire:
        results = run(wire.url, ["0", "1"], between=between)
    assert [Outcome.CANCELLED] * 2 == outcomes(results)
    assert 2 == wire.connections


def test_an_undecrypted_second_reply_is_ignored(run: Run, tls: ssl.SSLContext) -> None:
    """Two TLS records in one segment: the second has left the socket but is not parsed yet."""
    strays = [full(accepted("0")), full(body("1", status="completed"))]
    answers = iter([strays, [full(accepted("1"))]])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for each in answers:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):  # the client disconnected
                    send_at_once(connection, tls, each)

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        results = run(url, ["0", "1"])
    assert [Outcome.CANCELLED] * 2 == outcomes(results)


def test_replies_that_are_one_behind_cause_no_wrong_outcome(
    run: Run,
) -> None:
    """A stray reply arrives before the expected one; only the job id in it can reveal that."""
    behind: dict[socket.socket, bytes] = {}

    def serve(connection: socket.socket, request: bytes) -> None:
        due = full(accepted(job_of(request)))
        if job_of(request) == "3" and not behind:
            behind[connection] = full(accepted("somebody-elses"))
        if connection in behind:
            due, behind[connection] = behind[connection], due
            connection.sendall(due)
        else:
            truthfully(connection, request)

    jobs = [str(number) for number in range(10)]
    with Wire([serve] * 100) as wire:
        results = run(wire.url, jobs)
    assert [Outcome.CANCELLED] * 10 == outcomes(results)
    assert [False] * 10 == ["somebody" in str(result.body) for result in results]
    assert 2 == wire.connections


def test_a_connection_is_used_for_one_key_only(run: Run) -> None:
    with Wire([sent(full(accepted("0")))] * 4) as wire:
        for key in ("key-of-tenant-one", "key-of-tenant-two"):
            run(wire.url, ["0", "0"], api_key=key)
    assert 2 == wire.connections


def test_two_keys_of_one_client_use_separate_connections() -> None:
    async def in_turn(url: str) -> None:
        async with AsyncCanceller(base_urls={"pulse": url}) as canceller:
            for key in ("key-of-tenant-one", "key-of-tenant-two") * 3:
                await canceller.cancel("pulse", "0", api_key=key)

    def in_turn_sync(url: str) -> None:
        with Canceller(base_urls={"pulse": url}) as canceller:
            for key in ("key-of-tenant-one", "key-of-tenant-two") * 3:
                canceller.cancel("pulse", "0", api_key=key)

    ways: list[Callable[[str], object]] = [
        in_turn_sync,
        lambda url: asyncio.run(in_turn(url)),
        lambda url: anyio.run(in_turn, url, backend="trio"),
    ]
    for way in ways:
        with Wire([sent(full(accepted("0")))] * 6) as wire:
            way(wire.url)
        assert 2 == wire.connections


def test_only_the_most_recent_keys_keep_their_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(over_aiohttp, "_MAX_POOLS", 1)

    async def in_turn(url: str) -> None:
        async with AsyncCanceller(base_urls={"pulse": url}) as canceller:
            for key in ("key-of-tenant-one", "key-of-tenant-two", "key-of-tenant-one"):
                for _ in range(2):
                    await canceller.cancel("pulse", "0", api_key=key)

    with Wire([sent(full(accepted("0")))] * 6) as wire:
        asyncio.run(in_turn(wire.url))
    assert 3 == wire.connections


def test_closing_a_client_during_a_call_closes_its_connection() -> None:
    closed = threading.Event()

    def close_first(connection: socket.socket, _: bytes) -> None:
        canceller.close()
        connection.sendall(full(accepted("0")))
        connection.settimeout(5)
        if connection.recv(1) == b"":
            closed.set()

    with Wire([close_first]) as wire:
        canceller = Canceller(base_urls={"pulse": wire.url})
        assert Outcome.CANCELLED is canceller.cancel("pulse", "0", api_key=KEY).outcome
        assert closed.wait(10)


# Broken exchanges


def test_a_connection_is_reused_for_the_next_call(run: Run) -> None:
    kinds = [
        full(accepted("0")),
        full(accepted("0"), chunked=True),
        full(b'{"message": "no"}', "404 Not Found"),
        full(accepted("0")).replace(b"\r\n", b"\n"),
    ]
    with Wire([sent(kind) for kind in kinds]) as wire:
        run(wire.url, ["0"] * len(kinds))
    assert 1 == wire.connections


@pytest.mark.parametrize("way", [reset, sent(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
def test_a_broken_exchange_discards_the_idle_connections(way: Behavior) -> None:
    """The server restarted, or a router dropped the connections, so all of them are dead."""
    together, old = threading.Barrier(5), set[socket.socket]()

    def serve(connection: socket.socket, request: bytes) -> None:
        if len(wire.requests) <= 5:
            old.add(connection)
            together.wait(10)
            truthfully(connection, request)
        elif connection in old:
            way(connection, request)
            connection.close()
        else:
            truthfully(connection, request)

    with (
        Wire([serve] * 20) as wire,
        Canceller(base_urls={"pulse": wire.url}, api_keys={"pulse": KEY}) as canceller,
    ):
        canceller.clock = IMPATIENT
        with ThreadPoolExecutor(5) as threads:
            list(threads.map(lambda _: canceller.cancel("pulse", "0"), range(5)))
        result = canceller.cancel("pulse", "0")
    assert (Outcome.CANCELLED, 5 + 2, 5 + 1) == (
        result.outcome,
        len(wire.requests),
        wire.connections,
    )


@pytest.mark.parametrize("by", ["httpx", "aiohttp", "trio"])
def test_a_broken_async_exchange_discards_the_idle_connections(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", by)
    together, old = threading.Barrier(5), set[socket.socket]()

    def serve(connection: socket.socket, request: bytes) -> None:
        if len(wire.requests) <= 5:
            old.add(connection)
            together.wait(10)
            truthfully(connection, request)
        elif connection in old:
            reset(connection, request)
        else:
            truthfully(connection, request)

    async def five_and_one() -> CancelResult:
        async with AsyncCanceller(base_urls={"pulse": wire.url}, api_keys={"pulse": KEY}) as own:
            own.clock = IMPATIENT
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(own.cancel, "pulse", "0")
            return await own.cancel("pulse", "0")

    with Wire([serve] * 20) as wire:
        result = anyio.run(five_and_one, backend="trio" if by == "trio" else "asyncio")
    assert (Outcome.CANCELLED, 5 + 2, 5 + 1) == (
        result.outcome,
        len(wire.requests),
        wire.connections,
    )
