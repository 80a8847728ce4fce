"""What a flow and its driver say to each other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from jobcancel.adapter.protocol import Request, Response

T = TypeVar("T")


@frozen(kw_only=True)
class Send:
    """Send `request` and send back what came: a `Response`, `NotSent` or `NoReply`.

    Args:
        request: what to send.
        timeout: seconds for the whole exchange, from connecting to the last byte of the body.
        call: `"cancel"` or `"status"`, for the log.
        attempt: the number of this request among those of its kind, from 1, for the log.
    """

    request: Request
    timeout: float
    call: str
    attempt: int


@frozen
class Pause:
    """Wait.

    Args:
        seconds: for how long.
        call: `"cancel"` or `"status"`: what is waited for, for the log.
        reason: why, for the log.
    """

    seconds: float
    call: str
    reason: str


@frozen
class NotSent:
    """The request cannot have arrived: there was no connection to send it on."""

    reason: str


@frozen
class NoReply:
    """The request may have arrived, but no complete reply came back."""

    reason: str


class Stopped(Exception):
    """Nothing more is to be sent; its text says why. It is thrown into a flow, which ends then."""


Reply: TypeAlias = Response | NotSent | NoReply
Flow: TypeAlias = Generator[Send | Pause, Any, T]
