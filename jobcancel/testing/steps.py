"""The steps of a script: a reply, a reply that is lost, and a vendor that cannot be reached."""

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
    """What becomes of one request; made by `reply`, `lost_reply` and `unreachable`.

    Args:
        shown: how it is called in messages.
        after: seconds until then.
        status_code: of the reply, or None for a fault.
        headers: of the reply.
        content: of the reply.
        fault: what is raised in the place of a reply.
        late: what is raised when the request is not given that much time.
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
        status_code: of the reply, 200 to 599.
        body: what is sent as JSON; bytes are sent as they are. None is an empty body, and for a 4xx
            a short message, without which it would not count as the vendor's own.
        headers: of the reply.
        after: seconds that the reply takes; more than the call's `timeout` is a time-out.

    Raises:
        ConfigurationError: an argument cannot be right.

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
    """Return a step: the request arrives, the connection breaks before the reply is complete.

    Args:
        after: seconds until then; more than the call's `timeout` is a time-out.

    Raises:
        ConfigurationError: `after` cannot be right.
    """
    return Step(shown="lost_reply()", after=_checked(after))


def unreachable(*, after: float = 0.0) -> Step:
    """Return a step: no connection can be made, so the request cannot have arrived.

    Args:
        after: seconds until that is known; more than the call's `timeout` is a time-out.

    Raises:
        ConfigurationError: `after` cannot be right.
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
