"""The server's side of one connection: what HTTP frameworks do not let an application do.

A response can close the connection, write bytes of its own and notice that the client has gone.
When the sandbox stops it closes all connections, so nothing outlives it.
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

# Not a child of `jobcancel`, which is silent until the application wants to hear of it: where no
# logging is set up, the standard library writes this to stderr.
_logger = logging.getLogger("jobcancel_sandbox")
# A client's malformed request is not worth a line on stderr; an error of the sandbox is.
_logger.setLevel(logging.ERROR)


class Connection(H11Protocol):
    """One connection; the application finds it in the request's state as `connection`.

    Attributes:
        lost: set when the connection is over, whoever ended it.
    """

    lost: asyncio.Event

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows the type in the same way
        """Take over the transport and offer the connection to the application."""
        super().connection_made(transport)
        # asyncio does this only where the listening socket names its protocol, and without it each
        # answer waits 40 ms for the client's delayed acknowledgement (RFC 1122, 4.2.3.2).
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.logger = _logger
        self.lost = asyncio.Event()
        self.app_state = {**self.app_state, "connection": self}

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits for something on this connection."""
        self.lost.set()
        super().connection_lost(exc)

    async def drop(self) -> None:
        """Close the connection at once; what is not sent yet never will be."""
        self.transport.abort()
        await self.lost.wait()

    async def finish(self) -> None:
        """Close the connection when everything is sent."""
        self.transport.close()
        await self.lost.wait()

    async def pause(self, seconds: float) -> bool:
        """Wait; return whether the connection is still there (if not, return early)."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lost.wait(), seconds)
        return not self.lost.is_set()

    async def write(self, data: bytes) -> None:
        """Write bytes to the connection as they are; wait while the client does not read."""
        await self.flow.drain()
        self.transport.write(data)


def connection_of(scope: Scope) -> Connection:
    """Return the connection that a request came on."""
    return cast("Connection", scope["state"]["connection"])
