"""Faults: what goes wrong on the way to a vendor or back, planned per job and request.

This module holds what is planned; `answers` carries it out.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

from attrs import Attribute, field, frozen

from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState

On = Literal["cancel", "status"]
"""The request that a fault waits for."""

_BODILESS = (204, 304)


def _seconds(_: object, attribute: Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"{attribute.name}={value!r}: expected seconds, 0 or more")


def _final(_: object, attribute: Attribute[JobState | None], value: JobState | None) -> None:
    if value is not None and not value.final:
        raise ConfigurationError(f"{attribute.name}={value.value!r}: expected a final state")


def _http_status(_: object, attribute: Attribute[int | None], value: int | None) -> None:
    if value is not None and value not in range(200, 600):
        raise ConfigurationError(f"{attribute.name}={value!r}: expected 200 to 599")


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

    Raises:
        ConfigurationError: the arguments contradict each other or cannot be right.
    """

    status: int | None = field(default=None, validator=_http_status)
    body: str | bytes | Mapping[str, object] | None = field(default=None, hash=False)
    headers: Mapping[str, str] = field(factory=dict, hash=False)
    apply: bool = False
    finish: JobState | None = field(default=None, validator=_final)
    drop: bool = False
    stall: float = field(default=0.0, validator=_seconds)
    finish_after: JobState | None = field(default=None, validator=_final)
    chunks: Callable[[], Iterable[bytes]] | None = None
    raw: Callable[[], Iterable[bytes]] | None = None
    interval: float = field(default=0.0, validator=_seconds)

    def __attrs_post_init__(self) -> None:
        answers = (self.status is not None, self.drop, self.raw is not None)
        problems = (
            (sum(answers) > 1, "status=, drop= and raw= exclude each other"),
            (self.body is not None and self.chunks is not None, "body= and chunks= exclude"),
            (self.status is None and self._needs_status, "body=, chunks=, headers= need status="),
            (self.status in _BODILESS and self._has_body, f"status {self.status} has no body"),
        )
        for wrong, problem in problems:
            if wrong:
                raise ConfigurationError(f"this fault cannot be: {problem}")

    @property
    def answers(self) -> bool:
        """Whether the fault brings an answer, or a silence, of its own."""
        return self.status is not None or self.drop or self.raw is not None

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
        if times is not None and times < 1:
            raise ConfigurationError(f"times={times!r}: expected 1 or more, or None for ever")
        self._waiting.setdefault((vendor, job_id, on), deque()).append((fault, times))

    def take(self, vendor: str, job_id: str, on: On) -> Fault | None:
        """Return the fault that this request meets, or None; count it as met."""
        queue = self._waiting.get((vendor, job_id, on))
        if not queue:
            return None
        fault, times = queue.popleft()
        left = None if times is None else times - 1
        if left != 0:
            queue.appendleft((fault, left))
        return fault

    def clear(self) -> None:
        """Forget every fault."""
        self._waiting.clear()
