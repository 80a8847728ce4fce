"""Answers requests about a job: with the vendor's answer, or with a fault."""

from __future__ import annotations

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
    """No answer: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Close the connection of the request."""
        await connection_of(scope).drop()


class RawBytes(Response):
    """Bytes written to the connection instead of an HTTP response.

    Args:
        pieces: the bytes; may be endless.
        interval: seconds to wait before each piece.
    """

    def __init__(self, pieces: Iterable[bytes], interval: float) -> None:
        super().__init__()
        self._pieces = pieces
        self._interval = interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Write the pieces until the last one, or until the client disconnects."""
        connection = connection_of(scope)
        for piece in self._pieces:
            if not await connection.pause(self._interval):
                return
            await connection.write(piece)
        await connection.finish()


class Streamed(StreamingResponse):
    """An HTTP response whose body ends with its pieces, or when the client disconnects."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send headers and pieces; `paced` watches the connection."""
        await self.stream_response(send)


async def gone(_: Request, __: Exception) -> Response:
    """Drop the connection of a client that disconnected before its request was complete."""
    return Silence()


async def paced(
    connection: Connection, pieces: Iterable[bytes], interval: float
) -> AsyncIterator[bytes]:
    """Yield each piece after `interval` seconds, while the connection is open."""
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
        provider: the vendor's name.
        job_id: the job's id, decoded.
        on: the kind of request.
    """

    world: World
    request: Request
    provider: str
    job_id: str
    on: On

    async def answer(self, act: Callable[[], Response]) -> Response:
        """Return the vendor's answer, or that of the next fault.

        Args:
            act: carries out the request and returns the vendor's answer; called at most once.
        """
        with self.world.lock:
            fault = self.world.faults.take(self.provider, self.job_id, self.on)
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
        job = self.world.jobs.find(self.provider, self.job_id)
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
