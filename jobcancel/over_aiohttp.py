"""An async client on aiohttp, which takes a quarter of the CPU that httpx's takes.

It has the part of httpx's interface that `drive` uses. `transport` chooses it where aiohttp is
installed. httpx-aiohttp would not do: it takes a lost reply for a connection that never was,
decodes and normalizes escaped ids, and lets aiohttp send a DELETE a second time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from attrs import field, frozen
from yarl import URL

from jobcancel.http import Errors

if TYPE_CHECKING:
    import ssl

# What aiohttp would add of its own, which httpx does not.
_NOT_ADDED = ("Content-Type",)
# As much as h11 takes, httpx's parser.
_LONGEST_LINE = 100 * 1024

# Older ones have not been tested.
IS_NEW_ENOUGH = tuple(map(int, aiohttp.__version__.split(".")[:2])) >= (3, 11)


@frozen
class Prepared:
    """A request; its headers hold the key, so no repr shows them."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None
    timeout: aiohttp.ClientTimeout


@frozen
class Headers:
    """A reply's headers as they came."""

    raw: tuple[tuple[bytes, bytes], ...]


class Reply:
    """A reply whose body has not been read yet."""

    is_stream_consumed = False

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply
        self.status_code = reply.status
        self.headers = Headers(reply.raw_headers)

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


class Session:
    """Sends over aiohttp; to be made and used in one event loop of asyncio."""

    errors = Errors(
        failures=(aiohttp.ClientError, OSError),
        never_sent=(aiohttp.ClientConnectorError,),
        timeouts=(TimeoutError,),
        keeps_time=True,
    )

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),  # `transport` counts
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            skip_auto_headers=_NOT_ADDED,
        )
        # There is no public way to keep aiohttp from repeating a DELETE whose reply was lost.
        self._session._retry_connection = False  # noqa: SLF001

    def build_request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout: float,
    ) -> Prepared:
        """As httpx's; `timeout` is for the whole exchange, in seconds."""
        return Prepared(
            method=method,
            url=URL(url, encoded=True),
            headers=headers,
            content=content,
            # aiohttp rounds times above the threshold up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=timeout, ceil_threshold=math.inf),
        )

    async def send(self, request: Prepared, **_: Any) -> Reply:  # noqa: ANN401
        """As httpx's with `stream=True`."""
        reply = await self._session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.content,
            timeout=request.timeout,
            allow_redirects=False,
        )
        return Reply(reply)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()
