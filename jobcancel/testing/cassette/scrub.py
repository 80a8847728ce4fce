"""Removes private values from a recording: keys, cookies, accounts, and the user's values.

It processes one request or reply at a time, and counts its replacements.
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

# Headers that are kept: those that adapters read, and those that HTTP needs. Others may identify
# the customer, under names that vary by vendor: `openai-organization`, `x-goog-user-project`,
# `set-cookie`, `cf-ray`, ...
_KEPT = frozenset(
    {
        "accept", "accept-encoding", "allow", "content-encoding", "content-length", "content-type",
        "date", "retry-after", "retry-after-ms", "x-request-id", "x-should-retry",
    }
)  # fmt: skip
# Quotas and when they reset, such as `x-ratelimit-reset-requests`.
_LIMITS = re.compile(r"(?:[a-z]+-)?ratelimit(?:-[a-z]+){0,4}")


@define
class Scrubber:
    """Replaces values with placeholders.

    Args:
        values: value -> placeholder.
        names: value -> its name in `counts`.
        kept: names of further headers to keep, in lower case.

    Attributes:
        counts: what was replaced -> how often.
    """

    values: Mapping[str, str] = field(repr=False)
    names: Mapping[str, str] = field(repr=False)
    kept: frozenset[str] = field(default=frozenset(), repr=False)
    counts: Counter[str] = field(init=False, factory=Counter)
    _spellings: list[tuple[Spellings, str]] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # If one value contains another, find the longer one first.
        longest = sorted(self.values, key=len, reverse=True)
        self._spellings = [(Spellings([value]), value) for value in longest]

    def text(self, text: str) -> str:
        r"""Return a text without the values, in whatever encoding.

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
        """Return the headers to keep, without the values.

        A header with the key is kept as a placeholder, such as `Bearer <api-key>`.
        """
        scrubbed = {}
        for name, originals in headers.items():
            values = [self.text(value) for value in originals]
            if self.keeps(name) or all(map(_is_placeholder, values)):
                scrubbed[name] = values
            else:
                self.counts[f"the header {name.lower()!r}"] += len(values)
        return scrubbed

    def keeps(self, header: str) -> bool:
        """Whether a header of this name is kept."""
        name = header.lower()
        return name in _KEPT or name in self.kept or _LIMITS.fullmatch(name) is not None

    def reply(self, headers: Headers, content: bytes) -> tuple[dict[str, list[str]], bytes]:
        """Return a reply's headers and its body, decompressed, without private values.

        A body that cannot be decompressed is left out, because it cannot be searched.
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
