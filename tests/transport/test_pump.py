"""Flows over real sockets, sync and async: requests, replies and every kind of fault."""

from __future__ import annotations

import _thread
import gzip
import json
import logging
import os
import re
import socket
import ssl
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import httpcore  # noqa: F401 - while socksio is there: it looks for it only once
import httpx
import httpx2
import pytest
import trustme

from jobcancel import (
    AsyncCanceller,
    Canceller,
    CancelResult,
    ConfigurationError,
    JobState,
    Outcome,
)
from jobcancel.retry import Clock
from jobcancel.transport import clients, environment
from tests.wire import Behavior, Wire, answer, drip, raw, reset, silence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-very-secret-key"
SUCCESS = json.dumps({"job_id": "1", "message": "Job cancelled successfully"}).encode()
ACCEPT = answer(body=SUCCESS)
CANCELLED = answer(body=b'{"job_id": "1", "status": "canceled"}')

Cancel: TypeAlias = Callable[..., CancelResult]


async def _no_wait(_: float) -> None:
    return None


# Back-off takes no time; timeouts are real.
IMPATIENT = Clock(sleep=lambda _: None, async_sleep=_no_wait, random=lambda: 0.5)


def cancel_sync(
    base_url: str, http_client: Any = None, *, allow_http: bool = False, **options: Any
) -> CancelResult:
    with Canceller(
        api_keys={"pulse": KEY},
        base_urls={"pulse": base_url},
        http_client=http_client,
        allow_http=allow_http,
    ) as canceller:
        canceller.clock = IMPATIENT
        return canceller.cancel("pulse", "1", **options)


def cancel_async(
    base_url: str, backend: str = "asyncio", *, allow_http: bool = False, **options: Any
) -> CancelResult:
    async def run() -> CancelResult:
        async with AsyncCanceller(
            api_keys={"pulse": KEY}, base_urls={"pulse": base_url}, allow_http=allow_http
        ) as canceller:
            canceller.clock = IMPATIENT
            return await canceller.cancel("pulse", "1", **options)

    return anyio.run(run, backend=backend)


def cancel_trio(base_url: str, **options: Any) -> CancelResult:
    return cancel_async(base_url, "trio", **options)


def cancel_async_httpx(base_url: str, **options: Any) -> CancelResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBCANCEL_TRANSPORT", "httpx")
        return cancel_async(base_url, **options)


@pytest.fixture(params=[cancel_sync, cancel_async, cancel_async_httpx, cancel_trio])
def cancel(request: pytest.FixtureRequest) -> Cancel:
    made: Cancel = request.param
    return made


def paths(wire: Wire) -> list[bytes]:
    return [b" ".join(request.split(b" ")[:2]) for request in wire.requests]


DELETE, GET = b"DELETE /job/1", b"GET /job/1"


def test_one_request_is_sent_with_its_headers(cancel: Cancel) -> None:
    with Wire([ACCEPT]) as wire:
        result = cancel(wire.url)
    assert (Outcome.CANCELLED, 1, [DELETE]) == (result.outcome, result.attempts, paths(wire))
    request = wire.requests[0].lower()
    assert f"x-api-key: {KEY}".encode() in request
    assert b"accept: application/json" in request
    assert b"user-agent: jobcancel/" in request


def test_a_bearer_key_and_an_empty_post_are_sent() -> None:
    with Wire([answer("404 Not Found")]) as wire, Canceller() as canceller:
        canceller.cancel("talonic", "1", api_key=KEY, base_url=wire.url + "/prefix/")
    request = wire.requests[0].lower()
    assert request.startswith(b"post /prefix/v1/jobs/1/cancel http/1.1")
    assert f"authorization: bearer {KEY}".encode() in request
    assert b"content-length: 0" in request


# Faults


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (reset, "the connection broke"),
        (raw(), "the connection broke"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "the connection broke"),
        (raw(b"this is not HTTP\r\n\r\n"), "the connection broke"),
        (silence, "no complete reply within 0.2 seconds"),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b" "), "no complete reply"),
        (drip(b"HTTP/1.1 200 OK\r\n", b"X-Endless: more\r\n"), "no complete reply"),
    ],
)
def test_after_a_lost_reply_the_status_decides(
    cancel: Cancel, fault: Behavior, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="jobcancel")
    with Wire([fault, CANCELLED]) as wire:
        result = cancel(wire.url, timeout=0.2)
    assert (Outcome.CANCELLED, JobState.CANCELLED, True) == (
        result.outcome,
        result.state,
        result.verified,
    )
    assert [DELETE, GET] == paths(wire)
    assert any(why in message for message in caplog.messages)


