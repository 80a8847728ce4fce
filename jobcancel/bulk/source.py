"""Reads the items for `cancel_many` from sync and async iterables."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TypeAlias

from attrs import define

from jobcancel.models import Job

Item: TypeAlias = Job | tuple[str, str]

# Items that are read ahead from a sync iterable.
_READ_AHEAD = 1000
# Number of items of a sync iterable after which other tasks may run.
_TURN = 64


@define
class Count:
    """The numbers of items that were read and of results for them."""

    read: int = 0
    answered: int = 0


async def iterate(
    items: Iterable[Item] | AsyncIterable[Item], count: Count
) -> AsyncGenerator[Item]:
    """Yield the items of a sync or async iterable; let other tasks run in between."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            count.read += 1
            yield item
    else:
        for number, item in enumerate(items):
            count.read += 1
            yield item
            if number % _TURN == 0:
                await asyncio.sleep(0)


class ReadInThread:
    """Reads ahead from a sync iterable, which may block, in a separate thread."""

    def __init__(self, items: Iterable[Item], count: Count) -> None:
        self._items = items
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._read: deque[Item] = deque()
        self._room = threading.Semaphore(_READ_AHEAD)
        self._news = asyncio.Event()
        self._ended = self._stopped = False
        self._error: BaseException | None = None

    async def __aiter__(self) -> AsyncGenerator[Item]:
        threading.Thread(target=self._run, name="jobcancel-reader", daemon=True).start()
        try:
            while not (self._ended and not self._read):
                await self._news.wait()
                self._news.clear()
                while self._read:
                    yield self._read.popleft()
                    self._room.release()
        finally:
            self._stopped = True
            self._room.release()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                if self._stopped:
                    return
                self._count.read += 1
                self._read.append(item)
                self._notify()
        except BaseException as error:  # noqa: BLE001 - raised by the consumer
            self._error = error
        finally:
            self._ended = True
            self._notify()

    def _notify(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._news.set)
