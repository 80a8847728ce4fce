"""The I/O: pumps a flow over a sync or an async HTTP client.

It turns a `Send` into one exchange and whatever happens to it into what the flow understands;
it decides nothing. Any client with httpx's interface will do, httpx2's included. How our own
clients are made is in `transport`.
"""

from __future__ import annotations

import logging
import sys
import zlib
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define, field

from jobcancel import log
from jobcancel._version import __version__
from jobcancel.adapter import Request, Response, parse
from jobcancel.call import Flow, NoReply, NotSent, Pause, Reply, Send
from jobcancel.errors import WrongType
from jobcancel.transport import AsyncClients, lease, time_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel.models import Job
    from jobcancel.retry import Clock
    from jobcancel.transport import AsyncHttpClient, HttpClient

T = TypeVar("T")

# A reply is a few hundred bytes; a Pulse status may hold 5 MB of result.
_LARGEST_BODY = 16 * 2**20
_LONGEST_REASON = 300
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip",
    "user-agent": f"jobcancel/{__version__}",
}

# The transport's errors after which the request cannot have arrived. Both libraries use
# these names; every other transport error leaves that open.
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")


def run(flow: Flow[T], client: HttpClient, clock: Clock, job: Job) -> T:
    """Pump `flow` over a sync client to its result.

    Args:
        flow: the decisions, such as `flow.cancel(...)`.
        client: an httpx or httpx2 client.
        clock: what waits.
        job: what the call is about, for the log.
    """
    answer: Reply | None = None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        if isinstance(step, Pause):
            clock.sleep(step.seconds)
            answer = None
        else:
            began = clock.monotonic()
            answer = _exchange(client, step)
            log_exchange(job, step, answer, clock.monotonic() - began)


async def arun(flow: Flow[T], client: AsyncHttpClient | AsyncClients, clock: Clock, job: Job) -> T:
    """Pump `flow` over an async client to its result; arguments as for `run`."""
    answer: Reply | None = None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        if isinstance(step, Pause):
            await clock.asleep(step.seconds)
            answer = None
        else:
            began = clock.monotonic()
            answer = await aexchange(client, step)
            log_exchange(job, step, answer, clock.monotonic() - began)


def _exchange(client: HttpClient, send: Send) -> Reply:
    library = http_library(client)
    body = _Body(send.request)
    try:
        with time_limit(send.timeout):
            reply = client.send(
                _build(client, send), stream=True, auth=None, follow_redirects=False
            )
            try:
                if reply.is_stream_consumed:  # a transport that had the body at hand
                    body.keep(reply.content)
                else:
                    body.begin(_headers(reply))
                    for chunk in reply.iter_raw():
                        if not body.feed(chunk):
                            break
            finally:
                reply.close()
    except _failures(library) as error:
        return _fault(error, library, send)
    return body.response(reply.status_code, _headers(reply))


async def aexchange(client: AsyncHttpClient | AsyncClients, send: Send) -> Reply:
    """Send one request and return what came of it."""
    import anyio  # comes with httpx; works under asyncio and trio

    reply = None
    body = _Body(send.request)
    with anyio.move_on_after(send.timeout) as scope:
        async with lease(client) as leased:
            library = http_library(leased)
            try:
                request = _build(leased, send)
                reply = await leased.send(request, stream=True, auth=None, follow_redirects=False)
                try:
                    if reply.is_stream_consumed:  # a transport that had the body at hand
                        body.keep(reply.content)
                    else:
                        body.begin(_headers(reply))
                        async for chunk in reply.aiter_raw():
                            if not body.feed(chunk):
                                # Not left half-way: httpx's asynchronous generators close their
                                # connection in order only when something ends them.
                                scope.cancel()
                finally:
                    await reply.aclose()
            except _failures(library) as error:
                return _fault(error, library, send)
    if reply is None or (scope.cancelled_caught and not body.problem):
        return NoReply(f"no complete reply within {send.timeout:g} seconds")
    return body.response(reply.status_code, _headers(reply))


def _build(client: HttpClient | AsyncHttpClient, send: Send) -> Any:  # noqa: ANN401 - httpx or httpx2
    request = send.request
    name, scheme = request.credential.header, request.credential.scheme
    # The key is spelled out in this expression only, so that no traceback's locals show it.
    return client.build_request(
        request.method,
        request.url,
        content=request.content,
        headers={
            **_HEADERS,
            **request.headers,
            name: f"{scheme} {request.key.reveal()}".lstrip(),
        },
        timeout=send.timeout,
    )