@pytest.mark.parametrize(
    "fault",
    [
        silence,
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b" "),
        drip(b"HTTP/1.1 200 OK\r\n", b"X-Endless: more\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" " * 9000, 0.0001),
    ],
)
def test_a_slow_server_cannot_hold_a_call_much_beyond_its_deadline(
    cancel: Cancel, fault: Behavior
) -> None:
    with Wire([fault] * 20) as wire:
        result = cancel(wire.url, timeout=0.2, deadline=0.3)
    assert Outcome.UNKNOWN is result.outcome
    assert "no complete reply within 0.2 seconds" in result.message
    assert len(wire.requests) <= 2
    assert result.elapsed < 5  # instead of forever, even on a busy machine


def test_a_refused_connection_is_classified_as_not_sent(cancel: Cancel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = cancel(f"http://127.0.0.1:{port}")
    assert (Outcome.UNKNOWN, True) == (result.outcome, result.attempts > 1)
    assert re.match(r"could not connect \((Client)?Connect(or)?Error: ", result.message)


def test_an_unresolvable_host_is_classified_as_not_sent(cancel: Cancel) -> None:
    result = cancel("https://no-such-host.invalid", timeout=2, deadline=5)
    assert Outcome.UNKNOWN is result.outcome
    assert result.message.startswith("could not connect")


def test_a_server_without_tls_is_classified_as_not_sent(cancel: Cancel) -> None:
    with Wire([], greeting=b"220 no TLS here\r\n") as wire:
        result = cancel(wire.url.replace("http:", "https:"))
    assert (Outcome.UNKNOWN, []) == (result.outcome, wire.requests)
    assert result.message.startswith("could not connect")


def test_a_redirect_is_not_followed(cancel: Cancel) -> None:
    with (
        Wire([]) as elsewhere,
        Wire([], answer("307 Temporary", headers=(f"Location: {elsewhere.url}/job/1",))) as wire,
    ):
        result = cancel(wire.url)
    assert (Outcome.UNKNOWN, 307, 0) == (
        result.outcome,
        result.status_code,
        elsewhere.connections,
    )
    moved = "HTTP 307: a redirect, which is never followed"
    assert f"{moved}; its status could not be read: {moved}" == result.message


@pytest.mark.parametrize(
    "location",
    [
        b"javascript:1",
        b"http:x",
        b"http://xn--a/",
        b"//[::1",
        b"/" + b"x" * 65_530,
        b"http://\x7f/",
    ],
)
def test_a_redirect_to_an_invalid_url_is_a_redirect(cancel: Cancel, location: bytes) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with Wire([], then=raw(head)) as wire:
        result = cancel(wire.url)
    assert (Outcome.UNKNOWN, 302) == (result.outcome, result.status_code)
    assert [DELETE, GET] == paths(wire)[:2]


def test_connecting_to_many_dead_addresses_keeps_to_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The backlog is full, so that connecting to any of the addresses would take forever."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        full = [socket.socket() for _ in range(3)]
        for each in full:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 6)
        began = time.monotonic()
        result = cancel_sync(f"http://localhost:{port}", timeout=0.3, deadline=0.4)
        assert time.monotonic() - began < 1.5
        for each in full:
            each.close()
    assert result.message.startswith("could not connect")


