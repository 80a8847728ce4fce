"""Faults apply to the requests, and as often, as specified."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from jobcancel.models import JobState
from jobcancel.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

JOB = "sandbox-processing"
PATH = f"/job/{JOB}"


def state(sandbox: Sandbox) -> JobState:
    return sandbox.job("pulse", JOB).state


def connect(sandbox: Sandbox) -> socket.socket:
    address = urlsplit(sandbox.url)
    assert address.hostname
    assert address.port
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    request = f"DELETE /pulse{PATH} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {{}}\r\n\r\n"
    connection.sendall(request.format(sandbox.api_keys["pulse"]).encode())
    return connection


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def test_an_error_leaves_the_job_alone(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(status=500, body={"error": {"code": "GENERAL_001"}}))
    reply = pulse.delete(PATH)
    assert (reply.status_code, reply.json()) == (500, {"error": {"code": "GENERAL_001"}})
    assert state(sandbox) is JobState.RUNNING


def test_an_error_may_hide_that_the_job_was_cancelled(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fault("pulse", JOB, Fault(status=502, body=b"\x00bad", apply=True))
    reply = pulse.delete(PATH)
    assert (reply.status_code, reply.content) == (502, b"\x00bad")
    assert state(sandbox) is JobState.CANCELLED


def test_text_is_sent_with_the_given_content_type(pulse: httpx.Client, sandbox: Sandbox) -> None:
    html = Fault(status=503, body="<p>", headers={"content-type": "text/html", "Retry-After": "9"})
    sandbox.fault("pulse", JOB, html)
    sandbox.fault("pulse", JOB, Fault(status=503, body="text"))
    replies = [pulse.delete(PATH) for _ in range(2)]
    types = [reply.headers["content-type"] for reply in replies]
    assert types == ["text/html", "text/plain; charset=utf-8"]
    assert replies[0].headers["retry-after"] == "9"


def test_a_faulty_reply_keeps_its_own_request_id(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(status=500, headers={"x-request-id": "mine"}))
    assert pulse.delete(PATH).headers["x-request-id"] == "mine"


def test_a_dropped_connection_has_no_reply(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(drop=True))
    with pytest.raises(httpx.TransportError):
        pulse.delete(PATH)
    assert state(sandbox) is JobState.RUNNING
    assert sandbox.requests[-1].status is None


def test_a_reply_may_be_lost_after_the_cancel(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(drop=True, apply=True))
    with pytest.raises(httpx.TransportError):
        pulse.delete(PATH)
    assert state(sandbox) is JobState.CANCELLED


def test_a_race_lets_the_job_end_first(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(finish=JobState.SUCCEEDED))
    assert pulse.delete(PATH).status_code == 500
    assert state(sandbox) is JobState.SUCCEEDED


def test_a_job_that_has_ended_cannot_end_again(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", "sandbox-failed", Fault(finish=JobState.SUCCEEDED))
    pulse.delete("/job/sandbox-failed")
    assert sandbox.job("pulse", "sandbox-failed").state is JobState.FAILED


def test_a_job_may_end_right_after_the_answer(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(finish_after=JobState.FAILED), on="status")
    seen = [pulse.get(PATH).json()["status"] for _ in range(2)]
    assert seen == ["processing", "failed"]


def test_a_stalled_request_is_answered_late(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(stall=0.01))
    assert pulse.delete(PATH).status_code == 200


def test_a_stalled_request_may_be_applied_before_its_answer(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fault("pulse", JOB, Fault(stall=60, apply=True))
    with pytest.raises(httpx.ReadTimeout):
        pulse.delete(PATH, timeout=0.05)
    assert state(sandbox) is JobState.CANCELLED


def test_a_stalled_request_is_dropped_when_its_client_disconnects(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fault("pulse", JOB, Fault(stall=60))
    with pytest.raises(httpx.ReadTimeout):
        pulse.delete(PATH, timeout=0.05)
    assert pulse.get(PATH).json()["status"] == "processing"


def test_a_stalled_answer_is_that_of_the_applied_request(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fault("pulse", JOB, Fault(stall=0.01, apply=True))
    assert pulse.delete(PATH).json()["message"] == "Job cancelled successfully"


def test_faults_apply_in_order(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(status=500), times=2)
    sandbox.fault("pulse", JOB, Fault(status=503))
    assert [pulse.delete(PATH).status_code for _ in range(4)] == [500, 500, 503, 200]


def test_a_fault_may_apply_to_all_requests(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(status=503), times=None)
    assert {pulse.delete(PATH).status_code for _ in range(5)} == {503}


def test_a_fault_applies_to_its_kind_of_request_only(pulse: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(status=503), on="status")
    assert [pulse.delete(PATH).status_code, pulse.get(PATH).status_code] == [200, 503]


def test_a_fault_may_apply_to_a_job_that_does_not_exist(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fault("pulse", "nowhere", Fault(status=503))
    assert pulse.delete("/job/nowhere").status_code == 503


def test_reset_deletes_faults_and_restores_the_seeded_ones(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fault("pulse", JOB, Fault(status=503), times=None)
    assert pulse.delete("/job/sandbox-rate-limited-once").status_code == 429
    sandbox.reset()
    assert pulse.delete(PATH).status_code == 200
    assert pulse.delete("/job/sandbox-rate-limited-once").status_code == 429


def test_a_body_may_come_in_pieces(pulse: httpx.Client, sandbox: Sandbox) -> None:
    pieces = Fault(status=200, chunks=lambda: [b"{", b"}"], interval=0.001)
    sandbox.fault("pulse", JOB, pieces)
    assert pulse.delete(PATH).json() == {}


def endless(stopped: threading.Event, piece: bytes) -> Callable[[], Iterable[bytes]]:
    def pieces() -> Iterator[bytes]:
        try:
            yield from itertools.repeat(piece)
        finally:
            stopped.set()

    return pieces


def test_an_endless_body_stops_when_the_client_disconnects(
    pulse: httpx.Client, sandbox: Sandbox
) -> None:
    stopped = threading.Event()
    sandbox.fault("pulse", JOB, Fault(status=200, chunks=endless(stopped, b"x" * 65_536)))
    with pulse.stream("DELETE", PATH) as reply:
        next(reply.iter_raw())
    assert stopped.wait(10)


def test_endless_raw_bytes_stop_when_the_client_disconnects(sandbox: Sandbox) -> None:
    stopped = threading.Event()
    sandbox.fault("pulse", JOB, Fault(raw=endless(stopped, b"x" * 65_536)))
    with connect(sandbox) as connection:
        connection.recv(1)
    assert stopped.wait(10)


@pytest.mark.parametrize("kind", ["chunks", "raw"])
def test_an_endless_reply_stops_when_the_sandbox_does(kind: str) -> None:
    stopped = threading.Event()
    with Sandbox() as sandbox:
        status = {"chunks": 200, "raw": None}[kind]
        pieces: Any = {kind: endless(stopped, b"x" * 65_536)}
        sandbox.fault("pulse", JOB, Fault(status=status, **pieces))
        connection = connect(sandbox)
        connection.recv(1)
    assert stopped.wait(10)
    connection.close()


def test_a_long_pause_does_not_keep_the_sandbox_from_stopping() -> None:
    started = threading.Event()

    def pieces() -> Iterator[bytes]:
        started.set()
        yield b"never sent"

    with Sandbox() as sandbox:
        sandbox.fault("pulse", JOB, Fault(raw=pieces, interval=3600))
        connection = connect(sandbox)
        assert started.wait(10)
    assert read_all(connection) == b""
    connection.close()


def test_raw_bytes_are_written_as_they_are(sandbox: Sandbox) -> None:
    sandbox.fault("pulse", JOB, Fault(raw=lambda: [b"HTTP/1.1 200", b" what\r\n"]))
    with connect(sandbox) as connection:
        assert read_all(connection) == b"HTTP/1.1 200 what\r\n"


def test_raw_bytes_wait_for_their_reader(sandbox: Sandbox) -> None:
    piece = b"x" * (8 << 20)
    sandbox.fault("pulse", JOB, Fault(raw=lambda: itertools.repeat(piece, 4)))
    with connect(sandbox) as connection:
        assert len(read_all(connection)) == 4 * len(piece)