def _headers(reply: Any) -> dict[str, str]:  # noqa: ANN401 - httpx or httpx2
    """Return the headers with lower-case names; those that come several times are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in reply.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def http_library(client: object) -> Any:  # noqa: ANN401 - the module httpx or httpx2
    """Return the library that a client comes from; it has the errors that the client raises.

    Raises:
        WrongType: it is neither httpx's nor httpx2's.
    """
    for kind in type(client).__mro__:
        if (root := kind.__module__.partition(".")[0]) in {"httpx", "httpx2"}:
            return sys.modules[root]
    raise WrongType(f"http_client must be a client of httpx or httpx2, not {client!r}")


def _failures(library: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401 - httpx or httpx2
    """Return what sending may raise for what a server does.

    A client of the caller's own also follows up where a redirect leads, as far as working out
    the address, and raises when that is malformed.
    """
    return library.RequestError, library.InvalidURL, UnicodeError


def _fault(error: Exception, library: Any, send: Send) -> NotSent | NoReply:  # noqa: ANN401
    what = send.request.key.redact(_reason(error))[:_LONGEST_REASON]
    if isinstance(error, tuple(getattr(library, name) for name in _NEVER_SENT)):
        return NotSent(f"could not connect ({what})")
    if isinstance(error, library.TimeoutException):
        return NoReply(f"no complete reply within {send.timeout:g} seconds ({what})")
    return NoReply(f"the connection broke before the reply was complete ({what})")


def _reason(error: BaseException) -> str:
    """Return what the error says, or what caused it when it says nothing."""
    kind = type(error).__name__
    while not str(error) and (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return f"{kind}: {error}".removesuffix(": ")


def log_exchange(job: Job, send: Send, answer: Reply, seconds: float) -> None:
    """Log one request and what came of it."""
    log.emit(
        logging.DEBUG,
        f"{send.call}.sent",
        provider=job.provider,
        job_id=job.job_id,
        attempt=send.attempt,
        method=send.request.method,
        url=send.request.url,
        status_code=answer.status_code if isinstance(answer, Response) else None,
        fault=None if isinstance(answer, Response) else answer.reason,
        seconds=round(seconds, 4),
    )


@define
class _Body:
    """Collects a reply's body, decompressed, up to the largest size that is read.

    Decompressing is done here, in bounded steps: httpx would turn 64 KiB of a gzip bomb into
    64 MiB before anyone could look at its size.
    """

    request: Request
    chunks: list[bytes] = field(init=False, factory=list)
    size: int = field(init=False, default=0)
    problem: str = field(init=False, default="")
    inflate: Any = field(init=False, default=None)

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take note of how the body is encoded."""
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding in {"gzip", "x-gzip", "deflate"}:
            self.inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out which
        elif encoding not in {"", "identity"}:
            self.problem = f"a body in the encoding {encoding[:50]!r}, which was not asked for"

    def feed(self, chunk: bytes) -> bool:
        """Take the next part as it came; False when the rest need not be read."""
        if not self.problem:
            self.keep(chunk if self.inflate is None else self._inflated(chunk))
        return not self.problem

    def keep(self, part: bytes) -> None:
        """Keep a part of the decompressed body."""
        self.chunks.append(part)
        self.size += len(part)
        if self.size > _LARGEST_BODY:
            self.problem = f"a body of more than {_LARGEST_BODY >> 20} MiB"
            self.chunks.clear()

    def _inflated(self, chunk: bytes) -> bytes:
        try:
            part = cast("bytes", self.inflate.decompress(chunk, _LARGEST_BODY - self.size + 1))
        except zlib.error as error:
            self.problem = f"a compressed body that is broken ({error})"
            return b""
        if self.inflate.unused_data:
            self.problem = "a compressed body with something else after its end"
        return part

    def response(self, status_code: int, headers: Mapping[str, str]) -> Response:
        """Return the whole reply, with the key redacted wherever the vendor quoted it."""
        key = self.request.key
        if self.inflate is not None and not self.inflate.eof and not self.problem:
            self.problem = "a compressed body that is cut short"
        content = None if self.problem else key.redact_bytes(b"".join(self.chunks))
        return Response(
            status_code=status_code,
            headers={name: key.redact(value) for name, value in headers.items()},
            content=content,
            problem=self.problem,
            body=cast("Mapping[str, Any] | None", key.redact_all(parse(content))),
        )
