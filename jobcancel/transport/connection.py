"""One connection over httpcore: its owner, its time limit, and the data received on it.

httpcore reads everything that the server sends, and takes data after a reply for the next reply.
Therefore `Incoming` passes only the bytes of the expected reply to httpcore and keeps the rest. A
connection with such a rest is not reused, nor is one that received data while it was idle.

Sync operations have a time limit for the whole exchange. httpx's limits apply to each read, so a
server that sends a byte now and then could block a caller forever.
"""

from __future__ import annotations

# Includes the lazy imports of other modules: imported later, a signal handler could get them
# partially initialized.
import encodings.idna  # noqa: F401 - by `socket` and `ssl`, for every host
import re
import socket
import ssl
import time
import uuid  # noqa: F401 - by `flow`
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import anyio
import certifi  # noqa: F401 - by httpx, for TLS
import httpcore
from attrs import define, field, frozen

from jobcancel.secret import Secret
from jobcancel.threads import call_in_thread
from jobcancel.transport.clients import Errors, never_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx

Headers: TypeAlias = list[tuple[bytes, bytes]]

ERRORS = Errors(
    failures=(
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ),
    never_sent=never_sent(httpcore),
    timeouts=(httpcore.TimeoutException,),
)
"""The exceptions of httpcore."""

# Bytes; as much as an event loop reads at once, so that no data stays in the underlying stream.
_READ_SIZE = 256 * 1024
_STREAM = socket.SOCK_STREAM
# An empty line, as h11 defines it, and its beginning.
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_PARTIAL_END = re.compile(rb"\n\r?\Z")
_NO_BODY = frozenset({204, 304})
_PORTS = {b"http": 80, b"https": 443}


class Incoming:
    """Received bytes, of which only those of the expected reply are returned.

    h11 has validated the lengths, so both agree on where a reply ends.
    """

    def __init__(self) -> None:
        self.data = b""
        self._line = b""
        self._left = 0
        self._end: Callable[[], int] = self._of_head

    def expect_reply(self) -> None:
        """Return the head of the next reply, and of informational replies (1xx) before it."""
        self._end = self._of_head

    def expect_body(self, status: int, headers: Headers) -> None:
        """Return the body that this head announces (RFC 9112, section 6.3)."""
        fields = {name.lower(): value for name, value in headers}
        if status in _NO_BODY:
            self._end = self._of_length
            self._left = 0
        elif b"transfer-encoding" in fields:
            self._end = self._of_chunks
            self._left, self._line = 0, b""
        elif b"content-length" in fields:
            self._end = self._of_length
            self._left = int(fields[b"content-length"])
        else:
            self._end = self._of_all

    def take(self) -> bytes:
        """Return the next bytes of the expected reply; `b""` if more must be received first."""
        end = self._end()
        part, self.data = self.data[:end], self.data[end:]
        return part

    def take_all(self) -> bytes:
        """Return all received bytes, after the end of the connection."""
        part, self.data = self.data, b""
        return part

    def _of_head(self) -> int:
        if (match := _END_OF_HEAD.search(self.data)) is not None:
            return match.end()
        partial = _PARTIAL_END.search(self.data)
        return len(self.data) if partial is None else partial.start()

    def _of_all(self) -> int:
        return len(self.data)

    def _of_length(self) -> int:
        end = min(self._left, len(self.data))
        self._left -= end
        return end

    def _of_chunks(self) -> int:
        if self._left:
            return self._of_length()
        end = self._of_line()
        if self._line.endswith(b"\n"):
            size, self._line = self._line.partition(b";")[0].strip(), b""
            try:
                # A line break follows the chunk.
                self._left = int(size, 16) + 2
            except ValueError:
                self._end = self._of_all  # h11 rejects it
            else:
                if not int(size, 16):
                    self._left, self._end = 0, self._of_trailers
        return end

    def _of_trailers(self) -> int:
        end = self._of_line()
        if self._line.endswith(b"\n"):
            if not self._line.strip():
                self._end = self._of_length
            self._line = b""
        return end

    def _of_line(self) -> int:
        end = self.data.find(b"\n") + 1 or len(self.data)
        self._line += self.data[:end]
        return end


class _Stream(Protocol):
    """The common interface of httpcore's sync and async streams."""

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        """Like httpcore's."""
        ...


