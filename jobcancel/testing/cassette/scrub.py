"""Takes out of a recording what must not be shown: keys, cookies, accounts, and what one names.

It works on one request or reply at a time, and counts what it replaced.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from attrs import define, field

from jobcancel.spellings import Spellings, decoded, encoded

Headers: TypeAlias = Mapping[str, list[str]]

KEY_PLACEHOLDER = "<api-key>"
SCRUBBED = "<scrubbed>"
_LARGEST_BODY = 16 * 2**20

# Headers that are kept; others may tell who asks, and what they are called is up to the vendor:
# `openai-organization`, `x-goog-user-project`, `set-cookie`, `cf-ray`, ... These are what a reply
# is read by, and what HTTP needs.
_KEPT = frozenset(
    {
        "accept", "accept-encoding", "allow", "content-encoding", "content-length", "content-type",
        "date", "retry-after", "retry-after-ms", "x-request-id", "x-should-retry",
    }
)  # fmt: skip
# How much is left, and when there is more: `x-ratelimit-reset-requests`.
_LIMITS = re.compile(r"(?:[a-z]+-)?ratelimit(?:-[a-z]+){0,4}")


@define
class Scrubber:
    """Replaces values by placeholders.

    Args:
        values: value -> what to write in its place.
        names: value -> what it is called when it is told how often it was replaced.
        kept: names of headers that are kept as well, in lower case.

    Attributes:
        counts: what was replaced -> how often.
    """

    values: Mapping[str, str] = field(repr=False)
    names: Mapping[str, str] = field(repr=False)
    kept: frozenset[str] = field(default=frozenset(), repr=False)
    counts: Counter[str] = field(init=False, factory=Counter)
    _spellings: list[tuple[Spellings, str]] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Of two values one of which holds the other, the longer is to be found.
        longest = sorted(self.values, key=len, reverse=True)
        self._spellings = [(Spellings([value]), value) for value in longest]

    def text(self, text: str) -> str:
        r"""Return a text without the values, however they are written in it.

        Example:
            >>> scrubber = Scrubber({"a/b": "<it>"}, {"a/b": "it"})
            >>> scrubber.text(r'{"said": "a\/b, \u0061/b"}, /a%2Fb')
            '{"said": "<it>, <it>"}, /<it>'
            >>> scrubber.counts["it"]
            3
        """
        return decoded(self.content(encoded(text)))

    def content(self, content: bytes) -> bytes:
        """Return a body without the values."""
        for spellings, value in self._spellings:
            content, times = spellings.replace(content, encoded(self.values[value]))
            if times:
                self.counts[self.names[value]] += times
        return content

    def headers(self, headers: Headers) -> dict[str, list[str]]:
        """Return the headers that are kept, without the values.

        Of a header that holds the key in a known way, such as `Bearer <api-key>`, that is left.
        """
        scrubbed = {}
        for name, given in headers.items():
            values = [self.text(value) for value in given]
            if self.keeps(name) or all(map(_is_placeholder, values)):
                scrubbed[name] = values
            else:
                self.counts[f"the header {name.lower()!r}"] += len(values)
        return scrubbed

    def keeps(self, header: str) -> bool:
        """Return whether a header is kept, by its name."""
        name = header.lower()
        return name in _KEPT or name in self.kept or _LIMITS.fullmatch(name) is not None

    def reply(self, headers: Headers, content: bytes) -> tuple[dict[str, list[str]], bytes]:
        """Return a reply's headers and its body, decompressed, without what tells who asks.

        A body that cannot be decompressed is left out: nobody can tell what is in it.
        """
        lower = {name.lower(): name for name in headers}
        kept = dict(headers)
        if (encoded := lower.get("content-encoding")) is not None:
            plain = _decompressed(", ".join(headers[encoded]), content)
            content = plain or b""
            if plain is None:
                self.counts["a body that cannot be decompressed"] += 1
            else:
                del kept[encoded]
        content = self.content(content)
        if (length := lower.get("content-length")) is not None:
            kept[length] = [str(len(content))]
        return self.headers(kept), content


def _is_placeholder(value: str) -> bool:
    scheme, _, rest = value.rpartition(" ")
    return rest == KEY_PLACEHOLDER and " " not in scheme


def _decompressed(encoding: str, content: bytes) -> bytes | None:
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return None
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = inflate.decompress(content, _LARGEST_BODY)
    except zlib.error:
        return None
    return plain if inflate.eof and not inflate.unused_data else None
