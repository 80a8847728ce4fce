"""How our own HTTP clients are made: one TLS context, and a time limit on everything.

The only module that imports httpx; `drive` takes whatever client it is given.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import httpcore
import httpx

from jobcancel.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping


T = TypeVar("T")

# A proxy from the environment is another machine: it cannot reach a server on this one.
_NO_PROXY = dict.fromkeys(["all://localhost", "all://127.0.0.1", "all://[::1]"])

# A sync client has as many connections as threads that call it; they are the bound.
_EVERY_THREAD = httpx.Limits(max_connections=None, max_keepalive_connections=100)
_ONE = httpx.Limits(max_connections=1)
_MOST_CONNECTIONS = 100


class HttpClient(Protocol):
    """What a sync call sends with: an `httpx.Client`, or an `httpx2.Client`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    def close(self) -> None:
        """As httpx's."""
        ...


class AsyncHttpClient(Protocol):
    """What an async call sends with: an `httpx.AsyncClient`, or an `httpx2.AsyncClient`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    async def aclose(self) -> None:
        """As httpx's."""
        ...


def new_client() -> httpx.Client:
    """Return a client whose exchanges end within `time_limit`, whatever the server does."""
    client = _set_up(_Client, limits=_EVERY_THREAD)
    transports = [client._transport, *client._mounts.values()]  # noqa: SLF001 - no public way
    for transport in transports:
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001 - httpx does not pass a backend on to httpcore
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001 - likewise
    return client


class _Client(httpx.Client):
    """A client that sends straight over its transports.

    What a client of httpx adds has no place in a cancel: cookies of one key that go along with
    another, redirects, credentials from elsewhere. Nor has the time it takes.
    """

    def build_request(self, method: str, url: Any, **given: Any) -> httpx.Request:  # noqa: ANN401
        return _request(method, url, **given)

    def send(self, request: httpx.Request, **_: Any) -> httpx.Response:  # noqa: ANN401
        return self._transport_for_url(request.url).handle_request(request)


class _AsyncClient(httpx.AsyncClient):
    """The same for async code."""

    def build_request(self, method: str, url: Any, **given: Any) -> httpx.Request:  # noqa: ANN401
        return _request(method, url, **given)

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:  # noqa: ANN401
        return await self._transport_for_url(request.url).handle_async_request(request)


def _request(
    method: str, url: str, *, timeout: float, headers: Mapping[str, str], content: bytes | None
) -> httpx.Request:
    each = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
    extensions = {"timeout": each}
    return httpx.Request(method, url, headers=headers, content=content, extensions=extensions)


class AsyncClients:
    """Up to a hundred clients of one connection each, used in turn as if they were one.

    httpx's asynchronous pool searches all its connections and waiting requests at every step:
    a thousand tasks on one client take a minute, on these they take a second or two.
    """

    def __init__(self) -> None:
        from anyio import Semaphore  # comes with httpx; works under asyncio and trio
        from anyio.lowlevel import current_token

        self._loop = current_token()
        self._most = _MOST_CONNECTIONS
        self._free = Semaphore(self._most, fast_acquire=True)
        self._idle: list[httpx.AsyncClient] = []

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client for one exchange; wait while all are in use.

        Raises:
            ConfigurationError: the connections belong to another event loop.
        """
        from anyio.lowlevel import current_token

        if current_token() != self._loop:
            raise ConfigurationError(
                "this AsyncCanceller was used in another event loop, to which its connections "
                "belong; make one in each loop, or use acancel()"
            )
        async with self._free:
            # The last one used is the likeliest to have a warm connection.
            client = self._idle.pop() if self._idle else _new_async_client()
            try:
                yield client
            finally:
                self._idle.append(client)

    def allow(self, connections: int) -> None:
        """Allow at least so many connections at once."""
        while self._most < connections:
            self._most += 1
            self._free.release()

    async def aclose(self) -> None:
        """Close every client that is not in use."""
        while self._idle:
            await self._idle.pop().aclose()


def lease(
    client: AsyncHttpClient | AsyncClients,
) -> AbstractAsyncContextManager[AsyncHttpClient]:
    """Give a client for one exchange: one of ours, or the caller's own."""
    return client.lease() if isinstance(client, AsyncClients) else nullcontext(client)


def _new_async_client() -> httpx.AsyncClient:
    # The time of an exchange is limited by cancelling it: `drive` does.
    return _set_up(_AsyncClient, limits=_ONE)


def _set_up(kind: Callable[..., T], *, limits: httpx.Limits) -> T:
    try:
        return kind(
            verify=_tls_context(),
            mounts=_NO_PROXY,
            limits=limits,
        )
    except (ImportError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"no HTTP client can be set up: {error}; check SSL_CERT_FILE, SSL_CERT_DIR and the "
            "proxies in the environment"
        ) from error


@cache
def _tls_context() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms and more, so all clients share one context.
    return httpx.create_ssl_context()


_limit = threading.local()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit what this thread's sync exchanges may take from now on, all reads together.

    httpx's time-outs are for each read, so a server that sends a byte now and then could hold
    a caller for ever.

    Args:
        seconds: from now to the last byte of the reply.
    """
    # A signal handler may cancel a job while the thread is in the middle of another call.
    interrupted = getattr(_limit, "until", None)
    _limit.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _limit.until = interrupted


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    until = getattr(_limit, "until", None)
    if until is None:  # used outside a call
        return timeout
    left: float = until - time.monotonic()
    if left <= 0:
        raise error("the time for the whole exchange is up")
    return left


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return [str(address[0]) for *_, address in found]


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
        # The backend alone would give every address of a host the whole time.
        addresses = _addresses(host, port)
        while True:
            left = _left(timeout, httpcore.ConnectTimeout)
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
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(
        self,
        buffer: bytes,
        timeout: float | None = None,
    ) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)
