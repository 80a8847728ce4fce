"""Faults: what goes wrong on the way to a vendor or back, planned per job and request.

This module holds what is planned; `answers` carries it out.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

import h11
from attrs import Attribute, Factory, field, frozen
from attrs.validators import optional

from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.models import JobState
from jobcancel.sandbox.checks import check_type, final, is_whole, seconds

On = Literal["cancel", "status"]
"""The request that a fault waits for."""
Pieces = Callable[[], Iterable[bytes]]
"""Makes the pieces of an answer."""

_BODILESS = (204, 304)


def _http_status(_: object, attribute: Attribute[int | None], value: int | None) -> None:
    if value is not None and not (is_whole(value) and value in range(200, 600)):
        raise ConfigurationError(f"{attribute.name}={value!r}: expected 200 to 599")


def _sendable(_: object, attribute: Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
    """Let only headers pass that the server will send (RFC 9110, 5.1 and 5.5)."""
    check_type(attribute.name, value, Mapping)
    for name, text in value.items():
        try:
            line = (name.encode("latin-1"), text.encode("latin-1"))
            h11.Response(status_code=200, headers=[line])
        except (AttributeError, UnicodeEncodeError, h11.LocalProtocolError) as error:
            raise ConfigurationError(
                f"the header {name!r} with the value {text!r} cannot be sent"
            ) from error
    if len({name.lower() for name in value}) < len(value):
        raise ConfigurationError("a header is there twice, but for upper and lower case")


def _makes_pieces(_: object, attribute: Attribute[Pieces | None], value: Pieces | None) -> None:
    if value is not None and not callable(value):
        raise WrongType(f"{attribute.name}={value!r}: expected a function that makes the pieces")


def _content(body: str | bytes | Mapping[str, object] | None) -> bytes | None:
    """Return the body as it is sent; JSON is written without spaces."""
    if body is None or isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        check_type("body", body, Mapping)
    try:
        if isinstance(body, str):
            return body.encode()
        text = json.dumps(dict(body), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            "body: it has half a surrogate pair, so it has no UTF-8"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"body: it cannot be sent as JSON: {error}") from error


@frozen(kw_only=True)
class Fault:
    """One thing that goes wrong; without an answer of its own, the real one is sent.

    Args:
        status: HTTP status code of the faulty answer.
        body: body of the faulty answer; a mapping is sent as JSON.
        headers: further headers of the faulty answer.
        apply: the vendor really does what was asked, before the faulty answer.
        finish: the job ends by itself as this before the request is looked at: a race.
        drop: the connection is closed without a byte of answer.
        stall: seconds to wait before the request is looked at, or, with `apply`, answered.
            A request whose client went away meanwhile is not looked at any more.
        finish_after: the job ends by itself as this right after the answer.
        chunks: makes the pieces of the body, which may be endless; in place of `body`.
        raw: makes the bytes to write to the connection, in place of an HTTP response.
        interval: seconds to wait before each piece of `chunks` or `raw`.

    Attributes:
        content: `body` as it is sent.

    Raises:
        ConfigurationError: the arguments contradict each other or cannot be right.
    """

    status: int | None = field(default=None, validator=_http_status)
    body: str | bytes | Mapping[str, object] | None = field(default=None, hash=False)
    headers: Mapping[str, str] = field(factory=dict, hash=False, validator=_sendable)
    apply: bool = False
    finish: JobState | None = field(default=None, validator=optional(final))
    drop: bool = False
    stall: float = field(default=0.0, validator=seconds)
    finish_after: JobState | None = field(default=None, validator=optional(final))
    chunks: Pieces | None = field(default=None, validator=_makes_pieces)
    raw: Pieces | None = field(default=None, validator=_makes_pieces)
    interval: float = field(default=0.0, validator=seconds)
    content: bytes | None = field(
        init=False,
        repr=False,
        eq=False,
        default=Factory(lambda fault: _content(fault.body), takes_self=True),
    )

    def __attrs_post_init__(self) -> None:
        answers = (self.status is not None, self.drop, self.raw is not None)
        problems = (
            (sum(answers) > 1, "status, drop and raw exclude each other"),
            (
                self.body is not None and self.chunks is not None,
                "body and chunks exclude each other",
            ),
            (self.status is None and self._needs_status, "body, chunks and headers need status"),
            (self.status in _BODILESS and self._has_body, f"status {self.status} has no body"),
            (self._misstates_length, "content-length is not the length of the body"),
        )
        for wrong, problem in problems:
            if wrong:
                raise ConfigurationError(f"this fault cannot be: {problem}")

    @property
    def answers(self) -> bool:
        """Whether the fault brings an answer, or a silence, of its own."""
        return self.status is not None or self.drop or self.raw is not None

    @property
    def media_type(self) -> str | None:
        """The media type of the body, where the headers name none."""
        if self.body is None or isinstance(self.body, bytes):
            return None
        return "text/plain" if isinstance(self.body, str) else "application/json"

    @property
    def _misstates_length(self) -> bool:
        stated = [value for name, value in self.headers.items() if name.lower() == "content-length"]
        return self.chunks is None and stated not in ([], [str(len(self.content or b""))])

    @property
    def _has_body(self) -> bool:
        return self.body is not None or self.chunks is not None

    @property
    def _needs_status(self) -> bool:
        return self._has_body or bool(self.headers)


class FaultQueue:
    """The faults that wait for requests; each request takes the oldest that fits."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, str], deque[tuple[Fault, int | None]]] = {}

    def add(self, vendor: str, job_id: str, fault: Fault, *, on: On, times: int | None) -> None:
        """Plan `fault` for the next `times` requests (None: for all that come).

        Raises:
            ConfigurationError: `on` or `times` cannot be right.
        """
        if on not in get_args(On):
            raise ConfigurationError(f"on={on!r}: expected one of {', '.join(get_args(On))}")
        if times is not None and not (is_whole(times) and times >= 1):
            raise ConfigurationError(f"times={times!r}: expected 1 or more, or None for ever")
        self._waiting.setdefault((vendor, job_id, on), deque()).append((fault, times))

    def take(self, vendor: str, job_id: str, on: On) -> Fault | None:
        """Return the fault that this request meets, or None; count it as met."""
        queue = self._waiting.get((vendor, job_id, on))
        if queue is None:
            return None
        fault, times = queue.popleft()
        left = None if times is None else times - 1
        if left != 0:
            queue.appendleft((fault, left))
        elif not queue:
            del self._waiting[vendor, job_id, on]
        return fault

    def clear(self) -> None:
        """Forget every fault."""
        self._waiting.clear()