def slow_names(monkeypatch: pytest.MonkeyPatch, gone: threading.Event) -> None:
    """Make resolving a name take forever, but not resolving a numeric address."""
    resolve = socket.getaddrinfo

    def stuck(*given: Any, **named: Any) -> Any:
        if given[0] == "localhost" and "flags" not in named:
            gone.wait(30)
        return resolve(*given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", stuck)


def test_resolving_a_name_keeps_to_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = threading.Event()
    slow_names(monkeypatch, gone)
    began = time.monotonic()
    result = cancel_sync("http://localhost:9", timeout=0.2, deadline=0.3)
    gone.set()
    assert time.monotonic() - began < 5
    assert (Outcome.UNKNOWN, "not resolved in time" in result.message) == (result.outcome, True)
    assert result.message.startswith("could not connect")


def test_a_name_is_resolved_if_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Wire([ACCEPT]) as wire:
        monkeypatch.setattr(_thread, "start_new_thread", no_thread)
        result = cancel_sync(wire.url.replace("127.0.0.1", "localhost"))
    assert Outcome.CANCELLED is result.outcome


def test_the_second_address_of_a_host_is_tried_if_the_first_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Wire([ACCEPT]) as wire:
        port = int(wire.url.rpartition(":")[2])
        found = [
            (family, socket.SOCK_STREAM, 6, "", (address, port))
            for family, address in ((socket.AF_INET, "127.0.0.9"), (socket.AF_INET, "127.0.0.1"))
        ]
        original = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *a, **k: found if host == "localhost" else original(host, *a, **k),
        )
        result = cancel_sync(f"http://localhost:{port}")
    assert (Outcome.CANCELLED, 1) == (result.outcome, result.attempts)


# Bodies


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_a_compressed_body_is_read(
    cancel: Cancel, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    headers = (f"Content-Encoding: {encoding}",)
    with Wire([answer(body=compress(SUCCESS), headers=headers)]) as wire:
        assert Outcome.CANCELLED is cancel(wire.url).outcome


@pytest.mark.parametrize(
    ("body", "encoding", "problem"),
    [
        (b"[" + b" " * (17 * 2**20), "identity", "the body is larger than 16 MiB"),
        (gzip.compress(bytes(100 * 2**20), 9, mtime=0), "gzip", "the body is larger than 16 MiB"),
        (b"not gzip", "gzip", "the compressed body is corrupt"),
        (gzip.compress(SUCCESS, mtime=0)[:-9], "gzip", "the compressed body is truncated"),
        (
            gzip.compress(SUCCESS, mtime=0) + b"more",
            "gzip",
            "data after the end of the compressed body",
        ),
        (SUCCESS, "br", "the content encoding is 'br', which was not requested"),
    ],
)
def test_an_unreadable_body_is_inconclusive(
    cancel: Cancel, body: bytes, encoding: str, problem: str
) -> None:
    huge = answer(body=body, headers=(f"Content-Encoding: {encoding}",))
    running = answer(body=b'{"job_id": "1", "status": "processing"}')
    with Wire([huge, running] * 30) as wire:
        tracemalloc.start()
        result = cancel(wire.url, deadline=5)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (Outcome.UNKNOWN, JobState.RUNNING) == (result.outcome, result.state)
    assert problem in result.message
    assert peak < 64 * 2**20


def test_a_body_of_five_megabytes_is_read(cancel: Cancel) -> None:
    body = json.dumps({"job_id": "1", "status": "completed", "result": "x" * 5_000_000}).encode()
    with Wire([reset, answer(body=body)]) as wire:
        result = cancel(wire.url)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)


def test_a_key_in_a_reply_is_redacted(cancel: Cancel) -> None:
    body = json.dumps({"error": {"message": f"Invalid key {KEY}", "code": KEY}}).encode()
    refusal = answer("401 Unauthorized", body=body, headers=(f"X-Request-Id: {KEY}",))
    with Wire([refusal]) as wire:
        result = cancel(wire.url)
    assert "Invalid key [redacted]" == result.message
    assert KEY not in json.dumps(result.to_dict())


@pytest.mark.parametrize("key", [KEY, "sk/very/secret&key"])
def test_a_key_with_escapes_in_a_reply_is_redacted(cancel: Cancel, key: str) -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in key)
    body = f'{{"error": {{"message": "Invalid key {escaped}", "details": ["{escaped}"]}}}}'
    with Wire([answer("401 Unauthorized", body=body.encode())]) as wire:
        result = cancel(wire.url, api_key=key)
    assert "Invalid key [redacted]" == result.message
    assert key not in json.dumps(result.to_dict())