@define(eq=False)
class Line:
    """The state of a connection that httpcore's streams and `_Connection` share.

    Args:
        incoming: the received bytes; None for a SOCKS proxy, which does not only send HTTP.

    Attributes:
        stream: the underlying stream, once it is open.
        until: when the time limit of the exchange expires, by `time.monotonic`.
    """

    incoming: Incoming | None
    stream: _Stream | None = field(init=False, default=None)
    until: float = field(init=False, default=0.0)

    def time_left(self, error: type[Exception]) -> float:
        """Return the seconds until the time limit.

        Args:
            error: the exception to raise if no time is left.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise error("the time limit of the exchange has expired")
        return left

    @property
    def is_idle(self) -> bool:
        """Whether there is no unread data, and the server has not closed the connection."""
        if self.incoming is None or self.incoming.data or self.stream is None:
            return False
        return not (_has_unread_tls(self.stream) or self.stream.get_extra_info("is_readable"))


def _has_unread_tls(stream: _Stream) -> bool:
    """Whether the TLS layer of a stream has unread data, or is closed."""
    tls = stream.get_extra_info("ssl_object")
    if not isinstance(tls, ssl.SSLObject):  # an SSLSocket, which reads one record at a time
        return tls is not None and tls.pending() > 0
    try:
        tls.read(1)
    except ssl.SSLError as error:  # the server has closed it, unless there is just no data yet
        return not isinstance(error, ssl.SSLWantReadError)
    return True


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """Return the IP addresses of a host. A lookup takes at most `seconds`."""
    name = _unescaped(host)
    try:
        results = socket.getaddrinfo(name, port, type=_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        results = _resolved(name, port, seconds)
    return [str(address[0]) for *_, address in results]


def _resolved(name: str, port: int, seconds: float) -> list[Any]:
    # In another thread, because the operating system offers no time limit for a lookup.
    try:
        return call_in_thread(lambda: socket.getaddrinfo(name, port, type=_STREAM), seconds)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout("the host name was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error


def _unescaped(host: str) -> str:
    """Return a host with its zone unescaped; a URL has it escaped (RFC 6874)."""
    return host.replace("%25", "%", 1)


class _Backend(httpcore.NetworkBackend):
    """Opens a connection; every operation has the time limit of the `Line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the line has the limit
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Like httpcore's."""
        # httpcore's backend would allow the whole time for each address of the host.
        addresses = _addresses(host, port, self._line.time_left(httpcore.ConnectTimeout))
        while True:
            left = self._line.time_left(httpcore.ConnectTimeout)
            share = left / len(addresses)
            address = addresses.pop(0)
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    address, port, share, local_address, socket_options or ()
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise
            else:
                return _SyncStream(stream, self._line)


class _SyncStream(httpcore.NetworkStream):
    """Returns only the bytes of the expected reply; every operation has the time limit."""

    def __init__(self, stream: httpcore.NetworkStream, line: Line) -> None:
        self._stream, self._line = stream, line
        line.stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the line has the limit
        line, incoming = self._line, self._line.incoming
        if incoming is None:
            return self._stream.read(max_bytes, line.time_left(httpcore.ReadTimeout))
        while not (part := incoming.take()):
            more = self._stream.read(max_bytes, line.time_left(httpcore.ReadTimeout))
            if not more:
                return incoming.take_all()
            incoming.data += more
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the line has the limit
        self._stream.write(buffer, self._line.time_left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the line has the limit
    ) -> httpcore.NetworkStream:
        left = self._line.time_left(httpcore.ConnectTimeout)
        return _SyncStream(self._stream.start_tls(ssl_context, server_hostname, left), self._line)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """Opens a connection. The caller cancels it when its time is up."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Like httpcore's."""
        stream = await httpcore.AnyIOBackend().connect_tcp(
            _unescaped(host), port, timeout, local_address, socket_options
        )
        return _AsyncStream(stream, self._line)


class _AsyncStream(httpcore.AsyncNetworkStream):
    """Returns only the bytes of the expected reply."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, line: Line) -> None:
        self._stream, self._line = stream, line
        line.stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        incoming = self._line.incoming
        if incoming is None:
            return await self._stream.read(max_bytes, timeout)
        while not (part := incoming.take()):
            if not (more := await self._stream.read(_READ_SIZE, timeout)):
                return incoming.take_all()
            incoming.data += more
        return part

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _AsyncStream(stream, self._line)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)


@frozen
class Proxy:
    """A proxy, in httpcore's terms."""

    url: httpcore.URL
    auth: tuple[bytes, bytes] | None = field(repr=False)

    @classmethod
    def of(cls, url: httpx.URL, auth: tuple[bytes, bytes] | None) -> Self:
        """Return the proxy for an httpx URL."""
        core = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        return cls(core, auth)

    @property
    def is_socks(self) -> bool:
        """Whether it is a SOCKS proxy, and not an HTTP proxy."""
        return self.url.scheme.startswith(b"socks")


@frozen
class PoolKey:
    """The server and the API key of a connection: it is only used for requests with these.

    Args:
        scheme: `b"http"` or `b"https"`.
        host: the host, without brackets.
        port: the port; None for the scheme's default.
        owner: the API key of the requests; None for requests without a key.
    """

    scheme: bytes
    host: bytes
    port: int | None
    owner: Secret | None

    @property
    def origin(self) -> httpcore.Origin:
        """The server, in httpcore's terms."""
        return httpcore.Origin(self.scheme, self.host, self.port or _PORTS[self.scheme])


@frozen
class Prepared:
    """A request. Its headers contain the key, so its repr does not show them.

    Args:
        method: the method.
        url: the URL.
        headers: the headers.
        content: the body.
        timeout: seconds for the whole exchange.
        pool_key: the server and the API key.
        target: the path and the query of the URL.
    """

    method: str
    url: str
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    content: bytes | None
    timeout: float
    pool_key: PoolKey
    target: bytes

    def for_httpcore(self) -> httpcore.Request:
        """Return the request in httpcore's terms."""
        server = self.pool_key
        url = httpcore.URL(
            scheme=server.scheme, host=server.host, port=server.port, target=self.target
        )
        return httpcore.Request(self.method, url, headers=self.headers, content=self.content)


@define(eq=False)
class _Connection:
    """The common base of sync and async connections.

    Attributes:
        pool_key: the server and the API key.
        idle_since: when the last reply was complete, by `time.monotonic`; None before the first.
        distrusted: whether a reply belonged to another request.
    """

    pool_key: PoolKey
    proxy: Proxy | None
    tls: ssl.SSLContext
    line: Line = field(init=False)
    idle_since: float | None = field(init=False, default=None)
    distrusted: bool = field(init=False, default=False)

    @line.default
    def _new_line(self) -> Line:
        socks = self.proxy is not None and self.proxy.is_socks
        return Line(None if socks else Incoming())

    def distrust(self) -> None:
        """Do not reuse this connection: a reply on it belonged to another request."""
        self.distrusted = True

    def _expect_reply(self) -> None:
        if self.line.incoming is not None:
            self.line.incoming.expect_reply()

    def _expect_body(self, response: httpcore.Response) -> None:
        if self.line.incoming is not None:
            self.line.incoming.expect_body(response.status, response.headers)


@define(eq=False)
class Connection(_Connection):
    """One sync connection."""

    _http: httpcore.ConnectionInterface = field(init=False)

    @_http.default
    def _new(self) -> httpcore.ConnectionInterface:
        proxy, origin, backend = self.proxy, self.pool_key.origin, _Backend(self.line)
        if proxy is None:
            return httpcore.HTTPConnection(origin, self.tls, network_backend=backend)
        if proxy.is_socks:
            pool: httpcore.ConnectionPool = httpcore.SOCKSProxy(
                proxy.url, proxy.auth, self.tls, network_backend=backend
            )
        else:
            pool = httpcore.HTTPProxy(
                proxy.url,
                proxy.auth,
                ssl_context=self.tls,
                network_backend=backend,
            )
        return pool.create_connection(origin)

    def send(self, request: Prepared, until: float) -> httpcore.Response:
        """Send a request and return the reply, whose body is still to be read.

        Args:
            request: the request.
            until: when the time limit of the exchange expires, by `time.monotonic`.
        """
        self.line.until = until
        self._expect_reply()
        response = self._http.handle_request(request.for_httpcore())
        self._expect_body(response)
        return response

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent on this connection."""
        return not self.distrusted and self._http.is_idle() and self.line.is_idle

    def close(self) -> None:
        """Close the connection, in any state."""
        self._http.close()
        if self.line.stream is not None:  # httpcore leaves it open after an interrupted handshake
            self.line.stream.close()  # type: ignore[attr-defined]


@define(eq=False)
class AsyncConnection(_Connection):
    """One async connection."""

    _http: httpcore.AsyncConnectionInterface = field(init=False)

    @_http.default
    def _new(self) -> httpcore.AsyncConnectionInterface:
        proxy, origin, backend = self.proxy, self.pool_key.origin, _AsyncBackend(self.line)
        if proxy is None:
            return httpcore.AsyncHTTPConnection(origin, self.tls, network_backend=backend)
        if proxy.is_socks:
            pool: httpcore.AsyncConnectionPool = httpcore.AsyncSOCKSProxy(
                proxy.url, proxy.auth, self.tls, network_backend=backend
            )
        else:
            pool = httpcore.AsyncHTTPProxy(
                proxy.url,
                proxy.auth,
                ssl_context=self.tls,
                network_backend=backend,
            )
        return pool.create_connection(origin)

    async def send(self, request: Prepared) -> httpcore.Response:
        """Send a request and return the reply, whose body is still to be read."""
        self._expect_reply()
        response = await self._http.handle_async_request(request.for_httpcore())
        self._expect_body(response)
        return response

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent on this connection."""
        return not self.distrusted and self._http.is_idle() and self.line.is_idle

    async def aclose(self) -> None:
        """Close the connection, in any state, even if the task is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._http.aclose()
            if (
                self.line.stream is not None
            ):  # httpcore leaves it open after an interrupted handshake
                await self.line.stream.aclose()  # type: ignore[attr-defined]
