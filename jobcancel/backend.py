"""Connections whose every operation keeps to the time limit of the thread's exchange.

httpx's time-outs are for each read, so a server that sends a byte now and then could hold a
caller for ever. `transport` puts this between httpx and the sockets.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpcore

from jobcancel.limit import time_left

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return [str(address[0]) for *_, address in found]


class Backend(httpcore.NetworkBackend):
    """Opens connections whose every operation keeps to the thread's time limit."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """As httpcore's."""
        # The backend alone would give every address of a host the whole time.
        addresses = _addresses(host, port)
        while True:
            left = time_left(timeout, httpcore.ConnectTimeout)
            share = None if left is None else left / len(addresses)
            address = addresses.pop(0)
            try:
                stream = self._backend.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise
            else:
                return _Stream(stream)


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write keeps to the thread's time limit."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(
        self,
        max_bytes: int,
        timeout: float | None = None,
    ) -> bytes:
        return self._stream.read(max_bytes, time_left(timeout, httpcore.ReadTimeout))

    def write(
        self,
        buffer: bytes,
        timeout: float | None = None,
    ) -> None:
        self._stream.write(buffer, time_left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = time_left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)
