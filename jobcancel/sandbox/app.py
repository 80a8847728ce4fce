"""The sandbox as one ASGI application: routes each request and adds it to the journal."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from jobcancel.sandbox.control import Control
from jobcancel.sandbox.journal import Received
from jobcancel.sandbox.keys import KEYS
from jobcancel.sandbox.vendors.catalog import VENDORS, relatives
from jobcancel.sandbox.vendors.player import Player

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from jobcancel.sandbox.world import World

_CONTROL = ("", "_sandbox", "favicon.ico")
"""First path segments of requests about the sandbox itself; the journal leaves them out."""

_REFUSAL = "Use a loopback host name, and not from a page of another site.\n"
_READING = frozenset({"GET", "HEAD"})
_PORT = re.compile(r":\d+$", re.ASCII)


def is_loopback(host: str) -> bool:
    """Return whether a host, as in a URL without its port, is a loopback address."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


class App:
    """Adds each request to the journal and routes it by its path as sent.

    The path stays percent-encoded until an endpoint decodes one segment of it, so an id may contain
    an encoded slash.

    Args:
        world: the sandbox's memory.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._router: ASGIApp = Starlette(
            routes=[
                # Vendors that share a key share a base URL, so each path serves all of them.
                *(Mount(f"/{name}", Player(world, relatives(name)).app()) for name in VENDORS),
                Mount("/", Control(world).app()),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path: str = scope["raw_path"].decode("ascii")
        first, _, rest = path.removeprefix("/").partition("/")
        scope = {**scope, "path": path}
        if first not in KEYS and not _is_from_here(scope):
            refusal = PlainTextResponse(_REFUSAL, 403)
            await refusal(scope, receive, send)
        elif first in _CONTROL:
            await self._router(scope, receive, send)
        else:
            await self._record(scope, receive, send, provider=first, vendor_path=f"/{rest}")

    async def _record(
        self, scope: Scope, receive: Receive, send: Send, *, provider: str, vendor_path: str
    ) -> None:
        query: str = scope["query_string"].decode("ascii")
        received = Received(
            method=scope["method"],
            path=scope["path"] + (f"?{query}" if query else ""),
            provider=provider if provider in KEYS else None,
            status=None,
            time=self._world.now(),
            headers=dict(Headers(scope=scope)),
        )
        with self._world.lock:
            number = self._world.journal.add(received)
        scope["state"].update(
            request_id=f"req_{number:06d}", received_at=received.time, vendor_path=vendor_path
        )

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                with self._world.lock:
                    self._world.journal.answered(number, message["status"])
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.setdefault("x-request-id", scope["state"]["request_id"])
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._router(scope, receive, answer)


def _is_from_here(scope: Scope) -> bool:
    """Return whether a request comes from this computer and not from a page of another site.

    The Host header shows DNS rebinding; Origin and Sec-Fetch-Site (Fetch, Fetch Metadata) show
    another site, which may not change anything.
    """
    headers = Headers(scope=scope)
    if not is_loopback(_PORT.sub("", headers.get("host", ""))):
        return False
    if scope["method"] in _READING:
        return True
    return headers.get("sec-fetch-site") != "cross-site" and _is_ours(headers.get("origin"))


def _is_ours(origin: str | None) -> bool:
    try:
        return origin is None or is_loopback(urlsplit(origin).hostname or "")
    except ValueError:  # such as http://[x
        return False
