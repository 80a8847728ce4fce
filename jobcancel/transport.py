"""Our own HTTP clients: whose connections they keep, which proxies they use, what closes them.

A connection is used again only after a whole, clean reply, and only for the same key. What
happens on one connection is in `backend`. This is the only module that imports httpx; `drive`
takes whatever client it is given.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.request import getproxies

import httpx

from jobcancel.address import is_loopback
from jobcancel.errors import ConfigurationError
from jobcancel.http import errors_of_library
from jobcancel.lazy import load

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    import httpcore

    from jobcancel.backend import AsyncConnection, Connection, Place, Proxy, _Connection
    from jobcancel.http import AsyncHttpClient
    from jobcancel.secret import Secret

C = TypeVar("C", bound="_Connection")

# Servers close what is idle for longer, and routers forget it.
_LONGEST_IDLE = 5.0
_MOST_IDLE = 100
_MOST_CONNECTIONS = 100
_DEFAULT_PORTS = {"http": 80, "https": 443}


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

    errors = errors_of_library(httpx, separates_keys=True)

    def __init__(self) -> None:
        # And with it httpcore, which httpx imports late, too.
        self._backend = load("jobcancel.backend")
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
    ) -> httpx.Request:
        """As httpx's.

        Args:
            method: the method.
            url: the URL.
            headers: the headers.
            content: the body.
            timeout: seconds for the whole exchange.
            owner: the key that the request is sent with; no other's connection is used.
        """
        times = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
        extensions = {"timeout": times, "owner": owner}
        return httpx.Request(method, url, headers=headers, content=content, extensions=extensions)

    def _core_url(self, url: httpx.URL) -> httpcore.URL:
        made: httpcore.URL = self._backend.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        return made

    def _core_request(self, request: httpx.Request) -> httpcore.Request:
        made: httpcore.Request = self._backend.Request(
            request.method,
            self._core_url(request.url),
            headers=request.headers.raw,
            content=request.stream,
        )
        return made

    def _proxy(self, url: httpx.URL) -> httpx.Proxy | None:
        """Return the proxy for a URL; what is on this machine is not sought elsewhere."""
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or is_loopback(url.host) or _is_excepted(url):
            return None
        return proxy

    def _way(self, url: httpx.URL) -> Proxy | None:
        """Return the same for httpcore."""
        if (proxy := self._proxy(url)) is None:
            return None
        way: Proxy = self._backend.Proxy(self._core_url(proxy.url), proxy.raw_auth)
        return way

    def _place(self, request: httpx.Request) -> Place:
        url = request.url
        place: Place = self._backend.Place(
            url.raw_scheme,
            url.raw_host,
            url.port or _DEFAULT_PORTS[url.scheme],
            request.extensions.get("owner"),
        )
        return place

    @contextmanager
    def _errors_as_httpx(self) -> Iterator[None]:
        """Raise httpx's errors for httpcore's, which have the same names."""
        try:
            yield
        except self._backend.ERRORS as error:
            raise getattr(httpx, type(error).__name__)(str(error)) from error


class Client(_Sender["Connection"], httpx.BaseTransport):
    """A sync client whose exchanges end within their time, whatever the server does.

    It has the part of `httpx.Client` that `drive` uses. The rest has no place in a cancel:
    cookies of one key that go along with another, redirects, credentials from elsewhere.
    """

    def send(self, request: httpx.Request, **_: Any) -> httpx.Response:  # noqa: ANN401
        """As httpx's with `stream=True`."""
        return self.handle_request(request)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, on a new connection or on one that was kept for the same key."""
        if _is_played(httpx.HTTPTransport.handle_request):
            return self._play(request)
        place, until = (
            self._place(request),
            time.monotonic() + request.extensions["timeout"]["read"],
        )
        connection = self._kept(place) or self._new(place, request.url)
        try:
            with self._errors_as_httpx():
                reply = connection.send(self._core_request(request), until)
        except BaseException:
            self._broke(connection)
            raise
        return _response(reply, connection, _Body(self, connection, reply.stream))

    def _play(self, request: httpx.Request) -> httpx.Response:
        proxy = self._proxy(request.url)
        with httpx.HTTPTransport(verify=self._tls, proxy=proxy) as transport:
            reply = transport.handle_request(request)
            reply.read()
            return reply

    def _new(self, place: Place, url: httpx.URL) -> Connection:
        made: Connection = self._backend.Connection(place, self._way(url), self._tls)
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


class _Body(httpx.SyncByteStream):
    """A reply's body; closing it decides what becomes of the connection."""

    def __init__(self, client: Client, connection: Connection, stream: Any) -> None:  # noqa: ANN401 - httpcore's type is for both kinds
        self._client, self._connection, self._stream = client, connection, stream

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self._client._errors_as_httpx():  # noqa: SLF001 - its client's
                yield from self._stream
        except httpx.TransportError:
            self._client._broke(self._connection)  # noqa: SLF001 - likewise
            raise

    def close(self) -> None:
        self._stream.close()
        self._client._done(self._connection)  # noqa: SLF001 - likewise


class AsyncClient(_Sender["AsyncConnection"], httpx.AsyncBaseTransport):
    """The same for async code; the time of an exchange is limited by cancelling it."""

    async def send(self, request: httpx.Request, **_: Any) -> httpx.Response:  # noqa: ANN401
        """As httpx's with `stream=True`."""
        return await self.handle_async_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `Client.handle_request`."""
        if _is_played(httpx.AsyncHTTPTransport.handle_async_request):
            return await self._play(request)
        place = self._place(request)
        connection = await self._kept(place) or self._new(place, request.url)
        try:
            with self._errors_as_httpx():
                reply = await connection.send(self._core_request(request))
        except BaseException:
            await self._broke(connection)
            raise
        return _response(reply, connection, _AsyncBody(self, connection, reply.stream))

    async def _play(self, request: httpx.Request) -> httpx.Response:
        proxy = self._proxy(request.url)
        async with httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy) as transport:
            reply = await transport.handle_async_request(request)
            await reply.aread()
            return reply

    def _new(self, place: Place, url: httpx.URL) -> AsyncConnection:
        made: AsyncConnection = self._backend.AsyncConnection(place, self._way(url), self._tls)
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


class _AsyncBody(httpx.AsyncByteStream):
    """The same for async code."""

    def __init__(self, client: AsyncClient, connection: AsyncConnection, stream: Any) -> None:  # noqa: ANN401 - httpcore's type is for both kinds
        self._client, self._connection, self._stream = client, connection, stream
        self._parts = aiter(stream)

    def __aiter__(self) -> _AsyncBody:
        return self

    async def __anext__(self) -> bytes:
        try:
            with self._client._errors_as_httpx():  # noqa: SLF001 - its client's
                part: bytes = await anext(self._parts)
        except httpx.TransportError:
            await self._client._broke(self._connection)  # noqa: SLF001 - likewise
            raise
        return part

    async def aclose(self) -> None:
        from anyio import CancelScope

        with CancelScope(shield=True):
            await self._parts.aclose()
            await self._stream.aclose()
            await self._client._done(self._connection)  # noqa: SLF001 - likewise


def _response(
    reply: httpcore.Response, connection: _Connection, body: _Body | _AsyncBody
) -> httpx.Response:
    def distrust() -> None:
        connection.distrusted = True

    extensions = {"distrust": distrust}
    return httpx.Response(reply.status, headers=reply.headers, stream=body, extensions=extensions)


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
    over_aiohttp = load("jobcancel.over_aiohttp")
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
