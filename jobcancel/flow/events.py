"""The messages between a flow and its driver: requests and waits, replies and faults."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from jobcancel.adapter.protocol import Request, Response

T = TypeVar("T")


@frozen(kw_only=True)
class Send:
    """Asks the driver to send a request and return the `Response`, `NotSent` or `NoReply`.

    Args:
        request: the request.
        timeout: seconds for the whole exchange, from connecting to the last byte of the body.
        call: `"cancel"` or `"status"`, for the log.
        attempt: 1 for the first request of this kind, for the log.
    """

    request: Request
    timeout: float
    call: str
    attempt: int


@frozen
class Pause:
    """Asks the driver to wait.

    Args:
        seconds: how long to wait.
        call: `"cancel"` or `"status"`, the kind of call that waits, for the log.
        reason: the reason for the wait, for the log.
    """

    seconds: float
    call: str
    reason: str


@frozen
class NotSent:
    """The request cannot have arrived: no connection was established."""

    reason: str


@frozen
class NoReply:
    """The request may have arrived, but no complete reply was received."""

    reason: str


class Stopped(Exception):
    """Thrown into a flow to end it: no more requests may be sent. The text is the reason."""


Reply: TypeAlias = Response | NotSent | NoReply
Flow: TypeAlias = Generator[Send | Pause, Any, T]
