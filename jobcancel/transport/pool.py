"""Our own HTTP clients: whose connections they keep, which proxies they use, what closes them.

A connection is used again only after a whole, clean reply, and only for the same key. What
happens on one connection is in `backend`. This is the only module that imports httpx; `drive`
takes whatever client it is given.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar
from urllib.request import getproxies

import httpx

from jobcancel._lazy import load
from jobcancel.address import is_loopback
from jobcancel.errors import ConfigurationError
from jobcancel.transport.clients import Errors, Headers, errors_of_library

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    import httpcore

    from jobcancel.secret import Secret
    from jobcancel.transport.clients import AsyncHttpClient
    from jobcancel.transport.connection import (
        AsyncConnection,
        Connection,
        Place,
        Prepared,
        Proxy,
        _Connection,
    )

C = TypeVar("C", bound="_Connection")

# Servers close what is idle for longer, and routers forget it.
_LONGEST_IDLE = 5.0
_MOST_IDLE = 100
_MOST_CONNECTIONS = 100
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Methods whose requests have no length when they have no body (RFC 9110, section 8.6).
_WITHOUT_BODY = frozenset({"DELETE", "GET"})
# URLs that httpx would leave as they are: it removes dot segments and escapes other characters.
_PLAIN = re.compile(
    r"(https?://[A-Za-z0-9.:\[\]-]+)(/(?:[A-Za-z0-9_~/?=&:,@-]|(?<!/)\.|%[0-9A-Fa-f]{2})*+)"
)
Origin: TypeAlias = tuple[bytes, bytes, int | None, bytes]
"""A URL's scheme, host and port, and both latter as the header `Host` has them."""


class _Pool(Generic[C]):
    """The idle connections of one client.

    Every step is one operation on a dict, so threads, and signal handlers that interrupt one, can
    share it without a lock.
    """

    def __init__(self) -> None:
        self._idle: dict[C, None] = {}
        self.most = _MOST_IDLE
        self.is_closed = False

    def take(self, place: Place) -> C | None:
        """Return the newest connection to a place; the caller owns it, fit or not."""
        for each in reversed(list(self._idle)):
            if each.place == place and self._claim(each):
                return each
        return None

    def put(self, connection: C) -> list[C]:
        """Keep a connection; return those that are to be closed."""
        connection.idle_since = time.monotonic()
        self._idle[connection] = None
        if self.is_closed:
            return self.clear()
        idle, oldest = list(self._idle), connection.idle_since - _LONGEST_IDLE
        over = len(idle) - self.most
        return [
            each
            for number, each in enumerate(idle)
            if (number < over or (each.idle_since or 0.0) < oldest) and self._claim(each)
        ]

    def clear(self, place: Place | None = None) -> list[C]:
        """Give up the connections to a place's server, or all; return them to be closed."""
        return [
            each
            for each in list(self._idle)
            if (place is None or each.place.origin == place.origin) and self._claim(each)
        ]

    def _claim(self, connection: C) -> bool:
        return self._idle.pop(connection, self) is None


def _is_fresh(connection: Connection | AsyncConnection) -> bool:
    """Whether an idle connection may be used again."""
    idle_since = connection.idle_since or 0.0
    return time.monotonic() - idle_since <= _LONGEST_IDLE and connection.is_fit


