"""Ids into URLs, and fields out of bodies: the two places where vendors' data is addressed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

# RFC 9110, section 4.1: recipients should support at least 8,000 octets of URI.
_LONGEST_SEGMENT = 7000
# Characters; one takes twelve octets at the most, percent-encoded from four of UTF-8.
_SURELY_SHORT = _LONGEST_SEGMENT // 12

LONGEST_TEXT = 500
"""Characters of a vendor's words that are looked at and kept, in results and logs."""

# Of a list that a `*` looks through: a vendor lists a few details, a hostile server millions.
_MOST_ITEMS = 100


def segment(value: str) -> str:
    """Return `value` percent-encoded into exactly one path segment (RFC 3986, section 3.3).

    Example:
        >>> segment("a b/ü")
        'a%20b%2F%C3%BC'
    """
    return quote(value, safe="")


def refuse_segment(what: str, value: str) -> str | None:
    """Return why `value` cannot be one path segment, or None when it can.

    Args:
        what: what it is, for the message, such as `"job id"`.
        value: any string.

    Example:
        >>> refuse_segment("job id", "..")
        "the job id is '..', which would change the path; pass the id that the vendor gave"
    """
    if not value.strip():
        problem = "is empty" if not value else "is blank"
    elif value in {".", ".."}:
        problem = f"is {value!r}, which would change the path"
    elif not value.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        problem = "has a control character or a lone surrogate in it"
    elif len(value) > _SURELY_SHORT and len(segment(value)) > _LONGEST_SEGMENT:
        problem = f"is too long for a URL ({len(value)} characters)"
    else:
        return None
    return f"the {what} {problem}; pass the id that the vendor gave"


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
