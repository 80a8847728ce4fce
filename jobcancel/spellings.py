r"""Finds a text in data, in any encoding in which it may be quoted.

The text may be unescaped; escaped in JSON (`\u0073`, `\/`), in a URL (`%73`) or in HTML
(`&#115;`), also repeatedly; or encoded as a whole in base64 or hex. Every step takes linear time,
whatever the data.
"""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from bisect import bisect_left, bisect_right
from html.entities import html5
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Shorter values are not searched in base64 and hex: the encoded form would occur by chance.
_SHORTEST_ENCODED = 8
# A shorter part of a key reveals nothing.
_SHORTEST_PART = 4
_MARKS = (b"\\", b"%", b"&")
_HEX = rb"[0-9A-Fa-f]"
# A run of backslashes is matched as a whole (possessively), so that it is scanned only once.
_ESCAPE = re.compile(
    rb"\\++(?:u([Dd][89ABab]" + _HEX + rb"{2})\\++u([Dd][C-Fc-f]" + _HEX + rb"{2})"
    rb"|u(" + _HEX + rb"{4})|x(" + _HEX + rb"{2})|([\"/bfnrt]))?"
    rb"|%(?:25){0,8}(" + _HEX + rb"{2})"
    rb"|&(?:amp;)*+(?:\#([0-9]{1,7});?|\#[Xx](" + _HEX + rb"{1,6});?|([A-Za-z][A-Za-z0-9]{1,31};))"
    rb"|&(?:amp;)++"
)
# The control characters that JSON escapes with a letter (RFC 8259, section 7).
_JSON_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encoded(text: str) -> bytes:
    """Return any text as bytes, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """Return the text of bytes from `encoded`."""
    return data.decode("utf-8", "surrogatepass")


class Spellings:
    r"""Finds some texts in all their encodings.

    Args:
        texts: the texts to find, unescaped.

    Example:
        >>> found = Spellings(["a/b?secret"])
        >>> found.replace(rb'{"said": "a\/b?\u0073ecret"}, /a%2Fb%3Fsecret', b"<it>")
        (b'{"said": "<it>"}, /<it>', 2)
    """

    def __init__(self, texts: Iterable[str]) -> None:
        wanted: set[bytes] = set()
        for value in map(encoded, texts):
            wanted.add(value)
            if len(value) >= _SHORTEST_ENCODED:
                wanted.update(_encodings(value))
        # If one text contains another, find the longer one.
        self._wanted = sorted(wanted, key=len, reverse=True)

    def replace(self, data: bytes, by: bytes) -> tuple[bytes, int]:
        """Return the data with every occurrence replaced, and the number of occurrences."""
        times = 0
        if any(mark in data for mark in _MARKS):
            data, times = self._replace_escaped(data, by)
        for text in self._wanted:
            if text in data:
                times += data.count(text)
                data = data.replace(text, by)
        return data, times

    def without_tail(self, data: bytes) -> bytes:
        """Return truncated data without the part of an occurrence at its end."""
        most = min(len(data), max(map(len, self._wanted), default=0))
        for length in range(most, _SHORTEST_PART - 1, -1):
            if any(text.startswith(data[-length:]) for text in self._wanted):
                return data[:-length]
        return data

    def _replace_escaped(self, data: bytes, by: bytes) -> tuple[bytes, int]:
        # JSON escapes control characters with a letter; elsewhere the letter belongs to the text.
        letters = any(
            control in text for text in self._wanted for control in _JSON_LETTERS.values()
        )
        plain = _Plain.of(data, letters=letters)
        spans: list[tuple[int, int]] = []
        for text in self._wanted:
            bare = _Plain.of(text, letters=letters).data
            spans += (plain.span(at, bare, text) for at in _positions(plain.data, bare))
        pieces, end, times = [], 0, 0
        for start, stop in sorted(spans):
            if start >= end:
                pieces += [data[end:start], by]
                times += 1
            end = max(end, stop)
        return b"".join([*pieces, data[end:]]), times


@frozen
class _Plain:
    """Unescaped data, and the positions of the escapes in the original data.

    Args:
        data: the unescaped data.
        ends: where the meaning of each escape ends in the unescaped data.
        starts: where it starts there.
        escapes: where each escape starts and ends in the original data.
    """

    data: bytes
    ends: list[int]
    starts: list[int]
    escapes: list[tuple[int, int]]

    @classmethod
    def of(cls, data: bytes, *, letters: bool) -> _Plain:
        pieces: list[bytes] = []
        starts: list[int] = []
        ends: list[int] = []
        escapes: list[tuple[int, int]] = []
        size = end = 0
        for match in _ESCAPE.finditer(data):
            start, stop = match.span()
            meaning = _meaning(match)
            if not letters and match[5] in _JSON_LETTERS:
                stop, meaning = stop - 1, b""
            pieces += [data[end:start], meaning]
            starts.append(size + start - end)
            size = starts[-1] + len(meaning)
            ends.append(size)
            escapes.append((start, stop))
            end = stop
        return cls(b"".join([*pieces, data[end:]]), ends, starts, escapes)

    def span(self, at: int, bare: bytes, text: bytes) -> tuple[int, int]:
        """Return where a text starts and ends in the original data.

        Args:
            at: its position in the unescaped data.
            bare: the unescaped text.
            text: the text with backslashes at its ends, which unescaped data does not contain.
        """
        start, stop = self._position(at), self._position(at + len(bare) - 1, last=True)
        first = bisect_left(self.starts, at)
        if text.startswith(b"\\") and self.starts[first : first + 1] == [at]:
            start = self.escapes[first][0]
        after = bisect_right(self.ends, at + len(bare)) - 1
        if text.endswith(b"\\") and self.starts[after : after + 1] == [at + len(bare)]:
            stop = self.escapes[after][1]
        return start, stop

    def _position(self, at: int, *, last: bool = False) -> int:
        number = bisect_right(self.starts, at) - 1
        if number < 0:
            return at + last
        if at < self.ends[number]:
            return self.escapes[number][last]
        return self.escapes[number][1] + at - self.ends[number] + last


def _meaning(match: re.Match[bytes]) -> bytes:
    """Return the meaning of an escape, without backslashes, which multiply in nested JSON."""
    kind = match.lastindex
    return (match[0][:1] if kind is None else _MEANINGS[kind](match)).replace(b"\\", b"")


def _octet(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[match.lastindex or 0].decode())


def _pair(match: re.Match[bytes]) -> bytes:
    return encoded(bytes.fromhex((match[1] + match[2]).decode()).decode("utf-16-be"))


def _character(match: re.Match[bytes], code: int) -> bytes:
    return encoded(chr(code)) if code <= sys.maxunicode else match[0]


def _entity(match: re.Match[bytes]) -> bytes:
    name = match[9].decode()
    return encoded(html5[name]) if name in html5 else match[0]


# By the number of the last group of `_ESCAPE` that matched.
_MEANINGS: Mapping[int, Callable[[re.Match[bytes]], bytes]] = {
    2: _pair,
    3: lambda match: _character(match, int(match[3], 16)),
    4: _octet,
    5: lambda match: _JSON_LETTERS.get(match[5], match[5]),
    6: _octet,
    7: lambda match: _character(match, int(match[7])),
    8: lambda match: _character(match, int(match[8], 16)),
    9: _entity,
}


def _encodings(value: bytes) -> Iterator[bytes]:
    """Yield a value in hex, and in base64 at any offset within the encoded data."""
    yield value.hex().encode()
    yield value.hex().upper().encode()
    whole = b64encode(value)
    for text in (whole, whole.rstrip(b"="), *(_core(value, before) for before in range(3))):
        yield text
        yield text.translate(_URL_SAFE)


def _core(value: bytes, before: int) -> bytes:
    """Return the part of the base64 that depends only on the value.

    A base64 character is six bits and a byte is eight, so the neighbors affect the edges.
    """
    text = b64encode(bytes(before) + value)
    return text[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]


def _positions(data: bytes, text: bytes) -> Iterator[int]:
    at = data.find(text) if text else -1
    while at >= 0:
        yield at
        at = data.find(text, at + len(text))