class _Sender(Generic[C]):
    """What the sync and the async client have in common."""

    def __init__(self) -> None:
        # And with it httpcore, which httpx imports late, too.
        self._backend = load("jobcancel.transport.connection")
        self.errors = _either(self._backend.ERRORS, errors_of_library(httpx))
        with _setting_up():
            self._tls = _tls_context()
            self._proxies = _proxies()
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
        """As httpx's.

        Args:
            method: the method.
            url: the URL.
            headers: the headers.
            content: the body.
            timeout: seconds for the whole exchange.
            owner: the key that the request is sent with; no other's connection is used.
        """
        (scheme, host, port, netloc), target = _origin_and_target(url)
        fields = [(b"Host", netloc)]
        fields += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        if content or method not in _WITHOUT_BODY:
            fields.append((b"Content-Length", b"%d" % len(content or b"")))
        place = self._backend.Place(scheme, host, port, owner)
        made: Prepared = self._backend.Prepared(
            method, url, fields, content, timeout, place, target
        )
        return made

    def _proxy(self, url: httpx.URL) -> httpx.Proxy | None:
        """Return the proxy for a URL; what is on this machine is not sought elsewhere."""
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or is_loopback(url.host) or _is_excepted(url):
            return None
        return proxy

    def _way(self, request: Prepared) -> Proxy | None:
        """Return the same for httpcore."""
        if (proxy := self._proxy(httpx.URL(request.url))) is None:
            return None
        way: Proxy = self._backend.Proxy.of(proxy.url, proxy.raw_auth)
        return way


class Client(_Sender["Connection"]):
    """A sync client whose exchanges end within their time, whatever the server does.

    It has the part of `httpx.Client` that `drive` uses. The rest has no place in a cancel:
    cookies of one key that go along with another, redirects, credentials from elsewhere.
    """

    def send(self, request: Prepared, **_: Any) -> _Reply | httpx.Response:  # noqa: ANN401
        """Send a request, on a new connection or on one that was kept for the same key."""
        if _is_played(httpx.HTTPTransport.handle_request):
            return self._play(request)
        connection = self._kept(request.place) or self._new(request)
        until = time.monotonic() + request.timeout
        try:
            reply = connection.send(request, until)
        except BaseException:
            self._broke(connection)
            raise
        return _Reply(self, connection, reply)

    def _play(self, request: Prepared) -> httpx.Response:
        made = _as_httpx(request)
        with httpx.HTTPTransport(verify=self._tls, proxy=self._proxy(made.url)) as transport:
            reply = transport.handle_request(made)
            reply.read()
            return reply

    def _new(self, request: Prepared) -> Connection:
        way = self._way(request)
        made: Connection = self._backend.Connection(request.place, way, self._tls)
        return made

    def _kept(self, place: Place) -> Connection | None:
        while (connection := self._pool.take(place)) is not None:
            if _is_fresh(connection):
                return connection
            connection.close()
        return None

    def _broke(self, connection: Connection) -> None:
        """Close a connection, and the idle ones to its server, which are as likely to be dead."""
        for each in (connection, *self._pool.clear(connection.place)):
            each.close()

    def _done(self, connection: Connection) -> None:
        """Keep a connection if the reply on it was whole and nothing came after it."""
        for each in self._pool.put(connection) if connection.is_fit else [connection]:
            each.close()

    def close(self) -> None:
        """Close the connections; one that is in use, when its reply has come."""
        self._pool.is_closed = True
        for each in self._pool.clear():
            each.close()


class _Head:
    """A reply before its body was read, with the part of httpx's interface that `drive` uses."""

    is_stream_consumed = False

    def __init__(self, connection: _Connection, reply: httpcore.Response) -> None:
        self.status_code = reply.status
        self.headers = Headers(reply.headers)
        self.extensions = {"distrust": connection.distrust}
        self._stream: Any = reply.stream  # httpcore's type is for both kinds


class _Reply(_Head):
    """A reply whose body is still to be read; closing it decides what becomes of the connection."""

    def __init__(self, client: Client, connection: Connection, reply: httpcore.Response) -> None:
        super().__init__(connection, reply)
        self._client, self._connection = client, connection

    def iter_raw(self) -> Iterator[bytes]:
        """Give the body in parts, as they come and not decompressed."""
        try:
            yield from self._stream
        except self._client.errors.failures:
            self._client._broke(self._connection)  # noqa: SLF001 - its client
            raise

    def close(self) -> None:
        """Give the connection back, or close it when it cannot be used again."""
        self._stream.close()
        self._client._done(self._connection)  # noqa: SLF001 - likewise


