"""Our own clients over httpcore: their idle connections, and what they send.

A connection is reused only after a complete reply, and only for the same API key. A single
connection is in `connection`.
"""

from __future__ import annotations

import re
import time
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

import httpx

from jobcancel._lazy import load
from jobcancel.address import is_loopback
from jobcancel.transport.clients import Errors, Headers, errors_of_library
from jobcancel.transport.environment import (
    DEFAULT_PORTS,
    is_excepted,
    proxies,
    setting_up,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import httpcore

    from jobcancel.secret import Secret
    from jobcancel.transport.connection import (
        AsyncConnection,
        Connection,
        PoolKey,
        Prepared,
        Proxy,
        _Connection,
    )

C = TypeVar("C", bound="_Connection")

# Seconds; servers close connections that are idle for longer, and routers drop them.
_LONGEST_IDLE = 5.0
_MAX_IDLE = 100
# Methods whose requests have no Content-Length if they have no body (RFC 9110, section 8.6).
_WITHOUT_BODY = frozenset({"DELETE", "GET"})
# URLs that httpx would not change: it removes dot segments and escapes other characters.
_PLAIN = re.compile(
    r"(https?://[A-Za-z0-9.:\[\]-]+)(/(?:[A-Za-z0-9_~/?=&:,@-]|(?<!/)\.|%[0-9A-Fa-f]{2})*+)"
)
Origin: TypeAlias = tuple[bytes, bytes, int | None, bytes]
"""A URL's scheme, host and port, and the value of the header `Host`."""


class _Pool(Generic[C]):
    """The idle connections of one client.

    Every step is a single dict operation, so threads and signal handlers can share the pool
    without a lock.
    """

    def __init__(self) -> None:
        self._idle: dict[C, None] = {}
        self.max_idle = _MAX_IDLE
        self.is_closed = False

    def take(self, key: PoolKey) -> C | None:
        """Remove and return the newest connection for a key; it may not be reusable."""
        for each in reversed(list(self._idle)):
            if each.pool_key == key and self._claim(each):
                return each
        return None

    def put(self, connection: C) -> list[C]:
        """Add a connection; return the connections that the caller must close."""
        connection.idle_since = time.monotonic()
        self._idle[connection] = None
        if self.is_closed:
            return self.clear()
        idle, oldest = list(self._idle), connection.idle_since - _LONGEST_IDLE
        over = len(idle) - self.max_idle
        return [
            each
            for number, each in enumerate(idle)
            if (number < over or (each.idle_since or 0.0) < oldest) and self._claim(each)
        ]

    def clear(self, key: PoolKey | None = None) -> list[C]:
        """Remove the connections to a key's server, or all; the caller must close them."""
        return [
            each
            for each in list(self._idle)
            if (key is None or each.pool_key.origin == key.origin) and self._claim(each)
        ]

    def _claim(self, connection: C) -> bool:
        return self._idle.pop(connection, self) is None


def _is_fresh(connection: Connection | AsyncConnection) -> bool:
    """Whether an idle connection may be reused."""
    idle_since = connection.idle_since or 0.0
    return time.monotonic() - idle_since <= _LONGEST_IDLE and connection.is_reusable


class _BaseClient(Generic[C]):
    """The common base of the sync and the async client."""

    def __init__(self) -> None:
        # This imports httpcore, which httpx imports lazily as well.
        self._backend = load("jobcancel.transport.connection")
        self.errors = _either(self._backend.ERRORS, errors_of_library(httpx))
        with setting_up():
            self._tls = tls_context()
            self._proxies = proxies()
        self._pool: _Pool[C] = _Pool()

    def build_request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout: float,
        owner: Secret | None = None,
    ) -> Prepared:
        """Like httpx's.

        Args:
            method: the method.
            url: the URL.
            headers: the headers.
            content: the body.
            timeout: seconds for the whole exchange.
            owner: the request's API key; connections for other keys are not used.
        """
        (scheme, host, port, netloc), target = _origin_and_target(url)
        fields = [(b"Host", netloc)]
        fields += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        if content or method not in _WITHOUT_BODY:
            fields.append((b"Content-Length", b"%d" % len(content or b"")))
        key = self._backend.PoolKey(scheme, host, port, owner)
        request: Prepared = self._backend.Prepared(
            method, url, fields, content, timeout, key, target
        )
        return request

    def _proxy(self, url: httpx.URL) -> httpx.Proxy | None:
        """Return the proxy for a URL, or None. Requests to this machine never use a proxy."""
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or is_loopback(url.host) or is_excepted(url):
            return None
        return proxy

    def _core_proxy(self, request: Prepared) -> Proxy | None:
        """Return the proxy for a request, for httpcore."""
        if (proxy := self._proxy(httpx.URL(request.url))) is None:
            return None
        core_proxy: Proxy = self._backend.Proxy.of(proxy.url, proxy.raw_auth)
        return core_proxy


