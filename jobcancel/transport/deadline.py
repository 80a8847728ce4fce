"""Network streams for httpcore that keep to the time limit of the whole exchange.

httpx's limits apply to each read, so a server that sends a byte now and then could block a caller
forever.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Protocol

import httpcore
from attrs import define, field

from jobcancel.threads import call_in_thread
from jobcancel.transport.framing import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable

# Bytes; as much as an event loop reads at once, so that no data stays in the underlying stream.
_READ_SIZE = 256 * 1024
_STREAM = socket.SOCK_STREAM


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


class Backend(httpcore.NetworkBackend):
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


class AsyncBackend(httpcore.AsyncNetworkBackend):
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
