"""The requests that the sandbox received, for tests and for its page. Never shows a key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

K = TypeVar("K")
V = TypeVar("V")

KEPT = 1000
"""How many requests are remembered."""

_HARMLESS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
    | {"idempotency-key", "user-agent", "x-request-id"}
)
"""Headers shown as they are; all others may carry a key, even where none belongs."""


class Recent(OrderedDict[K, V]):
    """A dict that forgets its oldest entry when it gets one too many; a new value adds no age.

    Args:
        most: how many entries it keeps.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._most:
            self.popitem(last=False)


def mask(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with every value hidden that could be a key."""
    return {name: value if name in _HARMLESS else "***" for name, value in headers.items()}


def mask_query(path: str) -> str:
    """Return path and query with every value of the query hidden: keys are sent there too."""
    place, _, query = path.partition("?")
    shown = ("=".join((*each.split("=", 1)[:-1], "***")) for each in query.split("&"))
    return f"{place}?{'&'.join(shown)}" if query else path


@frozen(kw_only=True)
class Received:
    """One request as it came in, and how it was answered.

    Attributes:
        method: the HTTP method.
        path: path and query exactly as sent, percent-encoding included; the query's values are
            masked when shown.
        vendor: whom it was for, or None if the path belongs to no vendor.
        status: the answer's status code; None while there is no HTTP answer (dropped, raw).
        time: when it came, in seconds since the epoch.
        headers: the request's headers by lower-case name; masked when shown.
    """

    method: str
    path: str = field(repr=lambda path: repr(mask_query(path)))
    vendor: str | None
    status: int | None
    time: float
    headers: Mapping[str, str] = field(hash=False, repr=lambda headers: repr(mask(headers)))

    def to_dict(self) -> dict[str, object]:
        """Return the request as values for JSON, with keys masked."""
        return {
            "method": self.method,
            "path": mask_query(self.path),
            "vendor": self.vendor,
            "status": self.status,
            "time": self.time,
            "headers": mask(self.headers),
        }


class Journal:
    """The last requests, oldest first, and a running number for each."""

    def __init__(self) -> None:
        self._entries = Recent[int, Received](KEPT)
        self._count = 0

    def add(self, received: Received) -> int:
        """Remember a request; return its number, counted from 1."""
        self._count += 1
        self._entries[self._count] = received
        return self._count

    def answered(self, number: int, status: int) -> None:
        """Note the status code of the answer, if the request is still remembered."""
        if number in self._entries:
            self._entries[number] = evolve(self._entries[number], status=status)

    def entries(self) -> list[Received]:
        """Return the remembered requests, oldest first."""
        return list(self._entries.values())

    def clear(self) -> None:
        """Forget every request and begin to count anew."""
        self._entries.clear()
        self._count = 0
