"""The one cattrs converter: results to and from plain values, and vendors' bodies.

Nothing outside this module imports cattrs, and this module is imported when it is first
needed: creating a converter takes longer than importing the rest of the package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from attrs import frozen
from cattrs import BaseValidationError, transform_error
from cattrs.gen import make_dict_structure_fn, override
from cattrs.preconf.json import make_converter

T = TypeVar("T")

_converter = make_converter()


def _exactly(*kinds: type) -> Callable[[object, type], object]:
    """Refuse what cattrs would convert, such as the text "false" into True."""

    def structure_exactly(value: object, kind: type) -> object:
        if kind is not kinds[0]:  # a subclass, such as an enumeration of strings
            return kind(value)
        if type(value) not in kinds:
            raise TypeError(f"expected {kind.__name__}, not {value!r}")
        return value

    return structure_exactly


_converter.register_structure_hook(bool, _exactly(bool))
_converter.register_structure_hook(int, _exactly(int))
_converter.register_structure_hook(float, _exactly(float, int))
_converter.register_structure_hook(str, _exactly(str))


def unstructure(value: object) -> dict[str, Any]:
    """Return an attrs value as plain values that `json.dumps` takes."""
    return cast("dict[str, Any]", _converter.unstructure(value))


def structure(data: Mapping[str, Any], cls: type[T]) -> T:
    """Return the `cls` that `unstructure` made `data` from.

    Raises:
        ValueError: `data` is not such a value; the message names each wrong field.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"not a {cls.__name__}: {data!r}")  # noqa: TRY004 - documented so
    try:
        return _converter.structure(data, cls)
    except BaseValidationError as error:
        problems = "; ".join(transform_error(error))
        raise ValueError(f"not a {cls.__name__}: {problems}") from error


@frozen(kw_only=True)
class Said:
    """What a vendor's reply says, each field None unless it is there and of a usable type."""

    state: str | None = None
    message: str | None = None
    code: str | None = None
    request_id: str | None = None
    job_id: str | None = None
    retryable: bool | None = None
    retry_after: float | None = None
    done: int | None = None
    total: int | None = None


# What a vendor says ends up in results and logs, so none of it is longer than this.
_LONGEST = 500
# Seconds; a year. A wait above it is no wait but a mistake.
_LONGEST_WAIT = 366 * 86_400


def _word(value: object, _type: object) -> str | None:
    return _clean(value[:_LONGEST]) if isinstance(value, str) else None


def _text(value: object, _type: object) -> str | None:
    text = _id(value, _type)
    return None if text is None else text[:_LONGEST]


def _id(value: object, _type: object) -> str | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    return _clean(str(value)) if number or isinstance(value, str) else None


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which JSON can hold but nothing can print."""
    return text.encode(errors="replace").decode()


def _flag(value: object, _type: object) -> bool | None:
    return value if isinstance(value, bool) else None


# How protobuf writes a duration in JSON, as google.rpc.RetryInfo has one.
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")


def _seconds(value: object, _type: object) -> float | None:
    if isinstance(value, str) and (duration := _DURATION.fullmatch(value)):
        value = float(duration[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LONGEST_WAIT else None


def _count(value: object, _type: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


_converter.register_structure_hook(
    Said,
    make_dict_structure_fn(
        Said,
        _converter,
        state=override(struct_hook=_word),
        message=override(struct_hook=_word),
        code=override(struct_hook=_text),
        request_id=override(struct_hook=_text),
        job_id=override(struct_hook=_id),
        retryable=override(struct_hook=_flag),
        retry_after=override(struct_hook=_seconds),
        done=override(struct_hook=_count),
        total=override(struct_hook=_count),
    ),
)


def said(fields: Mapping[str, object]) -> Said:
    """Read the fields picked from a vendor's body, whatever their types; never raises."""
    return _converter.structure(fields, Said)
