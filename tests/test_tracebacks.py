"""Calls ended from outside: no traceback shows the key, and no broken connection is reused."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx
import pytest

from jobcancel import AsyncCanceller, Canceller, Outcome
from jobcancel.secret import Secret
from tests.wire import Behavior, Wire, answer, drip, silence

if TYPE_CHECKING:
    from types import TracebackType

KEY = "sk-very-secret-key"
ACCEPT = answer(body=b'{"job_id": "1", "message": "Job cancelled successfully"}')
NOTHING_READ = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" ")


class SoftTimeLimit(Exception):
    """Raised by a task queue in the main thread when a task takes too long."""


def frames(error: BaseException) -> Iterator[Any]:
    """Return the frames of an error and of its causes and contexts."""
    errors, seen = [error], set()
    while errors:
        each = errors.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        traceback: TracebackType | None = each.__traceback__
        while traceback is not None:
            yield traceback.tb_frame
            traceback = traceback.tb_next
        errors += [under for under in (each.__cause__, each.__context__) if under is not None]
        errors += each.exceptions if isinstance(each, BaseExceptionGroup) else ()


def shows_key(value: object, depth: int = 6) -> bool:
    """Return whether an error reporter would find the key: in reprs, containers or fields."""
    if isinstance(value, Secret) or depth == 0:
        return False
    if KEY in repr(value):
        return True
    parts: list[object] = []
    if isinstance(value, Mapping):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif attrs.has(type(value)):
        fields: Any = attrs.fields(type(value))  # type: ignore[arg-type]  # it has some
        parts = [getattr(value, field.name, None) for field in fields]
    elif isinstance(value, httpx.Request):
        parts = [value.headers.raw]
    return any(shows_key(part, depth - 1) for part in parts)


def assert_hidden(error: BaseException) -> None:
    ours = 0
    for frame in frames(error):
        ours += "jobcancel" in frame.f_code.co_filename
        if frame.f_code.co_filename == __file__:
            continue  # this module's frames have the key
        shown = [name for name, value in frame.f_locals.items() if shows_key(value)]
        assert not shown, f"{frame.f_code.co_qualname} shows the key in {shown}"
    assert ours  # the traceback still has our frames


@pytest.fixture(params=["httpx", "aiohttp", "trio"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    by: str = request.param
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", by)
    return "trio" if by == "trio" else "asyncio"


@contextmanager
def stalled(behavior: Behavior, then: Callable[[], object]) -> Iterator[Wire]:
    """A server that calls `then` and applies `behavior` to the first request only."""

    def behave(connection: Any, request: bytes) -> None:
        then()
        behavior(connection, request)

    with Wire([behave, *[ACCEPT] * 9]) as wire:
        yield wire


def call(canceller: Any, wire: Wire) -> Any:
    return canceller.cancel("pulse", "1", base_url=wire.url, api_key=KEY)


@pytest.mark.parametrize("behavior", [silence, NOTHING_READ])
@pytest.mark.parametrize("client", [None, httpx.AsyncClient])
def test_a_cancelled_call_shows_no_key_and_reuses_no_connection(
    backend: str, behavior: Behavior, client: Callable[[], Any] | None
) -> None:
    async def run() -> tuple[BaseException, Outcome]:
        arrived = anyio.Event()
        token = anyio.lowlevel.current_token()

        def report_arrival() -> None:
            anyio.from_thread.run_sync(arrived.set, token=token)

        caught: list[BaseException] = []
        async with AsyncCanceller(http_client=client and client(), timeout=60) as canceller:
            with stalled(behavior, report_arrival) as wire:
                async with anyio.create_task_group() as group:

                    async def one() -> None:
                        try:
                            await call(canceller, wire)
                        except BaseException as error:
                            caught.append(error)
                            raise

                    group.start_soon(one)
                    await arrived.wait()
                    group.cancel_scope.cancel()
                outcome = (await call(canceller, wire)).outcome
                if client is not None:
                    await canceller.http().aclose()
        return caught[0], outcome

    error, outcome = anyio.run(run, backend=backend)
    assert_hidden(error)
    assert Outcome.CANCELLED is outcome


@pytest.mark.parametrize("by", ["httpx", "aiohttp"])
@pytest.mark.parametrize("how", ["task.cancel", "asyncio.timeout"])
def test_a_call_ended_by_asyncio_shows_no_key(
    by: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", by)

    async def run() -> tuple[BaseException, list[Outcome]]:
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncCanceller(timeout=60) as canceller:
            with stalled(silence, lambda: loop.call_soon_threadsafe(arrived.set)) as wire:
                task = asyncio.ensure_future(ended(how, call(canceller, wire), arrived))
                with pytest.raises((asyncio.CancelledError, TimeoutError)) as caught:
                    await task
                later = [(await call(canceller, wire)).outcome for _ in range(3)]
            return caught.value, later

    async def ended(how: str, calling: Any, arrived: asyncio.Event) -> None:
        if how == "asyncio.timeout":
            async with asyncio.timeout(None) as limit:

                async def end() -> None:
                    await arrived.wait()
                    limit.reschedule(0)

                ending = asyncio.ensure_future(end())
                await calling
                await ending
        else:
            task = asyncio.ensure_future(calling)
            await arrived.wait()
            task.cancel()
            await task

    error, later = asyncio.run(run())
    assert_hidden(error)
    assert [Outcome.CANCELLED] * 3 == later


@pytest.mark.parametrize("own", [None, httpx.Client])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SoftTimeLimit])
@pytest.mark.parametrize("behavior", [silence, NOTHING_READ])
def test_a_raising_signal_handler_shows_no_key(
    own: Callable[[], Any] | None, error: type[BaseException], behavior: Behavior
) -> None:
    def handle(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with (
            stalled(behavior, lambda: os.kill(os.getpid(), signal.SIGUSR1)) as wire,
            Canceller(http_client=own and own(), timeout=60) as canceller,
        ):
            with pytest.raises(error) as caught:
                call(canceller, wire)
            later = call(canceller, wire).outcome
            if own is not None:
                canceller.http().close()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert_hidden(caught.value)
    assert Outcome.CANCELLED is later


def test_an_error_being_handled_keeps_its_local_variables() -> None:
    def fail() -> None:
        mine = "what the application wants to see"
        raise LookupError(mine)

    def bug(_: object) -> httpx.Response:
        raise ZeroDivisionError

    with httpx.Client(transport=httpx.MockTransport(bug)) as own, Canceller(http_client=own) as c:
        try:
            fail()
        except LookupError as earlier:
            with pytest.raises(ZeroDivisionError) as caught:
                c.cancel("pulse", "1", api_key=KEY)
            before, context = earlier, caught.value.__context__
            local = [frame.f_locals for frame in frames(earlier)]
    assert context is before
    assert "what the application wants to see" in [each.get("mine") for each in local]


@pytest.mark.parametrize("by", ["httpx", "aiohttp", "trio"])
def test_a_task_may_be_cancelled_at_any_point_of_an_exchange(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each number of event loop iterations: connecting, sending, waiting, reading."""
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", by)

    async def run() -> set[Outcome]:
        outcomes = set()
        with Wire([ACCEPT] * 500) as wire:
            async with AsyncCanceller() as canceller:
                for turns in range(30):
                    async with anyio.create_task_group() as group:
                        group.start_soon(call, canceller, wire)
                        for _ in range(turns):
                            await anyio.lowlevel.checkpoint()
                        group.cancel_scope.cancel()
                    outcomes.add((await call(canceller, wire)).outcome)
        return outcomes

    assert {Outcome.CANCELLED} == anyio.run(run, backend="trio" if by == "trio" else "asyncio")


def test_threads_and_signals_share_one_client() -> None:
    """A handler may run between any two instructions, also during pool operations."""
    outcomes: list[Outcome] = []
    with (
        Wire([ACCEPT] * 5000) as wire,
        Canceller(base_urls={"pulse": wire.url}, api_keys={"pulse": KEY}) as canceller,
    ):

        def handle(*_: object) -> None:
            outcomes.append(canceller.cancel("pulse", "1").outcome)
            signal.setitimer(signal.ITIMER_REAL, 0.002)

        before = signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        others = [
            threading.Thread(target=lambda: [canceller.cancel("pulse", "1") for _ in range(50)])
            for _ in range(2)
        ]
        try:
            for each in others:
                each.start()
            outcomes += [canceller.cancel("pulse", "1").outcome for _ in range(100)]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            for each in others:
                each.join()
    assert {Outcome.CANCELLED} == set(outcomes)
