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

# A result is converted and pickled by recursion; no vendor nests its bodies nearly as deep.
_DEEPEST = 64
# Bytes that the values of a body may take in memory. The 5 MB of a Pulse status take 5 to 50 MiB.
_MOST_MEMORY = 96 * 2**20
# Bytes that each of these characters stands for in CPython's memory: an object, an array, an entry
# of an object, a further value, half a string. Measured; in texts they are counted, too.
_COSTS = {b"{": 184, b"[": 88, b":": 48, b",": 32, b'"': 16}
# How many texts may be told from what is between them, which takes memory, too.
_MOST_QUOTES = 1_000_000
# Bodies that are shorter cannot take so much, whatever is in them.
_SURELY_CHEAP = _MOST_MEMORY // max(_COSTS.values())

LONGEST_TEXT = 500
"""Characters of a vendor's words that are looked at and kept, in results and logs."""

# Of a list that a `*` looks through: a vendor lists a few details, a hostile server millions.
_MOST_ITEMS = 100
# Seconds; a year. A wait above it is no wait but a mistake.
_LONGEST_WAIT = 366 * 86_400


class TooLarge(ValueError):
    """The values of a body would take too much memory; the text says how much is allowed."""

    def __init__(self) -> None:
        super().__init__(f"a body whose values would take more than {_MOST_MEMORY >> 20} MiB")


def read(content: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object that a body holds, or None when it is anything else.

    Raises:
        TooLarge: its values would take too much memory.
    """
    try:
        value = _decoded(content)
    except TooLarge:
        raise
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not _is_too_deep(value) else None


def parse(content: bytes | None) -> Mapping[str, Any] | None:
    """Return the JSON object that a body holds, or None when it is anything else, or too large."""
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
    if len(content) > _SURELY_CHEAP and _cost(content) > _MOST_MEMORY:
        raise TooLarge
    # JSON is UTF-8 between systems (RFC 8259, section 8.1).
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass")
    # One character outside the first planes makes all of a text four bytes wide.
    if sys.getsizeof(text) > _MOST_MEMORY // 2:
        raise TooLarge
    # A decoder is kept: `json.loads` makes a new one whenever it has to refuse something.
    return _DECODER.decode(text)


def _cost(content: bytes) -> int:
    """Return how many bytes of memory the values of a body take at most."""
    cost = _cost_of_signs(content)
    if cost <= _MOST_MEMORY:
        return cost
    # The signs may be in texts, such as formulas: these are left out.
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = unescaped.count(b'"')
    if quotes > _MOST_QUOTES:
        return cost
    others = b"".join(unescaped.split(b'"')[::2])
    return _cost_of_signs(others) + quotes * _COSTS[b'"']


def _cost_of_signs(content: bytes) -> int:
    return sum(content.count(sign) * each for sign, each in _COSTS.items())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # RFC 8259, section 6


def _finite(text: str) -> float | None:
    """Read a number; one that is too large for a float is no number that anyone can use."""
    number = float(text)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)


def _is_too_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
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
    """Return the first value that is there at one of the dotted `paths`, or None.

    A `*` stands for the first item of a list that has the rest, of the first hundred.

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
    """Return the beginning of the text that is there at one of the `paths`, or an empty one.

    Patterns are tried on no more of a vendor's words than that.

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
            found = (_within(item, names[number:]) for item in items[:_MOST_ITEMS])
            return next((each for each in found if each is not None), None)
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
    """Return the text without lone surrogates, which JSON can hold but nothing can print."""
    return text.encode(errors="replace").decode()


# A duration as protobuf writes it in JSON (google.rpc.RetryInfo), or so in a sentence.
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
    """The fields, each None unless it is there and of a usable type; any value may be given."""

    state: str | None = field(default=None, converter=_word)
    message: str | None = field(default=None, converter=_word)
    code: str | None = field(default=None, converter=_text)
    request_id: str | None = field(default=None, converter=_text)
    job_id: str | None = field(default=None, converter=_id)
    retry_after: float | None = field(default=None, converter=_seconds)
    done: int | None = field(default=None, converter=_count)
    total: int | None = field(default=None, converter=_count)
