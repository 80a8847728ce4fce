"""An async client on aiohttp, which takes a quarter of the CPU that httpx's takes.

It has the part of httpx's interface that `drive` uses. `transport` chooses it where aiohttp is
installed. httpx-aiohttp would not do: it takes a lost reply for a connection that never was,
decodes and normalizes escaped ids, and lets aiohttp send a DELETE a second time.
"""

from __future__ import annotations

import math
import select
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from weakref import WeakSet

import aiohttp
from attrs import field, frozen
from yarl import URL

from jobcancel.secret import Secret
from jobcancel.transport.clients import Errors, Headers

if TYPE_CHECKING:
    import ssl

    from aiohttp.connector import Connection

# What aiohttp would add of its own, which httpx does not.
_NOT_ADDED = ("Content-Type",)
# As much as h11 takes, httpx's parser.
_LONGEST_LINE = 100 * 1024
_MOST_POOLS = 100

# Older ones have not been tested.
IS_NEW_ENOUGH = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 11)


def can_be_used() -> bool:
    """Return whether the aiohttp that is installed can be kept from repeating a request.

    It repeats a DELETE whose reply was lost, and there is no public way to keep it from that.
    """
    if not IS_NEW_ENOUGH:
        return False
    session = aiohttp.ClientSession()
    found = hasattr(session, "_retry_connection")
    session.detach()
    return found


class _Connector(aiohttp.TCPConnector):
    """Uses no connection again on which something has come that nobody asked for."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(ssl=tls, limit=0)  # `transport` counts
        self._trusted: WeakSet[Any] = WeakSet()
        self._opened: WeakSet[Any] = WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Connection:  # noqa: ANN401 - aiohttp's
        """As aiohttp's."""
        while True:
            connection = await super().connect(*arguments, **options)
            protocol = connection.protocol
            if protocol not in self._opened:
                self._opened.add(protocol)
                self._trusted.add(protocol)
                return connection
            if protocol in self._trusted and not _has_more(connection):
                return connection
            connection.close()

    def distrust(self) -> None:
        """Use none of the connections again that are open now."""
        self._trusted.clear()

    def abort(self) -> None:
        """End the connections without the farewells of TLS, for which a server may not be there."""
        for protocol in list(self._opened):
            if protocol.transport is not None:
                protocol.transport.abort()


def _has_more(connection: Connection) -> bool:
    """Whether something came on a connection, even if the event loop has not seen it yet."""
    protocol, transport = connection.protocol, connection.transport
    own = None if transport is None else transport.get_extra_info("socket")
    ended = protocol is None or protocol.should_close
    return ended or own is None or _is_readable(own.fileno())


def _is_readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # pragma: no cover - Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


class _Pool:
    """The connections to one server that one key uses."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.in_use = 0
        self.connector = _Connector(tls)
        self.session = aiohttp.ClientSession(
            connector=self.connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            skip_auto_headers=_NOT_ADDED,
        )
        self.session._retry_connection = False  # noqa: SLF001 - see `can_be_used`

    async def aclose(self) -> None:
        """Close the connections."""
        self.connector.abort()
        await self.session.close()


Place: TypeAlias = tuple[URL, Secret | None]


@frozen
class Prepared:
    """A request; its headers hold the key, so no repr shows them."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None
    timeout: aiohttp.ClientTimeout
    owner: Secret | None = None

    @property
    def place(self) -> Place:
        """The server and the key: what a connection is for."""
        return self.url.origin(), self.owner


class Reply:
    """A reply whose body has not been read yet."""

    is_stream_consumed = False

    def __init__(self, reply: aiohttp.ClientResponse, pool: _Pool) -> None:
        self._reply, self._pool = reply, pool
        self.status_code = reply.status
        self.headers = Headers(reply.raw_headers)
        self.extensions = {"distrust": pool.connector.distrust}

    def aiter_raw(self) -> Self:
        """Give the body in parts, as they come and not decompressed."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if part := await self._reply.content.readany():
            return part
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._reply.close()
        self._pool.in_use -= 1


class Session:
    """Sends over aiohttp; to be made and used in one event loop of asyncio."""

    errors = Errors(
        failures=(aiohttp.ClientError, OSError),
        never_sent=(aiohttp.ClientConnectorError,),
        timeouts=(TimeoutError,),
        keeps_time=True,
        separates_keys=True,
    )

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._pools: OrderedDict[Place, _Pool] = OrderedDict()

    async def _pool(self, place: Place) -> _Pool:
        """Return the pool for a place; close the oldest ones when there are too many."""
        pool = self._pools.get(place)
        if pool is None:
            pool = self._pools[place] = _Pool(self._tls)
        pool.in_use += 1
        self._pools.move_to_end(place)
        free = [each for each, other in self._pools.items() if not other.in_use]
        for each in free[: max(0, len(self._pools) - _MOST_POOLS)]:
            await self._pools.pop(each).aclose()
        return pool

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
        return Prepared(
            method=method,
            url=URL(url, encoded=True),
            headers=headers,
            content=content,
            # aiohttp rounds times above the threshold up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=timeout, ceil_threshold=math.inf),
            owner=owner,
        )

    async def send(self, request: Prepared, **_: Any) -> Reply:  # noqa: ANN401
        """As httpx's with `stream=True`."""
        pool = await self._pool(request.place)
        try:
            reply = await pool.session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.content,
                timeout=request.timeout,
                allow_redirects=False,
            )
        except BaseException:
            pool.in_use -= 1
            pool.connector.distrust()  # the idle ones are as likely to be dead
            raise
        return Reply(reply, pool)

    async def aclose(self) -> None:
        """Close the connections."""
        while self._pools:
            await self._pools.popitem()[1].aclose()