def test_a_key_in_a_malformed_header_is_redacted(cancel: Cancel) -> None:
    bad = raw(b"HTTP/1.1 200 OK\r\nbad header x-api-key " + KEY.encode() + b"\r\n\r\n")
    with Wire([bad, answer("404 Not Found")], then=bad) as wire:
        result = cancel(wire.url)
    assert (Outcome.UNKNOWN, False) == (result.outcome, KEY in result.message)
    assert "eader" in result.message  # each parser words it differently
    assert len(result.message) < 1000


# Clients


def test_connections_are_reused_between_calls() -> None:
    with Wire([ACCEPT] * 3) as wire, Canceller(api_keys={"pulse": KEY}) as canceller:
        for _ in range(3):
            canceller.cancel("pulse", "1", base_url=wire.url)
    assert 1 == wire.connections


def test_a_connection_closed_by_the_server_is_not_reused() -> None:
    closed = threading.Event()

    def answer_and_close(connection: socket.socket, request: bytes) -> None:
        ACCEPT(connection, request)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with Wire([answer_and_close, ACCEPT]) as wire, Canceller(api_keys={"pulse": KEY}) as canceller:
        first = canceller.cancel("pulse", "1", base_url=wire.url)
        assert closed.wait(10)
        second = canceller.cancel("pulse", "1", base_url=wire.url)
    assert (Outcome.CANCELLED, Outcome.CANCELLED, 2) == (
        first.outcome,
        second.outcome,
        wire.connections,
    )


def test_cookies_are_not_shared_between_keys() -> None:
    cookie = answer(body=SUCCESS, headers=("Set-Cookie: session=of-key-one",))
    with Wire([cookie, cookie]) as wire, Canceller(base_urls={"pulse": wire.url}) as canceller:
        canceller.cancel("pulse", "1", api_key="key one")
        canceller.cancel("pulse", "1", api_key="key two")
    assert b"of-key-one" not in wire.requests[1]


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_custom_client_is_used_and_left_open(library: Any) -> None:
    with Wire([ACCEPT, reset, CANCELLED, silence, CANCELLED]) as wire, library.Client() as own:
        results = [cancel_sync(wire.url, http_client=own, timeout=0.2) for _ in range(3)]
        assert not own.is_closed
    assert [Outcome.CANCELLED] * 3 == [result.outcome for result in results]


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_custom_async_client_is_used_and_left_open(library: Any) -> None:
    async def run(url: str) -> list[CancelResult]:
        async with (
            library.AsyncClient() as own,
            AsyncCanceller(http_client=own, api_keys={"pulse": KEY}) as canceller,
        ):
            results = [await canceller.cancel("pulse", "1", base_url=url) for _ in range(2)]
            assert not own.is_closed
            return results

    with Wire([ACCEPT, reset, CANCELLED]) as wire:
        results = anyio.run(run, wire.url)
    assert [Outcome.CANCELLED] * 2 == [result.outcome for result in results]


def test_auth_and_redirects_of_a_custom_client_are_not_used() -> None:
    own = {"auth": ("user", "word"), "follow_redirects": True}

    async def run(url: str) -> CancelResult:
        async with (
            httpx.AsyncClient(**own) as http_client,  # type: ignore[arg-type]
            AsyncCanceller(http_client=http_client, api_keys={"pulse": KEY}) as canceller,
        ):
            return await canceller.cancel("pulse", "1", base_url=url, deadline=1.0)

    with Wire([]) as elsewhere:
        moved = answer("307 Moved", headers=(f"Location: {elsewhere.url}/",))
        with Wire([], then=moved) as wire, httpx.Client(**own) as http_client:  # type: ignore[arg-type]
            results = [cancel_sync(wire.url, http_client=http_client), anyio.run(run, wire.url)]
        assert 0 == elsewhere.connections
    assert [307, 307] == [result.status_code for result in results]
    assert not any(b"authorization" in request.lower() for request in wire.requests)


def test_a_redirect_a_custom_client_cannot_build_is_inconclusive() -> None:
    nowhere = answer("302 Found", headers=("Location: javascript:1",))
    with Wire([nowhere, CANCELLED]) as wire, httpx.Client() as own:
        result = cancel_sync(wire.url, http_client=own)
    assert (Outcome.CANCELLED, [DELETE, GET]) == (result.outcome, paths(wire))


