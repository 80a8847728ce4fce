"""A string that shows itself only when asked to, so that keys stay out of reprs and logs."""

from __future__ import annotations

from attrs import field, frozen

# Shorter strings occur in any text by chance; replacing them would garble what a vendor says.
_SHORTEST_REDACTED = 8
REDACTED = "[redacted]"


@frozen(repr=False)
class Secret:
    """An API key. `repr()` and `str()` hide it; `reveal()` is called where it is sent, only."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the key itself."""
        return self._value

    def redact(self, text: bytes) -> bytes:
        """Return `text` with every occurrence of the key replaced.

        Vendors quote a wrong key in their error messages; what they say ends up in results.
        """
        if len(self._value) < _SHORTEST_REDACTED:
            return text
        return text.replace(self._value.encode(), REDACTED.encode())

    def __repr__(self) -> str:
        return "Secret('***')"
