"""Checks of values that the sandbox receives."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TypeGuard

from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.models import JobState

if TYPE_CHECKING:
    from attrs import Attribute
    from starlette.requests import Request

LARGEST = sys.float_info.max
"""The largest number accepted; comparing with it is safe even for an int of 400 digits."""


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether `value` is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether `value` is a number; True and False are not."""
    return is_whole(value) or isinstance(value, float)


def check_seconds(name: str, value: float) -> float:
    """Return `value` if it is a number of seconds.

    Raises:
        ConfigurationError: it is negative, not finite or not a number.
    """
    if not (is_number(value) and 0 <= value <= LARGEST):
        raise ConfigurationError(f"{name}={value!r}: expected seconds, 0 or more")
    return value


def check_type(name: str, value: object, kind: type) -> None:
    """Accept only an instance of `kind`.

    Raises:
        WrongType: `value` is not one.
    """
    if not isinstance(value, kind):
        raise WrongType(f"{name}={value!r}: expected a {kind.__name__}")


def seconds(_: object, attribute: Attribute[float], value: float) -> None:
    """Validate an attribute: seconds."""
    check_seconds(attribute.name, value)


def final(_: object, attribute: Attribute[JobState], value: JobState) -> None:
    """Validate an attribute: a final state."""
    if not (isinstance(value, JobState) and value.final):
        raise ConfigurationError(
            f"{attribute.name}={value!r}: expected a final state, such as JobState.CANCELLED"
        )


def is_json(request: Request) -> bool:
    """Return whether the content type is JSON, in any case (RFC 9110, 8.3.1).

    A page of another site can send it only after a preflight request, which the sandbox refuses.
    """
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    return media_type.strip().lower() == "application/json"


def parse_json(body: bytes) -> object:
    """Parse a JSON body.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