def test_two_hundred_threads_send_one_request_each() -> None:
    def slowly(connection: socket.socket, request: bytes) -> None:
        time.sleep(0.3)
        ACCEPT(connection, request)

    with (
        Wire([slowly] * 400) as wire,
        Canceller(api_keys={"pulse": KEY}, base_urls={"pulse": wire.url}) as canceller,
        ThreadPoolExecutor(200) as pool,
    ):
        results = list(pool.map(lambda _: canceller.cancel("pulse", "1"), range(200)))
    assert {(Outcome.CANCELLED, 1)} == {(result.outcome, result.attempts) for result in results}


def test_a_mock_transport_works_sync_and_async() -> None:
    def accept(_: object) -> httpx.Response:
        return httpx.Response(200, content=SUCCESS)

    at_hand = httpx.MockTransport(accept)
    result = cancel_sync("https://vendor.example", http_client=httpx.Client(transport=at_hand))
    assert Outcome.CANCELLED is result.outcome

    async def run() -> CancelResult:
        own = httpx.AsyncClient(transport=at_hand)
        async with own, AsyncCanceller(http_client=own, api_keys={"pulse": KEY}) as canceller:
            return await canceller.cancel("pulse", "1")

    assert Outcome.CANCELLED is anyio.run(run).outcome


def test_a_client_subclass_is_recognized_by_its_base() -> None:
    class Own(httpx.Client):
        errors = ("the application's own",)

    with Own() as own:
        assert clients.module_of(type(own)) is httpx
        assert httpx.RequestError in clients.errors_of(own).failures


def test_a_bug_in_a_transport_raises() -> None:
    def bug(_: object) -> httpx.Response:
        raise ZeroDivisionError

    http_client = httpx.Client(transport=httpx.MockTransport(bug))
    with pytest.raises(ZeroDivisionError):
        cancel_sync("https://vendor.example", http_client=http_client)


# TLS and proxies


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A server's TLS context with a certificate that our clients trust."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    environment._tls_contexts.clear()
    yield context
    environment._tls_contexts.clear()


def test_a_job_is_cancelled_over_tls(cancel: Cancel, tls: ssl.SSLContext) -> None:
    with Wire([ACCEPT], tls=tls) as wire:
        assert Outcome.CANCELLED is cancel(wire.url).outcome


