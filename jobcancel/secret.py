"""A string that shows itself only when asked to, so that keys stay out of reprs and logs."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import quote

from attrs import field, frozen

# Shorter strings occur in any text by chance; replacing them would garble what a vendor says.
_SHORTEST_REDACTED = 8
REDACTED = "[redacted]"


@frozen(repr=False)
class Secret:
    """An API key. `repr()` and `str()` hide it; `reveal()` is called where it is sent, only.

    Args:
        value: the key.
        problem: why it cannot be one. What is wrong is said later, in an error whose traceback
            does not hold what was given.
    """

    _value: str = field(repr=False)
    problem: str | None = None
    _spelled: str = field(default="", repr=False, kw_only=True)
    _told: tuple[str, ...] = field(init=False, repr=False, eq=False)
    """What of it must not be told: it, other spellings of it, each half of a pair."""

    @_told.default
    def _find_told(self) -> tuple[str, ...]:
        halves = self._value.split(":", 1)
        texts = {self._value, self._spelled, quote(self._value, safe="", errors="replace"), *halves}
        return tuple(
            sorted((text for text in texts if len(text) >= _SHORTEST_REDACTED), key=len)[::-1]
        )

    def spelled(self, text: str) -> Secret:
        """Return the same key, redacted as well where it is quoted in this other spelling."""
        return Secret(self._value, self.problem, spelled=text)

    def reveal(self) -> str:
        """Return the key itself."""
        return self._value

    def redact(self, text: str) -> str:
        """Return `text` with every occurrence of the key replaced.

        Vendors quote a wrong key in their error messages; what they say ends up in results.
        """
        for told in self._told:
            text = text.replace(told, REDACTED)
        return text

    def redact_bytes(self, data: bytes) -> bytes:
        """Return `data` with every occurrence of the key replaced."""
        for told in self._told:
            data = data.replace(told.encode(), REDACTED.encode())
        return data

    def redact_all(self, value: object) -> object:
        """Return a JSON value with the key replaced in every text of it.

        The bytes of a body do not always show the key: JSON can escape any character.
        """
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self.redact_all(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(name): self.redact_all(item) for name, item in value.items()}
        return value

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is not pickled: hand it over in the environment")

    def __repr__(self) -> str:
        return "Secret('***')"