class Client(_BaseClient["Connection"]):
    """A sync client with a time limit for the whole exchange, whatever the server does.

    It has the part of `httpx.Client` that `pump` uses. The rest would be harmful in a cancel:
    cookies shared between keys, redirects, credentials from other sources.
    """

    def send(self, request: Prepared, **_: Any) -> _Reply | httpx.Response:  # noqa: ANN401
        """Send a request, on a new connection or on an idle one of the same key."""
        if _is_patched(httpx.HTTPTransport.handle_request):
            return self._send_over_httpx(request)
        connection = self._take_idle(request.pool_key) or self._new(request)
        until = time.monotonic() + request.timeout
        try:
            reply = connection.send(request, until)
        except BaseException:
            self._discard(connection)
            raise
        return _Reply(self, connection, reply)

    def _send_over_httpx(self, request: Prepared) -> httpx.Response:
        converted = _as_httpx(request)
        with httpx.HTTPTransport(verify=self._tls, proxy=self._proxy(converted.url)) as transport:
            reply = transport.handle_request(converted)
            reply.read()
            return reply

    def _new(self, request: Prepared) -> Connection:
        proxy = self._core_proxy(request)
        connection: Connection = self._backend.Connection(request.pool_key, proxy, self._tls)
        return connection

    def _take_idle(self, key: PoolKey) -> Connection | None:
        while (connection := self._pool.take(key)) is not None:
            if _is_fresh(connection):
                return connection
            connection.close()
        return None

    def _discard(self, connection: Connection) -> None:
        """Close a failed connection, and the idle ones to its server, which may be dead as well."""
        for each in (connection, *self._pool.clear(connection.pool_key)):
            each.close()

    def _release(self, connection: Connection) -> None:
        """Return a connection to the pool, or close it if it cannot be reused."""
        for each in self._pool.put(connection) if connection.is_reusable else [connection]:
            each.close()

    def close(self) -> None:
        """Close the connections; those in use are closed after their reply."""
        self._pool.is_closed = True
        for each in self._pool.clear():
            each.close()


class _Head:
    """A reply before its body was read, with the part of httpx's interface that `pump` uses."""

    is_stream_consumed = False

    def __init__(self, connection: _Connection, reply: httpcore.Response) -> None:
        self.status_code = reply.status
        self.headers = Headers(reply.headers)
        self.extensions = {"distrust": connection.distrust}
        self._stream: Any = reply.stream  # httpcore's type is for both kinds


class _Reply(_Head):
    """A reply whose body is still to be read. Closing it releases the connection."""

    def __init__(self, client: Client, connection: Connection, reply: httpcore.Response) -> None:
        super().__init__(connection, reply)
        self._client, self._connection = client, connection

    def iter_raw(self) -> Iterator[bytes]:
        """Yield the parts of the body as received, without decompressing them."""
        try:
            yield from self._stream
        except self._client.errors.failures:
            self._client._discard(self._connection)  # noqa: SLF001 - its client
            raise

    def close(self) -> None:
        """Return the connection to the pool, or close it if it cannot be reused."""
        self._stream.close()
        self._client._release(self._connection)  # noqa: SLF001 - its client


