r"""Finds a text however it is spelled where somebody quotes it.

It may be as it is, escaped in JSON (`\u0073`, `\/`), in a URL (`%73`) or in HTML (`&#115;`), each
of them once or several times, or all of it may be in base64 or hex. Every step takes time in
proportion to the data, whatever is in it.
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

# Shorter values have no base64 and hex of their own: these would occur in any text.
_SHORTEST_ENCODED = 8
# Fewer characters of a key tell nothing.
_SHORTEST_PART = 4
_MARKS = (b"\\", b"%", b"&")
_HEX = rb"[0-9A-Fa-f]"
# A run of backslashes is taken as a whole, possessively, so that it is looked at once.
_ESCAPE = re.compile(
    rb"\\++(?:u([Dd][89ABab]" + _HEX + rb"{2})\\++u([Dd][C-Fc-f]" + _HEX + rb"{2})"
    rb"|u(" + _HEX + rb"{4})|x(" + _HEX + rb"{2})|([\"/bfnrt]))?"
    rb"|%(?:25){0,8}(" + _HEX + rb"{2})"
    rb"|&(?:amp;)*+(?:\#([0-9]{1,7});?|\#[Xx](" + _HEX + rb"{1,6});?|([A-Za-z][A-Za-z0-9]{1,31};))"
    rb"|&(?:amp;)++"
)
# What JSON writes with a letter (RFC 8259, section 7).
_JSON_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encoded(text: str) -> bytes:
    """Return any text as bytes, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """Return the text that `encoded` made the bytes of."""
    return data.decode("utf-8", "surrogatepass")


class Spellings:
    r"""Every spelling of some texts.

    Args:
        texts: what to find, each as it is.

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
        # Of two texts one of which holds the other, the longer is to be found.
        self._wanted = sorted(wanted, key=len, reverse=True)

    def replace(self, data: bytes, by: bytes) -> tuple[bytes, int]:
        """Return the data with every spelling replaced, and how many there were."""
        times = 0
        if any(mark in data for mark in _MARKS):
            data, times = self._replace_escaped(data, by)
        for text in self._wanted:
            if text in data:
                times += data.count(text)
                data = data.replace(text, by)
        return data, times

    def without_tail(self, data: bytes) -> bytes:
        """Return the data without a part of a spelling at its end, where it has been cut."""
        most = min(len(data), max(map(len, self._wanted), default=0))
        for length in range(most, _SHORTEST_PART - 1, -1):
            if any(text.startswith(data[-length:]) for text in self._wanted):
                return data[:-length]
        return data

    def _replace_escaped(self, data: bytes, by: bytes) -> tuple[bytes, int]:
        # JSON writes control characters with a letter; elsewhere the letter is the text's own.
        letters = any(sign in text for text in self._wanted for sign in _JSON_LETTERS.values())
        plain = _Plain.of(data, letters=letters)
        spans: list[tuple[int, int]] = []
        for text in self._wanted:
            bare = _Plain.of(text, letters=letters).data
            spans += (plain.span(at, bare, text) for at in _places(plain.data, bare))
        pieces, end, times = [], 0, 0
        for start, stop in sorted(spans):
            if start >= end:
                pieces += [data[end:start], by]
                times += 1
            end = max(end, stop)
        return b"".join([*pieces, data[end:]]), times


@frozen
class _Plain:
    """Data with all escapes undone, and where in the data each escape was.

    Args:
        data: without escapes.
        ends: where what each escape stands for ends in it.
        starts: where that begins.
        escapes: where the escapes themselves are.
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
        for found in _ESCAPE.finditer(data):
            start, stop = found.span()
            meant = _meant(found)
            if not letters and found[5] in _JSON_LETTERS:
                stop, meant = stop - 1, b""
            pieces += [data[end:start], meant]
            starts.append(size + start - end)
            size = starts[-1] + len(meant)
            ends.append(size)
            escapes.append((start, stop))
            end = stop
        return cls(b"".join([*pieces, data[end:]]), ends, starts, escapes)

    def span(self, at: int, bare: bytes, text: bytes) -> tuple[int, int]:
        """Return where a text is in the data with its escapes.

        Args:
            at: where it is in the plain data.
            bare: what it is there.
            text: what it is with the backslashes at its ends, which are in no plain data.
        """
        start, stop = self._place(at), self._place(at + len(bare) - 1, last=True)
        first = bisect_left(self.starts, at)
        if text.startswith(b"\\") and self.starts[first : first + 1] == [at]:
            start = self.escapes[first][0]
        after = bisect_right(self.ends, at + len(bare)) - 1
        if text.endswith(b"\\") and self.starts[after : after + 1] == [at + len(bare)]:
            stop = self.escapes[after][1]
        return start, stop

    def _place(self, at: int, *, last: bool = False) -> int:
        number = bisect_right(self.starts, at) - 1
        if number < 0:
            return at + last
        if at < self.ends[number]:
            return self.escapes[number][last]
        return self.escapes[number][1] + at - self.ends[number] + last


def _meant(found: re.Match[bytes]) -> bytes:
    """Return what an escape stands for; nothing for backslashes, which multiply in JSON in JSON."""
    kind = found.lastindex
    return (found[0][:1] if kind is None else _MEANINGS[kind](found)).replace(b"\\", b"")


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[found.lastindex or 0].decode())


def _pair(found: re.Match[bytes]) -> bytes:
    return encoded(bytes.fromhex((found[1] + found[2]).decode()).decode("utf-16-be"))


def _character(found: re.Match[bytes], code: int) -> bytes:
    return encoded(chr(code)) if code <= sys.maxunicode else found[0]


def _entity(found: re.Match[bytes]) -> bytes:
    name = found[9].decode()
    return encoded(html5[name]) if name in html5 else found[0]


# By the number of the last group of `_ESCAPE` that took part.
_MEANINGS: Mapping[int, Callable[[re.Match[bytes]], bytes]] = {
    2: _pair,
    3: lambda found: _character(found, int(found[3], 16)),
    4: _octet,
    5: lambda found: _JSON_LETTERS.get(found[5], found[5]),
    6: _octet,
    7: lambda found: _character(found, int(found[7])),
    8: lambda found: _character(found, int(found[8], 16)),
    9: _entity,
}


def _encodings(value: bytes) -> Iterator[bytes]:
    """Give a value in hex, and in base64 wherever it is in what was encoded."""
    yield value.hex().encode()
    yield value.hex().upper().encode()
    whole = b64encode(value)
    for text in (whole, whole.rstrip(b"="), *(_core(value, before) for before in range(3))):
        yield text
        yield text.translate(_URL_SAFE)


def _core(value: bytes, before: int) -> bytes:
    """Return what a value alone decides of its base64: six bits a character, of eight a byte."""
    text = b64encode(bytes(before) + value)
    return text[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]


def _places(data: bytes, text: bytes) -> Iterator[int]:
    at = data.find(text) if text else -1
    while at >= 0:
        yield at
        at = data.find(text, at + len(text))
