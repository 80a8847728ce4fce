"""How our own HTTP clients are made: one TLS context, and a time limit on everything.

The only module that imports httpx; `drive` takes whatever client it is given.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.request import getproxies

import httpx

from jobcancel.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    from jobcancel.http import AsyncHttpClient

T = TypeVar("T")

# A proxy from the environment is another machine: it cannot reach a server on this one.
_NO_PROXY = dict.fromkeys(["all://localhost", "all://127.0.0.1", "all://[::1]"])

# A sync client has as many connections as threads that call it; they are the bound.
_EVERY_THREAD = httpx.Limits(max_connections=None, max_keepalive_connections=100)
_ONE = httpx.Limits(max_connections=1)
_MOST_CONNECTIONS = 100


def new_client() -> httpx.Client:
    """Return a client whose exchanges end within `time_limit`, whatever the server does."""
    from jobcancel.backend import Backend  # and with it httpcore, which httpx imports late, too

    client = _set_up(_Client, limits=_EVERY_THREAD)
    transports = [client._transport, *client._mounts.values()]  # noqa: SLF001 - no public way
    for transport in transports:
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001 - httpx does not pass a backend on to httpcore
            pool._network_backend = Backend(pool._network_backend)  # noqa: SLF001 - likewise
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
    """What async code sends with: aiohttp where it can, else many clients of one connection each.

    httpx's asynchronous pool searches all its connections and waiting requests at every step:
    a thousand tasks on one client take a minute, on a hundred clients a second or two.
    """

    def __init__(self) -> None:
        from anyio import Semaphore  # comes with httpx; works under asyncio and trio

        self._session = _aiohttp_session()
        self._loop = self._running_loop()
        self._most = _MOST_CONNECTIONS
        self._free = Semaphore(self._most, fast_acquire=True)
        self._idle: list[AsyncHttpClient] = []
        self._closed = False

    def _running_loop(self) -> object:
        if self._session is not None:
            from asyncio import get_running_loop

            return get_running_loop()
        from anyio.lowlevel import current_token

        return current_token()

    async def take(self, seconds: float) -> AsyncHttpClient | None:
        """Return a client for one exchange, to be given back; None when none was free in time.

        Raises:
            ConfigurationError: the connections belong to another event loop.
        """
        if self._running_loop() != self._loop:
            raise ConfigurationError(
                "this AsyncCanceller was used in another event loop, to which its connections "
                "belong; make one in each loop, or use acancel()"
            )
        return self._next() if await self._one_is_free(seconds) else None

    def _next(self) -> AsyncHttpClient:
        if self._session is not None:
            return self._session
        try:
            # The last one used is the likeliest to have a warm connection.
            return self._idle.pop() if self._idle else _new_async_client()
        except ConfigurationError:
            self._free.release()
            raise

    async def _one_is_free(self, seconds: float) -> bool:
        from anyio import WouldBlock, move_on_after

        try:
            self._free.acquire_nowait()
        except WouldBlock:
            with move_on_after(seconds) as scope:
                await self._free.acquire()
            return not scope.cancelled_caught
        return True

    async def give_back(self, client: AsyncHttpClient) -> None:
        """Let the next one have the client; close it when there will be no next one."""
        self._free.release()
        if client is self._session:
            return
        if not self._closed:
            self._idle.append(client)
            return
        from anyio import CancelScope

        with CancelScope(shield=True):
            await client.aclose()

    def allow(self, connections: int) -> None:
        """Allow at least so many connections at once."""
        while self._most < connections:
            self._most += 1
            self._free.release()

    async def aclose(self) -> None:
        """Close every client; one that is in use, when it is given back."""
        self._closed = True
        if self._session is not None:
            await self._session.aclose()
        while self._idle:
            await self._idle.pop().aclose()


def _aiohttp_session() -> AsyncHttpClient | None:
    """Return a session of aiohttp, where that is installed and can be used."""
    wanted = os.environ.get("JOBCANCEL_TRANSPORT", "aiohttp") == "aiohttp"
    # Proxies are httpx's business: aiohttp would also take credentials from the environment.
    if not wanted or not _in_asyncio() or getproxies() or find_spec("aiohttp") is None:
        return None
    from jobcancel.over_aiohttp import IS_NEW_ENOUGH, Session

    if not IS_NEW_ENOUGH:
        return None
    with _setting_up():
        return Session(_tls_context())


def _in_asyncio() -> bool:
    from asyncio import get_running_loop

    try:
        get_running_loop()
    except RuntimeError:  # another library's event loop
        return False
    return True


def _new_async_client() -> httpx.AsyncClient:
    # The time of an exchange is limited by cancelling it: `drive` does.
    return _set_up(_AsyncClient, limits=_ONE)


def _set_up(kind: Callable[..., T], *, limits: httpx.Limits) -> T:
    with _setting_up():
        return kind(verify=_tls_context(), mounts=_NO_PROXY, limits=limits)


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