class AsyncClient(_Sender["AsyncConnection"]):
    """The same for async code; the time of an exchange is limited by cancelling it."""

    async def send(self, request: Prepared, **_: Any) -> _AsyncReply | httpx.Response:  # noqa: ANN401
        """As `Client.send`."""
        if _is_played(httpx.AsyncHTTPTransport.handle_async_request):
            return await self._play(request)
        connection = await self._kept(request.place) or self._new(request)
        try:
            reply = await connection.send(request)
        except BaseException:
            await self._broke(connection)
            raise
        return _AsyncReply(self, connection, reply)

    async def _play(self, request: Prepared) -> httpx.Response:
        made = _as_httpx(request)
        proxy = self._proxy(made.url)
        async with httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy) as transport:
            reply = await transport.handle_async_request(made)
            await reply.aread()
            return reply

    def _new(self, request: Prepared) -> AsyncConnection:
        way = self._way(request)
        made: AsyncConnection = self._backend.AsyncConnection(request.place, way, self._tls)
        return made

    async def _kept(self, place: Place) -> AsyncConnection | None:
        while (connection := self._pool.take(place)) is not None:
            if _is_fresh(connection):
                return connection
            await connection.aclose()
        return None

    async def _broke(self, connection: AsyncConnection) -> None:
        for each in (connection, *self._pool.clear(connection.place)):
            await each.aclose()

    async def _done(self, connection: AsyncConnection) -> None:
        for each in self._pool.put(connection) if connection.is_fit else [connection]:
            await each.aclose()

    def allow(self, connections: int) -> None:
        """Keep at least so many idle connections."""
        self._pool.most = max(self._pool.most, connections)

    async def aclose(self) -> None:
        """Close the connections; one that is in use, when its reply has come."""
        self._pool.is_closed = True
        for each in self._pool.clear():
            await each.aclose()


class _AsyncReply(_Head):
    """The same for async code."""

    def __init__(
        self, client: AsyncClient, connection: AsyncConnection, reply: httpcore.Response
    ) -> None:
        super().__init__(connection, reply)
        self._client, self._connection = client, connection
        self._parts = aiter(self._stream)

    def aiter_raw(self) -> Self:
        """Give the body in parts, as they come and not decompressed."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            part: bytes = await anext(self._parts)
        except self._client.errors.failures:
            await self._client._broke(self._connection)  # noqa: SLF001 - its client
            raise
        return part

    async def aclose(self) -> None:
        """Give the connection back, or close it when it cannot be used again."""
        from anyio import CancelScope

        with CancelScope(shield=True):
            await self._parts.aclose()
            await self._stream.aclose()
            await self._client._done(self._connection)  # noqa: SLF001 - likewise


def _either(own: Errors, others: Errors) -> Errors:
    """Return the errors of httpcore, and of httpx, which raises its own where it is played."""
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
    """Split a URL where httpx would; in the usual case, in a third of the time."""
    if (plain := _PLAIN.fullmatch(url)) is not None:
        return _origin(plain[1]), plain[2].encode("ascii")
    return _origin(url), httpx.URL(url).raw_path


@lru_cache
def _origin(text: str) -> Origin:
    url = httpx.URL(text)
    if url.scheme not in _DEFAULT_PORTS:
        raise httpx.UnsupportedProtocol(f"no HTTP URL: {text!r}")
    return url.raw_scheme, url.raw_host, url.port, url.netloc


def _proxies() -> dict[str, httpx.Proxy]:
    """Return the environment's proxies by scheme; `all` is for any."""
    found = {
        scheme: httpx.Proxy(url if "://" in url else f"http://{url}")
        for scheme, url in getproxies().items()
        if scheme in {"http", "https", "all"}
    }
    if any(proxy.url.scheme.startswith("socks") for proxy in found.values()):
        import_module("socksio")  # httpcore would miss it when a connection is opened
    return found


