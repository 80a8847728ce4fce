"""What a vendor's reply says: the fields picked from its body, whatever their types there."""

from __future__ import annotations

import re

from attrs import field, frozen

from jobcancel.adapter.paths import LONGEST_TEXT

# Seconds; a year. A wait above it is no wait but a mistake.
_LONGEST_WAIT = 366 * 86_400


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
class Said:
    """The fields, each None unless it is there and of a usable type; any value may be given."""

    state: str | None = field(default=None, converter=_word)
    message: str | None = field(default=None, converter=_word)
    code: str | None = field(default=None, converter=_text)
    request_id: str | None = field(default=None, converter=_text)
    job_id: str | None = field(default=None, converter=_id)
    retry_after: float | None = field(default=None, converter=_seconds)
    done: int | None = field(default=None, converter=_count)
    total: int | None = field(default=None, converter=_count)
