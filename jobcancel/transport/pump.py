"""Runs a flow over a sync or an async HTTP client.

It performs each `Send` as one HTTP exchange and reports the reply or the fault to the flow. It
decides nothing. It works with any client that has httpx's interface, including httpx2's.
"""

from __future__ import annotations

import sys
import time
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from jobcancel import log
from jobcancel._version import __version__
from jobcancel.flow.driver import adrive, drive
from jobcancel.flow.events import NoReply, NotSent, Reply
from jobcancel.transport.clients import errors_of
from jobcancel.transport.pool import ClientPool
from jobcancel.transport.reply import Received

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.flow.events import Flow, Pause, Send, T
    from jobcancel.models import Job
    from jobcancel.retry import Clock
    from jobcancel.transport.clients import AsyncHttpClient, Errors, HttpClient

_LONGEST_REASON = 300
_FIRST_FINAL = 200
# Options for `send` of any client: add nothing to the request, and do not read the body.
_SEND_OPTIONS = {"stream": True, "auth": None, "follow_redirects": False}
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip",
    "user-agent": f"jobcancel/{__version__}",
}


def run(flow: Flow[T], client: HttpClient, clock: Clock, job: Job) -> T:
    """Run `flow` over a sync client to its result.

    Args:
        flow: the decisions, such as `flow.cancel(call)`.
        client: an httpx or httpx2 client.
        clock: waits.
        job: the job, for the log.
    """

    def send(step: Send) -> Reply:
        began = clock.monotonic()
        answer = _exchange(client, step)
        log.exchanged(job, step, answer, clock.monotonic() - began)
        return answer

    def wait(step: Pause) -> None:
        log.waiting(job, step)
        clock.sleep(step.seconds)

    return drive(flow, send, wait)


async def arun(flow: Flow[T], client: AsyncHttpClient | ClientPool, clock: Clock, job: Job) -> T:
    """Run `flow` over an async client to its result; arguments as for `run`."""

    async def send(step: Send) -> Reply:
        began = clock.monotonic()
        answer = await aexchange(client, step)
        log.exchanged(job, step, answer, clock.monotonic() - began)
        return answer

    async def wait(step: Pause) -> None:
        log.waiting(job, step)
        await clock.async_sleep(step.seconds)

    return await adrive(flow, send, wait)


def _exchange(client: HttpClient, send: Send) -> Reply:
    errors = errors_of(client)
    received, handled = Received(send.request), sys.exception()
    try:
        # The request contains the key, so no local variable may refer to it.
        reply = client.send(_build(client, send, send.timeout), **_SEND_OPTIONS)
        try:
            received.begin(reply)
            if not reply.is_stream_consumed:
                for chunk in reply.iter_raw():
                    if not received.feed(chunk):
                        break
        finally:
            reply.close()
    except errors.failures as error:
        return _fault(error, errors, send)
    except BaseException as error:
        _clear_locals(error, handled)
        raise
    return _final(received)


async def aexchange(client: AsyncHttpClient | ClientPool, send: Send) -> Reply:
    """Send one request; return the reply, or the fault."""
    if not isinstance(client, ClientPool):
        return await _exchange_within(client, send, send.timeout)
    began = time.monotonic()
    leased = await client.acquire(send.timeout)
    if leased is None:
        return NotSent(f"no connection was free within {send.timeout:g} seconds")
    try:
        left = send.timeout - (time.monotonic() - began)
        return await _exchange_within(leased, send, left)
    finally:
        client.release()


async def _exchange_within(client: AsyncHttpClient, send: Send, seconds: float) -> Reply:
    """Send one request; return the reply, or a fault if it takes longer than `seconds`."""
    received = Received(send.request)
    if errors_of(client).keeps_time:
        return await _receive(client, send, seconds, received)
    import anyio  # comes with httpx; works under asyncio and trio

    with anyio.move_on_after(seconds) as scope:
        return await _receive(client, send, seconds, received, scope.cancel)
    if received.problem:
        return received.response()
    return NoReply(f"no complete reply within {send.timeout:g} seconds")


async def _receive(
    client: AsyncHttpClient,
    send: Send,
    seconds: float,
    received: Received,
    abort: Callable[[], None] | None = None,
) -> Reply:
    """Send a request and collect the reply in `received`; return the reply, or the fault.

    Args:
        client: the HTTP client.
        send: the request.
        seconds: the client's own timeout, in seconds.
        received: collects the reply.
        abort: ends the exchange if the rest of the body is not needed.
    """
    errors, handled = errors_of(client), sys.exception()
    try:
        reply = await client.send(_build(client, send, seconds), **_SEND_OPTIONS)
        try:
            received.begin(reply)
            if not reply.is_stream_consumed:
                async for chunk in reply.aiter_raw():
                    if not received.feed(chunk):
                        if abort is None:
                            break
                        # Do not break: httpx's async generators close their connection properly
                        # only when they are cancelled.
                        abort()
        finally:
            await reply.aclose()
    except errors.failures as error:
        return _fault(error, errors, send)
    except BaseException as error:
        _clear_locals(error, handled)
        raise
    return _final(received)


def _final(received: Received) -> Reply:
    """Return the received reply, or a fault if its status is informational (1xx)."""
    if received.status_code < _FIRST_FINAL:
        return NoReply(f"HTTP {received.status_code}, which is not a final reply")
    return received.response()


def _clear_locals(error: BaseException, handled: BaseException | None) -> None:
    """Clear the local variables in an error's traceback.

    They contain the request with the key, and error reporters show local variables. The traceback
    keeps its lines.

    Args:
        error: the error that is raised.
        handled: the error that the caller was already handling, which is not changed.
    """
    errors: list[BaseException | None] = [error]
    done: set[BaseException | None] = {None, handled}
    while errors:
        if (each := errors.pop()) is not None and each not in done:
            done.add(each)
            clear_frames(each.__traceback__)
            errors += [each.__cause__, each.__context__]
            errors += each.exceptions if isinstance(each, BaseExceptionGroup) else ()


def _build(client: HttpClient | AsyncHttpClient, send: Send, seconds: float) -> Any:  # noqa: ANN401 - httpx's or httpx2's
    request = send.request
    options = {"owner": request.key} if errors_of(client).separates_keys else {}
    name, spell = request.credential.header, request.credential.spell
    # Reveal the key only within this expression, so that no traceback's locals contain it.
    return client.build_request(
        request.method,
        request.url,
        content=request.content,
        headers={
            **_HEADERS,
            **request.headers,
            name: spell(request.key.reveal()),
        },
        timeout=seconds,
        **options,
    )


def _fault(error: Exception, errors: Errors, send: Send) -> NotSent | NoReply:
    what = send.request.key.redact(_reason(error))[:_LONGEST_REASON]
    if isinstance(error, errors.never_sent):
        return NotSent(f"could not connect ({what})")
    if isinstance(error, errors.timeouts):
        return NoReply(f"no complete reply within {send.timeout:g} seconds ({what})")
    return NoReply(f"the connection broke before the reply was complete ({what})")


def _reason(error: BaseException) -> str:
    """Return the type and message of an error; if it has no message, that of its cause."""
    kind = type(error).__name__
    while not str(error) and (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return f"{kind}: {error}".removesuffix(": ")
