"""The steps of a script: a reply, a lost reply, and an unreachable vendor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

import httpx
from attrs import field, frozen

from jobcancel.errors import ConfigurationError

_STATUS_CODES = range(200, 600)
_CLIENT_ERRORS = range(400, 500)


@frozen(kw_only=True)
class Step:
    """The response to one request, from `reply`, `lost_reply` or `unreachable`.

    Args:
        shown: its name in messages.
        after: the delay in seconds.
        status_code: the reply's status code, or None for a fault.
        headers: the reply's headers.
        content: the reply's body.
        fault: the exception instead of a reply.
        late: the exception if the request's timeout is shorter than `after`.
    """

    shown: str
    after: float
    status_code: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes = b""
    fault: type[httpx.TransportError] = httpx.ReadError
    late: type[httpx.TransportError] = httpx.ReadTimeout

    def __str__(self) -> str:
        return self.shown


def reply(
    status_code: int,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    after: float = 0.0,
) -> Step:
    """Return a step: the vendor replies.

    Args:
        status_code: the status code, 200 to 599.
        body: the JSON body; bytes are sent unchanged. None is an empty body, and for a 4xx a short
            message, without which it would not count as the vendor's reply.
        headers: the headers.
        after: the delay in seconds; if it exceeds the call's `timeout`, the request times out.

    Raises:
        ConfigurationError: an argument is invalid.

    Example:
        >>> print(reply(429, headers={"retry-after": "2"}))
        reply(429)
    """
    if isinstance(status_code, bool) or status_code not in _STATUS_CODES:
        raise ConfigurationError(f"status_code must be 200 to 599, not {status_code!r}")
    if body is None:
        phrase = HTTPStatus(status_code).phrase if status_code in {*HTTPStatus} else "refused"
        body = {"message": phrase} if status_code in _CLIENT_ERRORS else b""
    return Step(
        shown=f"reply({status_code})",
        after=_checked(after),
        status_code=status_code,
        headers={
            **({} if isinstance(body, bytes) else {"content-type": "application/json"}),
            **(headers or {}),
        },
        content=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def lost_reply(*, after: float = 0.0) -> Step:
    """Return a step: the request arrives, but the connection breaks before the reply is complete.

    Args:
        after: the delay in seconds; if it exceeds the call's `timeout`, the request times out.

    Raises:
        ConfigurationError: `after` is invalid.
    """
    return Step(shown="lost_reply()", after=_checked(after))


def unreachable(*, after: float = 0.0) -> Step:
    """Return a step: the connection cannot be opened, so the request cannot have arrived.

    Args:
        after: the delay in seconds; if it exceeds the call's `timeout`, the request times out.

    Raises:
        ConfigurationError: `after` is invalid.
    """
    return Step(
        shown="unreachable()",
        after=_checked(after),
        fault=httpx.ConnectError,
        late=httpx.ConnectTimeout,
    )


def _checked(after: float) -> float:
    if isinstance(after, bool) or not isinstance(after, int | float) or not after >= 0:
        raise ConfigurationError(f"after must be 0 seconds or more, not {after!r}")
    return float(after)
