"""API keys that are asked for: callables in a key's place, one question at a time.

`config` puts a `KeySource` where a caller gave a callable, and `prepare` asks it when all else
about the call is known to be right.
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
"""A key, or what returns one."""
AsyncApiKey: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A key, or what returns one, at once or when it is awaited."""


class KeySource:
    """A callable that returns a key. All calls that have the same one share its source.

    Args:
        ask: the callable, sync or async.
    """

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        # Taken again by the thread that has it: a signal handler may interrupt the question.
        self._asking = threading.RLock()

    def ask(self) -> Secret:
        """Return the key, hidden.

        Raises:
            WrongType: the callable is async, or its answer is no string.
        """
        with self._asking:
            answer = self._ask()
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise WrongType(
                "the callable that was given as an API key is async, which takes an async call "
                "such as acancel or AsyncCanceller.cancel"
            )
        return hidden_answer(answer)

    async def aask(self) -> Secret:
        """Return the key, hidden; as `ask`, and the callable may be async."""
        async with self._asking_here():
            with self._asking:
                answer = self._ask()
            return hidden_answer(await answer if inspect.isawaitable(answer) else answer)

    def _asking_here(self) -> anyio.Lock:
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
    # A bound method is another object each time it is looked up. Nothing else can have these ids
    # while the source lives, which keeps the callable.
    identity = (id(getattr(ask, "__self__", ask)), id(getattr(ask, "__func__", ask)))
    return _sources.setdefault(identity, KeySource(ask))


def hidden_answer(answer: object) -> Secret:
    """Return what a callable returned as a key; what is wrong is said when it is looked at."""
    if isinstance(answer, str):
        return Secret(answer.strip())
    what = type(answer).__name__
    return Secret("", f"the callable for an API key must return a string, not {what}")


_sources: WeakValueDictionary[tuple[int, int], KeySource] = WeakValueDictionary()
