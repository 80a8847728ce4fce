"""A JSON body: parsed within bounds of depth and memory, its fields picked and typed."""

from __future__ import annotations

import codecs
import json
import math
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

# Converting and pickling a result is recursive; no vendor nests its bodies nearly as deep.
_MAX_DEPTH = 64
# Limit for a parsed body, in bytes. The 5 MB of a Pulse status take 5 to 50 MiB of memory.
_MAX_MEMORY = 96 * 2**20
# Bytes of memory in CPython for each of these characters: an object, an array, an entry of an
# object, a further value, half a string. Measured; characters within strings are counted as well.
_COSTS = {b"{": 184, b"[": 88, b":": 48, b",": 32, b'"': 16}
# Limit for separating strings from the rest of the body, which takes memory as well.
_MAX_QUOTES = 1_000_000
# Bytes; a shorter body cannot exceed the limit, whatever its content.
_ALWAYS_CHEAP = _MAX_MEMORY // max(_COSTS.values())

LONGEST_TEXT = 500
"""Maximum length of a vendor's text in results and logs, in characters."""

# List items that a `*` searches: a vendor lists a few details, a hostile server millions.
_MAX_ITEMS = 100
# One year, in seconds; a longer wait is treated as garbage.
_LONGEST_WAIT = 366 * 86_400


class TooLarge(ValueError):
    """The parsed body would take too much memory; the message contains the limit."""

    def __init__(self) -> None:
        super().__init__(f"the body may need more than {_MAX_MEMORY >> 20} MiB of memory")


def read(content: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object in a body, or None if the body is anything else.

    Raises:
        TooLarge: the parsed body would take too much memory.
    """
    try:
        value = _decoded(content)
    except TooLarge:
        raise
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not _is_too_deep(value) else None


def parse(content: bytes | None) -> Mapping[str, Any] | None:
    """Return the JSON object in a body, or None if the body is anything else or too large."""
    try:
        return read(content or b"")
    except TooLarge:
        return None


def is_json(content: bytes | None) -> bool:
    """Return whether a body is JSON of any kind."""
    try:
        _decoded(content or b"")
    except (ValueError, RecursionError):
        return False
    return True


def _decoded(content: bytes) -> object:
    if len(content) > _ALWAYS_CHEAP and _cost(content) > _MAX_MEMORY:
        raise TooLarge
    # JSON exchanged between systems is UTF-8 (RFC 8259, section 8.1).
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass")
    # A single character outside the BMP makes every character of a str four bytes wide.
    if sys.getsizeof(text) > _MAX_MEMORY // 2:
        raise TooLarge
    # Reuse one decoder: with these options, `json.loads` creates a new one in each call.
    return _DECODER.decode(text)


def _cost(content: bytes) -> int:
    """Return an upper bound of the memory that a parsed body takes, in bytes."""
    cost = _cost_of_characters(content)
    if cost <= _MAX_MEMORY:
        return cost
    # The characters may be within strings, such as formulas: do not count those.
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = unescaped.count(b'"')
    if quotes > _MAX_QUOTES:
        return cost
    outside_strings = b"".join(unescaped.split(b'"')[::2])
    return _cost_of_characters(outside_strings) + quotes * _COSTS[b'"']


def _cost_of_characters(content: bytes) -> int:
    return sum(content.count(character) * cost for character, cost in _COSTS.items())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # RFC 8259, section 6


def _finite(text: str) -> float | None:
    """Parse a number; return None if it is too large for a float."""
    number = float(text)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)


def _is_too_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


# Fields


def pick(body: Mapping[str, Any], paths: Iterable[str]) -> object:
    """Return the value at the first of the dotted `paths` that has one, or None.

    A `*` matches the first item of a list (among its first 100) that has the rest of the path.

    Example:
        >>> pick({"error": {"code": "AUTH_002"}}, ["code", "error.code"])
        'AUTH_002'
        >>> pick({"details": [{"link": "..."}, {"reason": "EXPIRED"}]}, ["details.*.reason"])
        'EXPIRED'
    """
    for path in paths:
        if (value := _at(body, path)) is not None:
            return value
    return None


def pick_text(body: Mapping[str, Any], paths: Iterable[str]) -> str:
    """Return the start of the text at the first of the `paths` that has a value, or `""`.

    Regular expressions are matched against at most that part of a vendor's text.

    Example:
        >>> pick_text({"message": "No such run."}, ["message"])
        'No such run.'
        >>> pick_text({"message": 7}, ["message"])
        ''
    """
    value = pick(body, paths)
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _at(body: Mapping[str, Any], path: str) -> object:
    if "." not in path:
        return body.get(path)
    return _within(body, path.split("."))


def _within(value: object, names: list[str]) -> object:
    for number, name in enumerate(names, 1):
        if name == "*":
            items = value if isinstance(value, list) else []
            values = (_within(item, names[number:]) for item in items[:_MAX_ITEMS])
            return next((each for each in values if each is not None), None)
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _word(value: object) -> str | None:
    return _clean(value[:LONGEST_TEXT]) if isinstance(value, str) else None


def _text(value: object) -> str | None:
    text = _id(value)
    return None if text is None else text[:LONGEST_TEXT]


def _id(value: object) -> str | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    return _clean(str(value)) if number or isinstance(value, str) else None


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which JSON allows but UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()


# A duration in protobuf's JSON format (google.rpc.RetryInfo), alone or within a sentence.
_DURATION = re.compile(r"(?:^|[\s~])([0-9]{1,12}(?:\.[0-9]{1,9})?)s\b")


def _seconds(value: object) -> float | None:
    if isinstance(value, str) and (duration := _DURATION.search(value[:LONGEST_TEXT])):
        value = float(duration[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LONGEST_WAIT else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@frozen(kw_only=True)
class Fields:
    """The typed fields of a body. Any value may be passed; one of a wrong type becomes None."""

    state: str | None = field(default=None, converter=_word)
    message: str | None = field(default=None, converter=_word)
    code: str | None = field(default=None, converter=_text)
    request_id: str | None = field(default=None, converter=_text)
    job_id: str | None = field(default=None, converter=_id)
    retry_after: float | None = field(default=None, converter=_seconds)
    done: int | None = field(default=None, converter=_count)
    total: int | None = field(default=None, converter=_count)
