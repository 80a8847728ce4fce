"""What values may be: the checks that the sandbox's arguments share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard

from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.models import JobState

if TYPE_CHECKING:
    from attrs import Attribute

LARGEST = sys.float_info.max
"""The largest number to count with: compared with it, even an int of 400 digits is in order."""


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether `value` is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether `value` is a number; True and False are none."""
    return is_whole(value) or isinstance(value, float)


def check_seconds(name: str, value: float) -> float:
    """Return `value` if it is a number of seconds.

    Raises:
        ConfigurationError: it is negative, not finite or no number.
    """
    if not (is_number(value) and 0 <= value <= LARGEST):
        raise ConfigurationError(f"{name}={value!r}: expected seconds, 0 or more")
    return value


def check_type(name: str, value: object, kind: type) -> None:
    """Let only an instance of `kind` pass.

    Raises:
        WrongType: `value` is none.
    """
    if not isinstance(value, kind):
        raise WrongType(f"{name}={value!r}: expected a {kind.__name__}")


def seconds(_: object, attribute: Attribute[float], value: float) -> None:
    """Validate an attribute: seconds."""
    check_seconds(attribute.name, value)


def final(_: object, attribute: Attribute[JobState], value: JobState) -> None:
    """Validate an attribute: a state in which a job has ended."""
    if not (isinstance(value, JobState) and value.final):
        raise ConfigurationError(
            f"{attribute.name}={value!r}: expected a final state, such as JobState.CANCELLED"
        )
