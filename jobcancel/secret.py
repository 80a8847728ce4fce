"""`Secret` keeps an API key out of reprs, logs and tracebacks, and redacts it in texts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

from jobcancel.spellings import Spellings, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

# Characters. Shorter strings occur in any text by chance; redacting them would garble messages.
_SHORTEST_REDACTED = 8
REDACTED = "[redacted]"


class Source(Protocol):
    """A source of keys, such as `keys.KeySource`."""

    def ask(self) -> Secret:
        """Return the key."""
        ...

    async def aask(self) -> Secret:
        """Return the key from a sync or async source."""
        ...


class Secret:
    """An API key. `repr()` and `str()` hide it; only the code that sends it calls `reveal()`.

    The key is in a closure and not in an attribute, so code that inspects the attributes of
    objects, such as `attrs.asdict`, `vars` or a serializer, does not find it.

    Args:
        value: the key.
        problem: why the key is invalid. The error is raised later, so that its traceback does not
            contain the caller's value.
        spelled: the encoded form in which the key is sent, if it differs.
        source: the source of the key, until it was called.
    """

    __slots__ = ("__spellings", "__value", "problem", "source")

    def __init__(
        self,
        value: str,
        problem: str | None = None,
        *,
        spelled: str = "",
        source: Source | None = None,
    ) -> None:
        self.problem = problem
        self.source = source
        self.__value: Callable[[], str] = lambda: value
        self.__spellings: Callable[[], Spellings] = lambda: _spellings(value, spelled)

    def spelled(self, text: str) -> Secret:
        """Return the same key as a secret that also redacts this encoded form."""
        return Secret(self.__value(), self.problem, spelled=text)

    def reveal(self) -> str:
        """Return the key itself."""
        return self.__value()

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key replaced, in any encoding.

        Vendors quote a wrong key in their error messages, and results contain these messages.
        """
        redacted, times = self.__spellings().replace(encoded(text), REDACTED.encode())
        return decoded(redacted) if times else text

    def redact_cut(self, text: str) -> str:
        """Like `redact`, for a text that may have been truncated within the key."""
        redacted = encoded(self.redact(text))
        return self.__spellings().without_tail(redacted).decode("utf-8", "replace")

    def redact_bytes(self, data: bytes) -> bytes:
        """Return `data` with every occurrence of the key replaced."""
        return self.__spellings().replace(data, REDACTED.encode())[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        own, others = ((it.reveal(), it.problem, it.source) for it in (self, other))
        return own == others

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled; pass it in the environment")

    def __repr__(self) -> str:
        return "Secret('***')"


@lru_cache(maxsize=32)  # each call wraps the key of the environment again
def _spellings(value: str, spelled: str) -> Spellings:
    """Return the texts to redact: the key, its encoded form, and each half of `user:password`."""
    texts = {value, spelled, *value.split(":", 1)}
    return Spellings(text for text in texts if len(text) >= _SHORTEST_REDACTED)