class AsyncClient(_BaseClient["AsyncConnection"]):
    """The async client. The caller cancels an exchange when its time is up."""

    async def send(self, request: Prepared, **_: Any) -> _AsyncReply | httpx.Response:  # noqa: ANN401
        """Like `Client.send`."""
        if _is_patched(httpx.AsyncHTTPTransport.handle_async_request):
            return await self._send_over_httpx(request)
        connection = await self._take_idle(request.pool_key) or self._new(request)
        try:
            reply = await connection.send(request)
        except BaseException:
            await self._discard(connection)
            raise
        return _AsyncReply(self, connection, reply)

    async def _send_over_httpx(self, request: Prepared) -> httpx.Response:
        converted = _as_httpx(request)
        proxy = self._proxy(converted.url)
        async with httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy) as transport:
            reply = await transport.handle_async_request(converted)
            await reply.aread()
            return reply

    def _new(self, request: Prepared) -> AsyncConnection:
        proxy, key = self._core_proxy(request), request.pool_key
        connection: AsyncConnection = self._backend.AsyncConnection(key, proxy, self._tls)
        return connection

    async def _take_idle(self, key: PoolKey) -> AsyncConnection | None:
        while (connection := self._pool.take(key)) is not None:
            if _is_fresh(connection):
                return connection
            await connection.aclose()
        return None

    async def _discard(self, connection: AsyncConnection) -> None:
        await _close_all([*self._pool.clear(connection.pool_key), connection])

    async def _release(self, connection: AsyncConnection) -> None:
        reusable = connection.is_reusable
        await _close_all(self._pool.put(connection) if reusable else [connection])

    def grow(self, connections: int) -> None:
        """Allow at least this number of idle connections."""
        self._pool.max_idle = max(self._pool.max_idle, connections)

    async def aclose(self) -> None:
        """Close the connections; those in use are closed after their reply."""
        self._pool.is_closed = True
        await _close_all(self._pool.clear())


class _AsyncReply(_Head):
    """An async reply whose body is still to be read. Closing it releases the connection."""

    def __init__(
        self, client: AsyncClient, connection: AsyncConnection, reply: httpcore.Response
    ) -> None:
        super().__init__(connection, reply)
        self._client, self._connection = client, connection
        self._parts = aiter(self._stream)

    def aiter_raw(self) -> Self:
        """Yield the parts of the body as received, without decompressing them."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            part: bytes = await anext(self._parts)
        except self._client.errors.failures:
            await self._client._discard(self._connection)  # noqa: SLF001 - its client
            raise
        return part

    async def aclose(self) -> None:
        """Return the connection to the pool, or close it if it cannot be reused."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            # The scope does not shield from `Task.cancel`, which may interrupt a step: the stack
            # takes the others all the same, the last one first.
            async with AsyncExitStack() as steps:
                steps.push_async_callback(self._client._release, self._connection)  # noqa: SLF001 - its client
                steps.push_async_callback(self._stream.aclose)
                steps.push_async_callback(self._parts.aclose)


async def _close_all(connections: Iterable[AsyncConnection]) -> None:
    """Close connections, each even if the closing of another one is interrupted or fails."""
    async with AsyncExitStack() as stack:
        for each in connections:
            stack.push_async_callback(each.aclose)


def _either(own: Errors, others: Errors) -> Errors:
    """Return the errors of both httpcore and httpx, whose transport is used if it is patched."""
    return Errors(
        failures=own.failures + others.failures,
        never_sent=own.never_sent + others.never_sent,
        timeouts=own.timeouts + others.timeouts,
        separates_keys=True,
    )


def _as_httpx(request: Prepared) -> httpx.Request:
    """Return a request for httpx's own transport."""
    times = dict.fromkeys(("connect", "read", "write", "pool"), request.timeout)
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        content=request.content,
        extensions={"timeout": times},
    )


def _origin_and_target(url: str) -> tuple[Origin, bytes]:
    """Split a URL like httpx; in the usual case, in a third of the time."""
    if (plain := _PLAIN.fullmatch(url)) is not None:
        return _origin(plain[1]), plain[2].encode("ascii")
    return _origin(url), httpx.URL(url).raw_path


@lru_cache
def _origin(text: str) -> Origin:
    url = httpx.URL(text)
    if url.scheme not in DEFAULT_PORTS:
        raise httpx.UnsupportedProtocol(f"not an HTTP URL: {text!r}")
    return url.raw_scheme, url.raw_host, url.port, url.netloc


def _is_patched(method: object) -> bool:
    """Whether a test tool has replaced this method of httpx's transport.

    vcrpy, pytest-httpx and our recorder do so. Requests are then sent over httpx's transport.
    """
    module = getattr(method, "__globals__", {}).get("__name__", "")
    return not str(module).startswith("httpx.")
