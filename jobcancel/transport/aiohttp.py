"""An async client on aiohttp, which uses a quarter of the CPU time of httpx's.

It has the part of httpx's interface that `pump` uses. `pool` chooses it if aiohttp is installed.
httpx-aiohttp is not suitable: it reports a lost reply as a failed connection, decodes and
normalizes escaped ids, and lets aiohttp resend a DELETE.
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

# Headers that aiohttp would add, and httpx would not.
_NOT_ADDED = ("Content-Type",)
# Bytes; the limit of h11, httpx's parser.
_LONGEST_LINE = 100 * 1024
_MAX_POOLS = 100

# Older versions have not been tested.
IS_NEW_ENOUGH = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 11)


def can_be_used() -> bool:
    """Return whether the installed aiohttp can be kept from resending a request.

    It resends a DELETE whose reply was lost, and there is no public option to disable that.
    """
    if not IS_NEW_ENOUGH:
        return False
    session = aiohttp.ClientSession()
    has_option = hasattr(session, "_retry_connection")
    session.detach()
    return has_option


class _Connector(aiohttp.TCPConnector):
    """Does not reuse a connection on which unrequested data has arrived."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(ssl=tls, limit=0)  # `pool` limits the number
        self._trusted: WeakSet[Any] = WeakSet()
        self._opened: WeakSet[Any] = WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Connection:  # noqa: ANN401 - aiohttp's
        """Like aiohttp's."""
        while True:
            connection = await super().connect(*arguments, **options)
            protocol = connection.protocol
            if protocol not in self._opened:
                self._opened.add(protocol)
                self._trusted.add(protocol)
                return connection
            if protocol in self._trusted and not _has_unread_data(connection):
                return connection
            connection.close()

    def distrust(self) -> None:
        """Do not reuse any of the connections that are open now."""
        self._trusted.clear()

    def abort(self) -> None:
        """Close the connections without the TLS shutdown, for which a server may not respond."""
        for protocol in list(self._opened):
            if protocol.transport is not None:
                protocol.transport.abort()


def _has_unread_data(connection: Connection) -> bool:
    """Whether an idle connection is closed, or its socket has data to read."""
    protocol, transport = connection.protocol, connection.transport
    sock = None if transport is None else transport.get_extra_info("socket")
    ended = protocol is None or protocol.should_close
    return ended or sock is None or _is_readable(sock.fileno())


def _is_readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # pragma: no cover - Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


class _Pool:
    """The connections to one server for one key."""

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


PoolKey: TypeAlias = tuple[URL, Secret | None]


@frozen
class Prepared:
    """A request. Its headers contain the key, so its repr does not show them."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None
    timeout: aiohttp.ClientTimeout
    owner: Secret | None = None

    @property
    def pool_key(self) -> PoolKey:
        """The server and the API key: a connection is only used for these."""
        return self.url.origin(), self.owner


class Reply:
    """A reply whose body is still to be read."""

    is_stream_consumed = False

    def __init__(self, reply: aiohttp.ClientResponse, pool: _Pool) -> None:
        self._reply, self._pool = reply, pool
        self.status_code = reply.status
        self.headers = Headers(reply.raw_headers)
        self.extensions = {"distrust": pool.connector.distrust}

    def aiter_raw(self) -> Self:
        """Yield the parts of the body as received, without decompressing them."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if part := await self._reply.content.readany():
            return part
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Return the connection to the pool, or close it if the body was not read to its end."""
        self._reply.close()
        self._pool.in_use -= 1


class Session:
    """Sends over aiohttp. It belongs to the asyncio event loop in which it was created."""

    errors = Errors(
        failures=(aiohttp.ClientError, OSError),
        never_sent=(aiohttp.ClientConnectorError,),
        timeouts=(TimeoutError,),
        keeps_time=True,
        separates_keys=True,
    )

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._pools: OrderedDict[PoolKey, _Pool] = OrderedDict()

    async def _pool(self, key: PoolKey) -> _Pool:
        """Return the pool for a server and a key; close the oldest pools if there are too many."""
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = _Pool(self._tls)
        pool.in_use += 1
        self._pools.move_to_end(key)
        unused = [each for each, other in self._pools.items() if not other.in_use]
        for each in unused[: max(0, len(self._pools) - _MAX_POOLS)]:
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
        """Like httpx's.

        Args:
            method: the method.
            url: the URL.
            headers: the headers.
            content: the body.
            timeout: seconds for the whole exchange.
            owner: the request's API key; connections for other keys are not used.
        """
        return Prepared(
            method=method,
            url=URL(url, encoded=True),
            headers=headers,
            content=content,
            # aiohttp rounds timeouts above the threshold up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=timeout, ceil_threshold=math.inf),
            owner=owner,
        )

    async def send(self, request: Prepared, **_: Any) -> Reply:  # noqa: ANN401
        """Like httpx's with `stream=True`."""
        pool = await self._pool(request.pool_key)
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
            pool.connector.distrust()  # the idle connections may be dead as well
            raise
        return Reply(reply, pool)

    async def aclose(self) -> None:
        """Close the connections."""
        while self._pools:
            await self._pools.popitem()[1].aclose()