def _is_excepted(url: httpx.URL) -> bool:
    """Whether `NO_PROXY` names a host, its domain, or all."""
    host, names = url.host, getproxies().get("no", "").lower().split(",")
    ways = (host, f"[{host}]", f"{host}:{url.port or _DEFAULT_PORTS[url.scheme]}", "*")
    bare = [name.strip().rpartition("://")[2].lstrip(".") for name in names]
    return any(name in ways or host.endswith(f".{name}") for name in filter(None, bare))


def _is_played(method: object) -> bool:
    """Whether something plays in httpx's place: what does so in tests replaces its methods.

    vcrpy and pytest-httpx do, and so does what records; then httpx's own transport sends.
    """
    module = getattr(method, "__globals__", {}).get("__name__", "")
    return not str(module).startswith("httpx.")


class AsyncClients:
    """What async code sends with: aiohttp where it can, else httpx; and how much at once."""

    def __init__(self) -> None:
        from anyio import Semaphore  # comes with httpx; works under asyncio and trio

        self._session = _aiohttp_session()
        self._client: AsyncHttpClient = self._session or AsyncClient()
        self._loop = self._running_loop()
        self._most = _MOST_CONNECTIONS
        self._free = Semaphore(self._most, fast_acquire=True)

    def _running_loop(self) -> object:
        if self._session is not None:
            from asyncio import get_running_loop

            return get_running_loop()
        from anyio.lowlevel import current_token

        return current_token()

    async def take(self, seconds: float) -> AsyncHttpClient | None:
        """Return the client for one exchange, to be given back; None when it was not free in time.

        Raises:
            ConfigurationError: the connections belong to another event loop.
        """
        if self._running_loop() != self._loop:
            raise ConfigurationError(
                "this AsyncCanceller was used in another event loop, to which its connections "
                "belong; make one in each loop, or use acancel()"
            )
        from anyio import WouldBlock, move_on_after

        try:
            self._free.acquire_nowait()
        except WouldBlock:
            with move_on_after(seconds) as scope:
                await self._free.acquire()
            if scope.cancelled_caught:
                return None
        return self._client

    def give_back(self) -> None:
        """Let the next one have it."""
        self._free.release()

    def allow(self, connections: int) -> None:
        """Allow at least so many connections at once."""
        while self._most < connections:
            self._most += 1
            self._free.release()
        if isinstance(self._client, AsyncClient):
            self._client.allow(connections)

    async def aclose(self) -> None:
        """Close every connection; one that is in use, when its reply has come."""
        await self._client.aclose()


def _aiohttp_session() -> AsyncHttpClient | None:
    """Return a session of aiohttp, where that is installed and can be used."""
    wanted = os.environ.get("JOBCANCEL_TRANSPORT", "aiohttp") == "aiohttp"
    # Proxies are httpx's business: aiohttp would also take credentials from the environment.
    if not wanted or not _in_asyncio() or getproxies() or find_spec("aiohttp") is None:
        return None
    over_aiohttp = load("jobcancel.transport.aiohttp")
    if not over_aiohttp.can_be_used():
        return None
    with _setting_up():
        session: AsyncHttpClient = over_aiohttp.Session(_tls_context())
        return session


def _in_asyncio() -> bool:
    from asyncio import get_running_loop

    try:
        get_running_loop()
    except RuntimeError:  # another library's event loop
        return False
    return True


@contextmanager
def _setting_up() -> Iterator[None]:
    """Say what may be wrong in the environment when no HTTP client can be made."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"no HTTP client can be set up: {error}; check SSL_CERT_FILE, SSL_CERT_DIR and the "
            "proxies in the environment"
        ) from error


@cache
def _tls_context() -> ssl.SSLContext:
    # Reading the certificates takes 20 ms and more, so all clients share one context.
    return httpx.create_ssl_context()
