"""Converts results to and from plain values, with cattrs.

Only this module imports cattrs, and it is imported on first use: creating a converter takes
longer than importing the rest of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from cattrs import BaseValidationError, transform_error
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter

from jobcancel.models import CancelResult, JobReading

T = TypeVar("T")

_converter = make_converter()


def _exactly(*kinds: type) -> Callable[[object, type], object]:
    """Return a hook that rejects implicit conversions, such as of the text "false" to True."""

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

for _kind in (CancelResult, JobReading):
    _converter.register_unstructure_hook(
        _kind,
        make_dict_unstructure_fn(_kind, _converter, params=override(omit_if_default=True)),
    )


def unstructure(value: object) -> dict[str, Any]:
    """Return an attrs value as plain values that `json.dumps` accepts."""
    return cast("dict[str, Any]", _converter.unstructure(value))


def structure(data: Mapping[str, Any], cls: type[T]) -> T:
    """Return the `cls` object for data from `unstructure`.

    Raises:
        ValueError: `data` is invalid; the message names each invalid field.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"not a {cls.__name__}: {data!r}")  # noqa: TRY004 - documented as ValueError
    try:
        return _converter.structure(data, cls)
    except BaseValidationError as error:
        problems = "; ".join(transform_error(error))
        raise ValueError(f"not a {cls.__name__}: {problems}") from error
