"""The client of async code, aiohttp's or ours, and how many exchanges it may do at once."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.request import getproxies

from jobcancel._lazy import load
from jobcancel.errors import ConfigurationError
from jobcancel.transport.environment import setting_up, tls_context
from jobcancel.transport.httpcore import AsyncClient

if TYPE_CHECKING:
    from jobcancel.transport.clients import AsyncHttpClient

_MAX_CONNECTIONS = 100


class ClientPool:
    """Limits the concurrent exchanges of an async client, aiohttp's or ours."""

    def __init__(self) -> None:
        from anyio import Semaphore  # comes with httpx; works under asyncio and trio

        self._session = _aiohttp_session()
        self._client: AsyncHttpClient = self._session or AsyncClient()
        self._loop = self._running_loop()
        self._size = _MAX_CONNECTIONS
        self._free = Semaphore(self._size, fast_acquire=True)

    def _running_loop(self) -> object:
        if self._session is not None:
            from asyncio import get_running_loop

            return get_running_loop()
        from anyio.lowlevel import current_token

        return current_token()

    async def acquire(self, seconds: float) -> AsyncHttpClient | None:
        """Return the client for one exchange.

        Args:
            seconds: how long to wait until fewer exchanges are in progress.

        Returns:
            the client, or None if the wait took too long.

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

    def release(self) -> None:
        """End an exchange, so that another one may start."""
        self._free.release()

    def grow(self, connections: int) -> None:
        """Allow at least this number of concurrent exchanges."""
        while self._size < connections:
            self._size += 1
            self._free.release()
        if isinstance(self._client, AsyncClient):
            self._client.grow(connections)

    async def aclose(self) -> None:
        """Close the connections; those in use are closed after their reply."""
        await self._client.aclose()


def _aiohttp_session() -> AsyncHttpClient | None:
    """Return an aiohttp session, if aiohttp is installed and usable."""
    wanted = os.environ.get("JOBCANCEL_TRANSPORT", "aiohttp") == "aiohttp"
    # Use our own client with proxies: aiohttp would also read credentials from the environment.
    if not wanted or not _in_asyncio() or getproxies() or find_spec("aiohttp") is None:
        return None
    over_aiohttp = load("jobcancel.transport.aiohttp")
    if not over_aiohttp.can_be_used():
        return None
    with setting_up():
        session: AsyncHttpClient = over_aiohttp.Session(tls_context())
        return session


def _in_asyncio() -> bool:
    from asyncio import get_running_loop

    try:
        get_running_loop()
    except RuntimeError:  # another library's event loop
        return False
    return True
