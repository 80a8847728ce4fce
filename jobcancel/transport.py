"""How our own HTTP clients are made: one TLS context, no cookies, a time limit on everything.

The only module that imports httpx; `drive` takes whatever client it is given.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator


# A proxy from the environment is another machine: it cannot reach a server on this one.
_NO_PROXY = dict.fromkeys(["all://localhost", "all://127.0.0.1", "all://[::1]"])


def new_client() -> httpx.Client:
    """Return a client whose exchanges end within `time_limit`, whatever the server does."""
    client = httpx.Client(verify=_tls_context(), cookies=_no_cookies(), mounts=_NO_PROXY)
    transports = [client._transport, *client._mounts.values()]  # noqa: SLF001 - no public way
    for transport in transports:
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001 - httpx does not pass a backend on to httpcore
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001 - likewise
    return client


def new_async_client() -> httpx.AsyncClient:
    """Return an async client; `drive` limits the time of its exchanges by cancelling them."""
    return httpx.AsyncClient(verify=_tls_context(), cookies=_no_cookies(), mounts=_NO_PROXY)


@cache
def _tls_context() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms and more, so all clients share one context.
    return httpx.create_ssl_context()


def _no_cookies() -> CookieJar:
    # A client serves many keys; a cookie set for one must not go along with another.
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


_limit = threading.local()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit what this thread's sync exchanges may take from now on, all reads together.

    httpx's time-outs are for each read, so a server that sends a byte now and then could hold
    a caller for ever.

    Args:
        seconds: from now to the last byte of the reply.
    """
    _limit.until = time.monotonic() + seconds
    try:
        yield
    finally:
        del _limit.until


def _left(error: type[Exception]) -> float:
    left: float = _limit.until - time.monotonic()
    if left <= 0:
        raise error("the time for the whole exchange is up")
    return left


class _Backend(httpcore.NetworkBackend):
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
        timeout = _left(httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream)


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write keeps to the thread's time limit."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ARG002
    ) -> bytes:
        return self._stream.read(max_bytes, _left(httpcore.ReadTimeout))

    def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ARG002
    ) -> None:
        self._stream.write(buffer, _left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left(httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)
