"""A server on a real socket that behaves exactly as a test specifies, faults included."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Self, TypeAlias

from attrs import define, field

Behavior: TypeAlias = Callable[[socket.socket, bytes], None]


def answer(
    status: str = "200 OK", body: bytes | None = None, headers: tuple[str, ...] = ()
) -> Behavior:
    """Send one complete reply; the default body of a 4xx has a message, as a vendor's does."""
    if body is None:
        body = b'{"message": "no"}' if status.startswith("4") else b""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers))
    length = f"Content-Length: {len(body)}\r\n\r\n"
    return lambda connection, _: connection.sendall(head.encode() + length.encode() + body)


def raw(*parts: bytes) -> Behavior:
    """Send these bytes and close the connection."""

    def behave(connection: socket.socket, _: bytes) -> None:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


def drip(head: bytes, parts: bytes, seconds: float = 0.02) -> Behavior:
    """Send `head`, then `parts` again and again, a byte at a time."""

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        pause = threading.Event()
        for _round in range(100):
            for byte in parts:
                connection.sendall(bytes([byte]))
                pause.wait(seconds)

    return behave


def reset(connection: socket.socket, _: bytes) -> None:
    """Reset the connection without a reply."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silence(connection: socket.socket, _: bytes) -> None:
    """Send nothing until the client disconnects."""
    connection.recv(1)


@define
class Wire:
    """Accepts connections on loopback and applies the next behavior to each request.

    Further requests get `then`. With `tls`, each connection is encrypted; `greeting` is sent on
    it before any request.
    """

    behaviors: list[Behavior]
    then: Behavior | None = None
    greeting: bytes = b""
    tls: ssl.SSLContext | None = None
    requests: list[bytes] = field(init=False, factory=list)
    connections: int = field(init=False, default=0)
    _listener: socket.socket = field(init=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with (
            contextlib.ExitStack() as stack,
            contextlib.suppress(OSError),
        ):  # the client disconnected
            stack.enter_context(connection)
            if self.tls is not None:
                encrypted = self.tls.wrap_socket(connection, server_side=True)
                connection = stack.enter_context(encrypted)
            connection.sendall(self.greeting)
            while request := self._request(connection):
                self.requests.append(request)
                last = self.then if not self.behaviors else None
                (last or self.behaviors.pop(0))(connection, request)

    def _request(self, connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            part = connection.recv(65536)
            if not part:
                return b""
            received += part
        return received
