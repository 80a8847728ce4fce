"""How requests about a job are answered: by the vendor, or by the fault that waits for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from jobcancel.sandbox.connection import Connection, connection_of
from jobcancel.sandbox.faults import Fault, On
from jobcancel.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from starlette.types import Receive, Scope, Send

    from jobcancel.models import JobState


class Silence(Response):
    """No answer: the connection is closed without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Close the connection that the request came on."""
        await connection_of(scope).drop()


class RawBytes(Response):
    """Bytes written to the connection in place of an HTTP response.

    Args:
        pieces: what to write; may be endless.
        interval: seconds to wait before each piece.
    """

    def __init__(self, pieces: Iterable[bytes], interval: float) -> None:
        super().__init__()
        self._pieces = pieces
        self._interval = interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Write the pieces until there are no more, or nobody to read them."""
        connection = connection_of(scope)
        for piece in self._pieces:
            if not await connection.pause(self._interval):
                return
            await connection.write(piece)
        await connection.finish()


class Streamed(StreamingResponse):
    """An HTTP response whose body ends when its pieces do, or when its reader has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send headers and pieces; `paced` watches the connection."""
        await self.stream_response(send)


async def gone(_: Request, __: Exception) -> Response:
    """Answer a client that went away before its request was complete: there is nobody to tell."""
    return Silence()


async def paced(
    connection: Connection, pieces: Iterable[bytes], interval: float
) -> AsyncIterator[bytes]:
    """Yield each piece after `interval` seconds, as long as the connection is there."""
    for piece in pieces:
        if not await connection.pause(interval):
            return
        yield piece


@frozen
class Exchange:
    """One request about one job.

    Args:
        world: the sandbox's memory.
        request: the request.
        vendor: whom it asks.
        job_id: the job's id, decoded.
        on: what it asks for.
    """

    world: World
    request: Request
    vendor: str
    job_id: str
    on: On

    async def answer(self, act: Callable[[], Response]) -> Response:
        """Return the answer that `act` gives, or what a waiting fault makes of it.

        Args:
            act: what the vendor does when all goes well; called at most once.
        """
        with self.world.lock:
            fault = self.world.faults.take(self.vendor, self.job_id, self.on)
            if fault is None:
                return act()
            self._end(fault.finish)
            early = act() if fault.apply else None
        if not await connection_of(self.request.scope).pause(fault.stall):
            return Silence()
        with self.world.lock:
            answer = self._own(fault) if fault.answers else early or act()
            self._end(fault.finish_after)
        return answer

    def _end(self, state: JobState | None) -> None:
        job = self.world.jobs.find(self.vendor, self.job_id)
        if state is not None and job is not None:
            self.world.jobs.end(job, state)

    def _own(self, fault: Fault) -> Response:
        if fault.raw is not None:
            return RawBytes(fault.raw(), fault.interval)
        if fault.status is None:
            return Silence()
        headers = dict(fault.headers)
        if fault.chunks is not None:
            body = paced(connection_of(self.request.scope), fault.chunks(), fault.interval)
            return Streamed(body, status_code=fault.status, headers=headers)
        return Response(
            fault.content, status_code=fault.status, headers=headers, media_type=fault.media_type
        )


def is_json(request: Request) -> bool:
    """Return whether the request says that its body is JSON; case does not count (RFC 9110, 8.3.1).

    A page elsewhere cannot say so without asking first, which the sandbox answers with no.
    """
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    return media_type.strip().lower() == "application/json"


def parse_json(body: bytes) -> object:
    """Return what the JSON in `body` says.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
