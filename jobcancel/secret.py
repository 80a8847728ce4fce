"""A string that shows itself only when asked to, so that keys stay out of reprs and logs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

from jobcancel.spellings import Spellings, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

# Shorter strings occur in any text by chance; replacing them would garble what a vendor says.
_SHORTEST_REDACTED = 8
REDACTED = "[redacted]"


class Source(Protocol):
    """Who can be asked for a key; `asked` has the one there is."""

    def ask(self) -> Secret:
        """Return the key."""
        ...

    async def aask(self) -> Secret:
        """Return the key, whether or not it must be awaited."""
        ...


class Secret:
    """An API key. `repr()` and `str()` hide it; `reveal()` is called where it is sent, only.

    It keeps the key in a closure and not in an attribute: whatever walks over the attributes of
    objects, such as `attrs.asdict`, `vars` or a serializer, finds nothing.

    Args:
        value: the key.
        problem: why it cannot be one. What is wrong is said later, in an error whose traceback
            does not hold what was given.
        spelled: how else it is written where it is sent.
        source: whom to ask for it, while nobody has.
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
        """Return the same key, redacted as well where it is quoted in this other spelling."""
        return Secret(self.__value(), self.problem, spelled=text)

    def reveal(self) -> str:
        """Return the key itself."""
        return self.__value()

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key replaced, however it is spelled.

        Vendors quote a wrong key in their error messages; what they say ends up in results.
        """
        redacted, times = self.__spellings().replace(encoded(text), REDACTED.encode())
        return decoded(redacted) if times else text

    def redact_cut(self, text: str) -> str:
        """Return a text that may have been cut within the key, redacted as by `redact`."""
        whole = encoded(self.redact(text))
        return self.__spellings().without_tail(whole).decode("utf-8", "replace")

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
        raise TypeError("an API key is not pickled: hand it over in the environment")

    def __repr__(self) -> str:
        return "Secret('***')"


@lru_cache(maxsize=32)  # the key of the environment is hidden anew for each call
def _spellings(value: str, spelled: str) -> Spellings:
    """Return what must not be told of a key: it, its other spelling, each half of a pair."""
    texts = {value, spelled, *value.split(":", 1)}
    return Spellings(text for text in texts if len(text) >= _SHORTEST_REDACTED)
