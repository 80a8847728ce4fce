"""One connection, over httpcore: whose it is, how long it may take, and what has come on it.

httpcore reads whatever the server sends, and what comes after a reply is what it takes for the
next one. So httpcore is handed no byte that does not belong to the reply that is due: `Incoming`
keeps the rest, and a connection on which there is a rest is not used again. Nor is one on which
something has come while nothing was asked for.

Sync operations keep to the time limit of the whole exchange. httpx's are for each read, so a
server that sends a byte now and then could hold a caller forever.
"""

from __future__ import annotations

# Also what others import where they need it: later, a signal handler could find it half made.
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
"""What httpcore raises when an exchange fails."""

# As much as an event loop reads at once: nothing stays behind in a stream that is not ours.
_PART = 256 * 1024
_STREAM = socket.SOCK_STREAM
# An empty line, as h11 reads it, and what may become one.
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_BEGUN_END = re.compile(rb"\n\r?\Z")
_NO_BODY = frozenset({204, 304})
_PORTS = {b"http": 80, b"https": 443}


class Incoming:
    """The bytes that came, handed on as far as they belong to the reply that is due.

    The lengths are those that h11 found valid, so it and this agree where a reply ends.
    """

    def __init__(self) -> None:
        self.data = b""
        self._line = b""
        self._left = 0
        self._end: Callable[[], int] = self._of_head

    def expect_reply(self) -> None:
        """Hand on the head of a reply, and of those that only come before it (1xx)."""
        self._end = self._of_head

    def expect_body(self, status: int, headers: Headers) -> None:
        """Hand on the body that such a head announces (RFC 9112, section 6.3)."""
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
        """Return what may be handed on now; nothing when more must come first."""
        end = self._end()
        part, self.data = self.data[:end], self.data[end:]
        return part

    def take_all(self) -> bytes:
        """Return all that came, when no more will."""
        part, self.data = self.data, b""
        return part

    def _of_head(self) -> int:
        if (found := _END_OF_HEAD.search(self.data)) is not None:
            return found.end()
        begun = _BEGUN_END.search(self.data)
        return len(self.data) if begun is None else begun.start()

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
                # A chunk is followed by a line break.
                self._left = int(size, 16) + 2
            except ValueError:
                self._end = self._of_all  # h11 refuses it
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
    """What both kinds of httpcore's streams have."""

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        """As httpcore's."""
        ...


@define(eq=False)
class Line:
    """A connection as both of its users see it: httpcore, and who lends it to one request.

    Args:
        incoming: what came; None where it is not only HTTP that comes.
    """

    incoming: Incoming | None
    stream: _Stream | None = field(init=False, default=None)
    until: float = field(init=False, default=0.0)

    def time_left(self, error: type[Exception]) -> float:
        """Return how many seconds an operation may take.

        Args:
            error: what to raise when there is no time left.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise error("the time for the whole exchange is up")
        return left

    @property
    def is_quiet(self) -> bool:
        """Whether everything that came was asked for, and the server has not left."""
        if self.incoming is None or self.incoming.data or self.stream is None:
            return False
        return not (_holds_more(self.stream) or self.stream.get_extra_info("is_readable"))


def _holds_more(stream: _Stream) -> bool:
    """Whether the TLS of a stream holds what was received and not read."""
    tls = stream.get_extra_info("ssl_object")
    if not isinstance(tls, ssl.SSLObject):  # a socket's, which reads one record at a time
        return tls is not None and tls.pending() > 0
    try:
        tls.read(1)
    except ssl.SSLError as error:  # the server has left, unless there is only nothing to read yet
        return not isinstance(error, ssl.SSLWantReadError)
    return True


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """Resolve a host within so many seconds; a numeric one takes none."""
    name = _unescaped(host)
    try:
        found = socket.getaddrinfo(name, port, type=_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        found = _resolved(name, port, seconds)
    return [str(address[0]) for *_, address in found]


def _resolved(name: str, port: int, seconds: float) -> list[Any]:
    # In another thread, for the operating system has no way to limit how long this takes.
    try:
        return call_in_thread(lambda: socket.getaddrinfo(name, port, type=_STREAM), seconds)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout("the host's name was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error


def _unescaped(host: str) -> str:
    """Return a host whose zone is not escaped as it is in a URL (RFC 6874)."""
    return host.replace("%25", "%", 1)


class _Backend(httpcore.NetworkBackend):
    """Opens the connection of a line; every operation keeps to the line's time limit."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the line's counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """As httpcore's."""
        # The backend alone would give every address of a host the whole time.
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
    """A connection that hands on what is due, and whose operations keep to the time limit."""

    def __init__(self, stream: httpcore.NetworkStream, line: Line) -> None:
        self._stream, self._line = stream, line
        line.stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the line's counts
        line, incoming = self._line, self._line.incoming
        if incoming is None:
            return self._stream.read(max_bytes, line.time_left(httpcore.ReadTimeout))
        while not (part := incoming.take()):
            more = self._stream.read(max_bytes, line.time_left(httpcore.ReadTimeout))
            if not more:
                return incoming.take_all()
            incoming.data += more
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the line's counts
        self._stream.write(buffer, self._line.time_left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the line's counts
    ) -> httpcore.NetworkStream:
        left = self._line.time_left(httpcore.ConnectTimeout)
        return _SyncStream(self._stream.start_tls(ssl_context, server_hostname, left), self._line)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore declares it
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """Opens the connection of a line; its time is limited by cancelling it."""

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
        """As httpcore's."""
        stream = await httpcore.AnyIOBackend().connect_tcp(
            _unescaped(host), port, timeout, local_address, socket_options
        )
        return _AsyncStream(stream, self._line)


