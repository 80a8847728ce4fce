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

Headers: TypeAlias = Mapping[str, list[str]]

KEY_PLACEHOLDER = "<api-key>"
SCRUBBED = "<scrubbed>"
_LARGEST_BODY = 16 * 2**20

# Any of these words in a header's name means that its value tells who was asking. The names are
# vendors': openai-organization, x-goog-user-project, x-amz-security-token, x-account-id, ...
_TELLING = frozenset(
    {
        "account", "auth", "authentication", "authorization", "cookie", "cookie2", "credential",
        "credentials", "csrf", "customer", "email", "forwarded", "ip", "key", "org",
        "organisation", "organization", "project", "secret", "session", "signature", "team",
        "tenant", "token", "user", "username", "workspace", "xsrf",
    }
)  # fmt: skip
# How much is left for whom is what a vendor's answer is about.
_NOT_TELLING = frozenset({"ratelimit", "limit", "agent"})
# What JSON writes with a letter (RFC 8259, section 7).
_JSON_LETTERS = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


@define
class Scrubber:
    """Replaces values by placeholders.

    Args:
        values: value -> what to write in its place.
        names: value -> what it is called when it is told how often it was replaced.

    Attributes:
        counts: what was replaced -> how often.
    """

    values: Mapping[str, str] = field(repr=False)
    names: Mapping[str, str] = field(repr=False)
    counts: Counter[str] = field(init=False, factory=Counter)
    _patterns: list[tuple[re.Pattern[str], str, str]] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Of two values one of which holds the other, the longer is to be found.
        longest = sorted(self.values, key=len, reverse=True)
        self._patterns = [(_any_form(v), self.values[v], self.names[v]) for v in longest]

    def text(self, text: str) -> str:
        r"""Return a text without the values, however they are written in it.

        Example:
            >>> scrubber = Scrubber({"a/b": "<it>"}, {"a/b": "it"})
            >>> scrubber.text(r'{"said": "a\/b, \u0061/b"}, /a%2Fb')
            '{"said": "<it>, <it>"}, /<it>'
            >>> scrubber.counts["it"]
            3
        """
        for pattern, placeholder, name in self._patterns:
            text, times = pattern.subn(placeholder.replace("\\", r"\\"), text)
            if times:
                self.counts[name] += times
        return text

    def content(self, content: bytes) -> bytes:
        """Return a body without the values."""
        text = content.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape")

    def headers(self, headers: Headers) -> dict[str, list[str]]:
        """Return headers without the values, and without those of headers that tell who asks."""
        scrubbed = {}
        for name, given in headers.items():
            values = [self.text(value) for value in given]
            if tells(name) and not all(map(_is_placeholder, values)):
                self.counts[f"the header {name.lower()!r}"] += len(values)
                values = [SCRUBBED] * len(values)
            scrubbed[name] = values
        return scrubbed

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


def tells(header: str) -> bool:
    """Return whether a header's value tells who was asking, by its name."""
    words = set(header.lower().replace("_", "-").split("-"))
    return bool(words & _TELLING) and not words & _NOT_TELLING


def _is_placeholder(value: str) -> bool:
    scheme, _, rest = value.rpartition(" ")
    return rest == KEY_PLACEHOLDER and " " not in scheme


def _any_form(value: str) -> re.Pattern[str]:
    """Return what finds a value as it is, escaped in JSON (in JSON) or percent-encoded."""
    return re.compile("".join(map(_any_form_of_one, value)))


def _any_form_of_one(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    octets = character.encode("utf-8", "surrogateescape").hex()
    forms = [
        "".join(rf"\\+u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        "".join(f"%(?i:{octets[at : at + 2]})" for at in range(0, len(octets), 2)),
        rf"\\*{re.escape(character)}" if character in '"/\\' else re.escape(character),
    ]
    if character in _JSON_LETTERS:
        forms.append(rf"\\+{_JSON_LETTERS[character]}")
    return f"(?:{'|'.join(forms)})"


def _decompressed(encoding: str, content: bytes) -> bytes | None:
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return None
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = inflate.decompress(content, _LARGEST_BODY)
    except zlib.error:
        return None
    return plain if inflate.eof and not inflate.unused_data else None