def test_no_request_is_sent_to_an_untrusted_certificate(
    cancel: Cancel, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with Wire([], tls=tls) as wire:
        result = cancel(wire.url)
    assert (Outcome.UNKNOWN, []) == (result.outcome, wire.requests)
    assert "CERTIFICATE_VERIFY_FAILED" in result.message


def test_a_proxy_from_the_environment_is_used(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire([answer("200 Connection established")] * 5) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert (
            Outcome.UNKNOWN is cancel("https://vendor.example", timeout=0.1, deadline=0.2).outcome
        )
    assert proxy.requests[0].startswith(b"CONNECT vendor.example:443 ")
    assert not any(KEY.encode() in request for request in proxy.requests)


def test_a_refusing_proxy_is_classified_as_not_sent(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire([], then=answer("403 Forbidden")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        result = cancel("https://vendor.example")
    assert (Outcome.UNKNOWN, result.attempts) == (result.outcome, len(proxy.requests))
    assert "could not connect (ProxyError: 403 Forbidden)" == result.message


def test_loopback_does_not_use_a_proxy(cancel: Cancel, monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire([ACCEPT]) as wire, Wire([]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert Outcome.CANCELLED is cancel(wire.url).outcome
    assert 0 == proxy.connections


# Logging


def test_each_exchange_is_logged_with_its_reply_or_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="jobcancel")
    with Wire([reset, CANCELLED]) as wire:
        cancel_sync(wire.url)
    lost, read, settled = (record.getMessage() for record in caplog.records)
    assert lost.startswith(
        "event=jobcancel.cancel.sent provider=pulse job_id=1 attempt=1 method=DELETE"
    )
    assert 'fault="the connection broke before the reply was complete' in lost
    assert "event=jobcancel.status.sent" in read
    assert "status_code=200" in read
    assert "event=jobcancel.cancel.settled" in settled
    assert "outcome=cancelled" in settled
    assert KEY not in caplog.text


def test_a_forked_child_opens_its_own_connection() -> None:
    with Wire([ACCEPT] * 2) as wire, Canceller(api_keys={"pulse": KEY}) as canceller:
        canceller.cancel("pulse", "1", base_url=wire.url)
        child = os.fork()
        if child == 0:  # pragma: no cover - runs in the child
            outcome = canceller.cancel("pulse", "1", base_url=wire.url).outcome
            os._exit(0 if outcome is Outcome.CANCELLED else 1)
        _, status = os.waitpid(child, 0)
    assert (0, 2) == (status, wire.connections)


LOOPBACK = [
    "127.0.0.2",
    "127.255.255.254",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::1%25lo]",
    "localhost",
    "LOCALHOST.",
]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("host", LOOPBACK)
def test_no_spelling_of_loopback_uses_a_proxy(
    cancel: Cancel, host: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire([ACCEPT]) as wire, Wire([]) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        cancel(f"http://{host}:{wire.url.rpartition(':')[2]}", timeout=1, deadline=1)
    assert 0 == proxy.connections


def test_allowed_plain_http_uses_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Wire([ACCEPT, ACCEPT]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        settings: dict[str, Any] = {
            "api_keys": {"pulse": KEY},
            "base_urls": {"pulse": "http://gateway.internal"},
            "allow_http": True,
        }
        with Canceller(**settings) as canceller:
            outcomes = [canceller.cancel("pulse", "1").outcome for _ in range(2)]
        for excepted in ("internal", ".internal", "*", "all://gateway.internal"):
            monkeypatch.setenv("NO_PROXY", f"other.example, {excepted}")
            with Canceller(**settings, timeout=1, deadline=0.1) as canceller:
                outcomes.append(canceller.cancel("pulse", "1").outcome)
    assert [Outcome.CANCELLED] * 2 + [Outcome.UNKNOWN] * 4 == outcomes
    assert proxy.requests[0].startswith(b"DELETE http://gateway.internal/job/1 ")
    assert 1 == proxy.connections


def test_a_socks_proxy_is_used_and_its_connections_are_not_reused(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy follows RFC 1928: no authentication, then the connection to the host is open."""
    opened: list[bytes] = []
    closed: list[bool] = []

    def socks(connection: socket.socket) -> None:
        with connection:
            connection.recv(64)
            connection.sendall(b"\x05\x00")
            opened.append(connection.recv(256))
            connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x09")
            ACCEPT(connection, connection.recv(65536))
            connection.settimeout(5)
            closed.append(connection.recv(1) == b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            for _ in range(2):
                socks(listener.accept()[0])

        server = threading.Thread(target=serve)
        server.start()
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{listener.getsockname()[1]}")
        results = [cancel("http://vendor.example:9", allow_http=True) for _ in range(2)]
        server.join()
    assert [Outcome.CANCELLED] * 2 == [result.outcome for result in results]
    assert [b"\x05\x01\x00\x03\x0evendor.example\x00\x09"] * 2 == opened
    assert [True] * 2 == closed


def test_a_socks_proxy_without_its_package_is_a_configuration_error(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ConfigurationError, match="socksio"):
        cancel("https://vendor.example")


@pytest.mark.parametrize("status", ["101 Switching Protocols", "199 Whatever"])
def test_an_unexpected_1xx_reply_is_inconclusive(cancel: Cancel, status: str) -> None:
    odd = raw(f"HTTP/1.1 {status}\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".encode())
    with Wire([odd, CANCELLED]) as wire:
        result = cancel(wire.url)
    assert (Outcome.CANCELLED, [DELETE, GET]) == (result.outcome, paths(wire))


def test_an_unexpected_1xx_reply_of_a_custom_client_is_inconclusive() -> None:
    def odd(request: httpx.Request) -> httpx.Response:
        status = 101 if request.method == "DELETE" else 404
        return httpx.Response(status)

    with httpx.Client(transport=httpx.MockTransport(odd)) as own:
        result = cancel_sync("https://vendor.example", http_client=own)
    assert (Outcome.UNKNOWN, False) == (result.outcome, 101 == result.status_code)