class _AsyncStream(httpcore.AsyncNetworkStream):
    """A connection that hands on what is due."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, line: Line) -> None:
        self._stream, self._line = stream, line
        line.stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        incoming = self._line.incoming
        if incoming is None:
            return await self._stream.read(max_bytes, timeout)
        while not (part := incoming.take()):
            if not (more := await self._stream.read(_PART, timeout)):
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
    """A proxy, as httpcore wants it described."""

    url: httpcore.URL
    auth: tuple[bytes, bytes] | None = field(repr=False)

    @classmethod
    def of(cls, url: httpx.URL, auth: tuple[bytes, bytes] | None) -> Self:
        """Return the proxy at a URL of httpx's."""
        core = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        return cls(core, auth)

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, and not HTTP."""
        return self.url.scheme.startswith(b"socks")


@frozen
class Place:
    """What a connection is for: one owner's requests to one origin, and no other's.

    Args:
        scheme: `b"http"` or `b"https"`.
        host: the host, without brackets.
        port: the port; None for the scheme's own.
        owner: the key of the requests; None for those without one.
    """

    scheme: bytes
    host: bytes
    port: int | None
    owner: Secret | None

    @property
    def origin(self) -> httpcore.Origin:
        """The server, as httpcore has it."""
        return httpcore.Origin(self.scheme, self.host, self.port or _PORTS[self.scheme])


@frozen
class Prepared:
    """A request; its headers hold the key, so no repr shows them.

    Args:
        method: the method.
        url: the URL.
        headers: the headers.
        content: the body.
        timeout: seconds for the whole exchange.
        place: what connection it may be sent on.
        target: the path and the query of the URL.
    """

    method: str
    url: str
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    content: bytes | None
    timeout: float
    place: Place
    target: bytes

    def for_httpcore(self) -> httpcore.Request:
        """Return the same as httpcore has it."""
        place = self.place
        url = httpcore.URL(
            scheme=place.scheme, host=place.host, port=place.port, target=self.target
        )
        return httpcore.Request(self.method, url, headers=self.headers, content=self.content)


@define(eq=False)
class _Connection:
    """What a sync and an async connection have in common.

    Attributes:
        place: what it is for.
        idle_since: when the last reply on it was complete; None before the first.
        distrusted: whether a reply on it was for another request.
    """

    place: Place
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
        """Send nothing more on it: a reply on it was for another request."""
        self.distrusted = True

    def _begin(self) -> None:
        if self.line.incoming is not None:
            self.line.incoming.expect_reply()

    def _go_on(self, response: httpcore.Response) -> None:
        if self.line.incoming is not None:
            self.line.incoming.expect_body(response.status, response.headers)


@define(eq=False)
class Connection(_Connection):
    """One sync connection."""

    _http: httpcore.ConnectionInterface = field(init=False)

    @_http.default
    def _new(self) -> httpcore.ConnectionInterface:
        proxy, origin, backend = self.proxy, self.place.origin, _Backend(self.line)
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
            request: what to send.
            until: when the time for the whole exchange is up, by `time.monotonic`.
        """
        self.line.until = until
        self._begin()
        response = self._http.handle_request(request.for_httpcore())
        self._go_on(response)
        return response

    @property
    def is_fit(self) -> bool:
        """Whether another request may be sent on it."""
        return not self.distrusted and self._http.is_idle() and self.line.is_quiet

    def close(self) -> None:
        """Close it, in whatever state it is."""
        self._http.close()
        if self.line.stream is not None:  # such as after a handshake that was interrupted
            self.line.stream.close()  # type: ignore[attr-defined]


@define(eq=False)
class AsyncConnection(_Connection):
    """One async connection."""

    _http: httpcore.AsyncConnectionInterface = field(init=False)

    @_http.default
    def _new(self) -> httpcore.AsyncConnectionInterface:
        proxy, origin, backend = self.proxy, self.place.origin, _AsyncBackend(self.line)
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
        self._begin()
        response = await self._http.handle_async_request(request.for_httpcore())
        self._go_on(response)
        return response

    @property
    def is_fit(self) -> bool:
        """Whether another request may be sent on it."""
        return not self.distrusted and self._http.is_idle() and self.line.is_quiet

    async def aclose(self) -> None:
        """Close it, in whatever state it is and whoever is being cancelled."""
        with anyio.CancelScope(shield=True):
            await self._http.aclose()
            if self.line.stream is not None:  # such as after a handshake that was interrupted
                await self.line.stream.aclose()  # type: ignore[attr-defined]
