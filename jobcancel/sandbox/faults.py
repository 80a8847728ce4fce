"""Faults: what goes wrong with the requests about a job.

This module queues them; `answers` carries them out.
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
"""The kind of request that meets a fault."""
Pieces = Callable[[], Iterable[bytes]]
"""Returns the pieces of an answer."""

_BODILESS = (204, 304)


def _http_status(_: object, attribute: Attribute[int | None], value: int | None) -> None:
    if value is not None and not (is_whole(value) and value in range(200, 600)):
        raise ConfigurationError(f"{attribute.name}={value!r}: expected 200 to 599")


def _sendable(_: object, attribute: Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
    """Accept only headers that the server can send (RFC 9110, 5.1 and 5.5)."""
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
        raise ConfigurationError("duplicate header (names are case-insensitive)")


def _makes_pieces(_: object, attribute: Attribute[Pieces | None], value: Pieces | None) -> None:
    if value is not None and not callable(value):
        raise WrongType(f"{attribute.name}={value!r}: expected a function that returns the pieces")


def _content(body: str | bytes | Mapping[str, object] | None) -> bytes | None:
    """Return the body as bytes; JSON is written without spaces."""
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
            "body: contains a lone surrogate; not encodable as UTF-8"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"body: not serializable as JSON: {error}") from error


@frozen(kw_only=True)
class Fault:
    """What goes wrong with one request. Without an answer of its own, the real one is sent.

    Args:
        status: HTTP status code of the faulty answer.
        body: its body; a mapping is sent as JSON.
        headers: its further headers.
        apply: the vendor carries out the request before the faulty answer.
        finish: the job ends by itself in this state before the request is processed: a race.
        drop: the connection is closed without an answer.
        stall: seconds to wait before the request is processed, or, with `apply`, answered. If the
            client disconnects first, the request is ignored.
        finish_after: the job ends by itself in this state right after the answer.
        chunks: returns the pieces of the body, which may be endless; instead of `body`.
        raw: returns the bytes to write to the connection instead of an HTTP response.
        interval: seconds to wait before each piece of `chunks` or `raw`.

    Attributes:
        content: `body` as bytes.

    Raises:
        ConfigurationError: an argument is invalid, or two contradict each other.
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
            (sum(answers) > 1, "status, drop and raw are mutually exclusive"),
            (
                self.body is not None and self.chunks is not None,
                "body and chunks are mutually exclusive",
            ),
            (self.status is None and self._needs_status, "body, chunks and headers require status"),
            (self.status in _BODILESS and self._has_body, f"status {self.status} has no body"),
            (self._misstates_length, "content-length differs from the length of the body"),
        )
        for wrong, problem in problems:
            if wrong:
                raise ConfigurationError(f"invalid fault: {problem}")

    @property
    def answers(self) -> bool:
        """Whether the fault replaces the vendor's answer."""
        return self.status is not None or self.drop or self.raw is not None

    @property
    def media_type(self) -> str | None:
        """The media type of the body, unless the headers have one."""
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
    """The faults in order; each request takes the first one for its job and kind."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, str], deque[tuple[Fault, int | None]]] = {}

    def add(self, provider: str, job_id: str, fault: Fault, *, on: On, times: int | None) -> None:
        """Add `fault` for the next `times` requests (None: for all).

        Raises:
            ConfigurationError: `on` or `times` is invalid.
        """
        if on not in get_args(On):
            raise ConfigurationError(f"on={on!r}: expected one of {', '.join(get_args(On))}")
        if times is not None and not (is_whole(times) and times >= 1):
            raise ConfigurationError(f"times={times!r}: expected 1 or more, or None for all")
        self._waiting.setdefault((provider, job_id, on), deque()).append((fault, times))

    def take(self, provider: str, job_id: str, on: On) -> Fault | None:
        """Return the fault of this request, or None, and count it."""
        queue = self._waiting.get((provider, job_id, on))
        if queue is None:
            return None
        fault, times = queue.popleft()
        left = None if times is None else times - 1
        if left != 0:
            queue.appendleft((fault, left))
        elif not queue:
            del self._waiting[provider, job_id, on]
        return fault

    def clear(self) -> None:
        """Delete every fault."""
        self._waiting.clear()
