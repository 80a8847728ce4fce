"""The server's side of one connection, with control that HTTP frameworks do not offer.

A response can close the connection, write raw bytes and detect that the client disconnected.
The sandbox closes all connections when it stops, so that none outlives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import Scope

# Not a child of `jobcancel`, which is silent by default: without any logging configuration, the
# standard library writes this logger's errors to stderr.
_logger = logging.getLogger("jobcancel_sandbox")
# Malformed requests are not logged; errors of the sandbox are.
_logger.setLevel(logging.ERROR)


class Connection(H11Protocol):
    """One connection; the request's state holds it as `connection`.

    Attributes:
        lost: set when the connection is closed, by either side.
    """

    lost: asyncio.Event

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows the type in the same way
        """Pass the connection to the application."""
        super().connection_made(transport)
        # asyncio sets this only if the listening socket has an explicit protocol. Without it each
        # answer waits 40 ms for the client's delayed acknowledgment (RFC 1122, 4.2.3.2).
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.logger = _logger
        self.lost = asyncio.Event()
        self.app_state = {**self.app_state, "connection": self}

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake all tasks that wait on this connection."""
        self.lost.set()
        super().connection_lost(exc)

    async def drop(self) -> None:
        """Close the connection at once; discard unsent data."""
        self.transport.abort()
        await self.lost.wait()

    async def finish(self) -> None:
        """Close the connection after sending all data."""
        self.transport.close()
        await self.lost.wait()

    async def pause(self, seconds: float) -> bool:
        """Wait; return whether the connection is still open (return early if it closes)."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lost.wait(), seconds)
        return not self.lost.is_set()

    async def write(self, data: bytes) -> None:
        """Write raw bytes to the connection; wait while the client does not read."""
        await self.flow.drain()
        self.transport.write(data)


def connection_of(scope: Scope) -> Connection:
    """Return the connection of a request."""
    return cast("Connection", scope["state"]["connection"])
