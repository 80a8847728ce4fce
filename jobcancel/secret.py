"""A string that shows itself only when asked to, so that keys stay out of reprs and logs."""

from __future__ import annotations

from typing import NoReturn

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
        if self._spelled:
            text = text.replace(self._spelled, REDACTED)
        return text.replace(self._value, REDACTED) if self._is_long else text

    def redact_bytes(self, data: bytes) -> bytes:
        """Return `data` with every occurrence of the key replaced."""
        if self._spelled:
            data = data.replace(self._spelled.encode(), REDACTED.encode())
        return data.replace(self._value.encode(), REDACTED.encode()) if self._is_long else data

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

    @property
    def _is_long(self) -> bool:
        return len(self._value) >= _SHORTEST_REDACTED

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is not pickled: hand it over in the environment")

    def __repr__(self) -> str:
        return "Secret('***')"
