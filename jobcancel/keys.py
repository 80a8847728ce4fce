"""API keys from callables: one call at a time for each callable.

`config` replaces a callable with a `KeySource`. A client calls it after all other arguments were
validated.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from jobcancel.errors import WrongType
from jobcancel.secret import Secret

if TYPE_CHECKING:
    import anyio
    from anyio.lowlevel import RunVar

ApiKey: TypeAlias = str | Callable[[], str]
"""A key, or a callable that returns one."""
AsyncApiKey: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A key, or a sync or async callable that returns one."""


class KeySource:
    """A callable that returns a key. All calls with the same callable share one source.

    Args:
        ask: the callable, sync or async.
    """

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        # Reentrant: a signal handler may interrupt the callable and call it again.
        self._lock = threading.RLock()

    def ask(self) -> Secret:
        """Return the key as a secret.

        Raises:
            WrongType: the callable is async, or does not return a string.
        """
        with self._lock:
            answer = self._ask()
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise WrongType(
                "the callable for an API key is async; use an async call, such as acancel or "
                "AsyncCanceller.cancel"
            )
        return _as_secret(answer)

    async def aask(self) -> Secret:
        """Return the key as a secret, like `ask`; the callable may be async."""
        async with self._loop_lock():
            with self._lock:
                answer = self._ask()
            return _as_secret(await answer if inspect.isawaitable(answer) else answer)

    def _loop_lock(self) -> anyio.Lock:
        """Return the lock for the running event loop."""
        import anyio  # comes with httpx

        try:
            locks = _locks().get()
        except LookupError:
            locks = WeakKeyDictionary()
            _locks().set(locks)
        return locks.setdefault(self, anyio.Lock())


@cache
def _locks() -> RunVar[WeakKeyDictionary[KeySource, anyio.Lock]]:
    from anyio.lowlevel import RunVar

    return RunVar("jobcancel-keys")


def source_of(ask: Callable[[], Any]) -> KeySource:
    """Return the source for a callable: the same one for the same callable."""
    # Each lookup of a bound method creates a new object, so compare its parts. No other object can
    # have these ids while the source lives, because it keeps the callable alive.
    identity = (id(getattr(ask, "__self__", ask)), id(getattr(ask, "__func__", ask)))
    return _sources.setdefault(identity, KeySource(ask))


def _as_secret(answer: object) -> Secret:
    """Return a callable's result as a secret; `config.checked_key` validates it."""
    if isinstance(answer, str):
        return Secret(answer.strip())
    kind = type(answer).__name__
    return Secret("", f"the callable for an API key must return a string, not {kind}")


_sources: WeakValueDictionary[tuple[int, int], KeySource] = WeakValueDictionary()
