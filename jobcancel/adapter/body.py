"""JSON out of replies: valid, not too deep, and within bounds of memory that are known before."""

from __future__ import annotations

import codecs
import json
import math
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

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
