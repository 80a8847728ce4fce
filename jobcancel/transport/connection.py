"""One connection over httpcore: its owner, its time limit, and whether it may be reused.

A connection that received data after a reply, or while it was idle, is not reused.
"""

from __future__ import annotations

# Includes the lazy imports of other modules: imported later, a signal handler could get them
# partially initialized.
import encodings.idna  # noqa: F401 - by `socket` and `ssl`, for every host
import ssl
import uuid  # noqa: F401 - by `flow`
from typing import TYPE_CHECKING, Any, Self

import anyio
import certifi  # noqa: F401 - by httpx, for TLS
import httpcore
from attrs import define, field, frozen

from jobcancel.secret import Secret
from jobcancel.transport.clients import Errors, never_sent
from jobcancel.transport.deadline import AsyncBackend, Backend, Line
from jobcancel.transport.framing import Incoming

if TYPE_CHECKING:
    import httpx

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

_PORTS = {b"http": 80, b"https": 443}


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

    def _connect(self, backend: Any, direct: Any, socks: Any, http: Any) -> Any:  # noqa: ANN401 - httpcore's, for sync or async code
        """Return a connection of httpcore: direct, or through the proxy."""
        origin, proxy = self.pool_key.origin, self.proxy
        if proxy is None:
            return direct(origin, self.tls, network_backend=backend)
        kind = socks if proxy.is_socks else http
        pool = kind(proxy.url, proxy.auth, ssl_context=self.tls, network_backend=backend)
        return pool.create_connection(origin)

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
        made: httpcore.ConnectionInterface = self._connect(
            Backend(self.line), httpcore.HTTPConnection, httpcore.SOCKSProxy, httpcore.HTTPProxy
        )
        return made

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
        made: httpcore.AsyncConnectionInterface = self._connect(
            AsyncBackend(self.line),
            httpcore.AsyncHTTPConnection,
            httpcore.AsyncSOCKSProxy,
            httpcore.AsyncHTTPProxy,
        )
        return made

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
            try:
                await self._http.aclose()
            finally:
                # httpcore leaves it open after an interrupted handshake.
                if self.line.stream is not None:
                    await self.line.stream.aclose()  # type: ignore[attr-defined]
