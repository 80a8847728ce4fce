"""The requests that the sandbox received. Keys are never shown."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

K = TypeVar("K")
V = TypeVar("V")

KEPT = 1000
"""How many requests the journal keeps."""

_HARMLESS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
    | {"idempotency-key", "user-agent", "x-request-id"}
)
"""Headers shown as they are; any other may hold a key."""


class Recent(OrderedDict[K, V]):
    """A dict that drops its oldest entry when it is full; a new value does not renew an entry.

    Args:
        most: the number of entries it keeps.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._most:
            self.popitem(last=False)


def mask(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers; values that could be a key are masked."""
    return {name: value if name in _HARMLESS else "***" for name, value in headers.items()}


def mask_query(path: str) -> str:
    """Return path and query; the query's values, which could be keys, are masked."""
    place, _, query = path.partition("?")
    shown = ("=".join((*each.split("=", 1)[:-1], "***")) for each in query.split("&"))
    return f"{place}?{'&'.join(shown)}" if query else path


@frozen(kw_only=True)
class Received:
    """One request as received, and the status code of its answer.

    Attributes:
        method: the HTTP method.
        path: path and query as sent, still percent-encoded; the query's values are masked when
            shown.
        provider: the provider that the path belongs to; None if there is none.
        status: the answer's status code; None without an HTTP answer (dropped, raw).
        time: when it was received, in seconds since the epoch.
        headers: the request's headers by lower-case name; masked when shown.
    """

    method: str
    path: str = field(repr=lambda path: repr(mask_query(path)))
    provider: str | None
    status: int | None
    time: float
    headers: Mapping[str, str] = field(hash=False, repr=lambda headers: repr(mask(headers)))

    def to_dict(self) -> dict[str, object]:
        """Return the request for JSON, with keys masked."""
        return {
            "method": self.method,
            "path": mask_query(self.path),
            "provider": self.provider,
            "status": self.status,
            "time": self.time,
            "headers": mask(self.headers),
        }


class Journal:
    """The last requests, oldest first, each with a number."""

    def __init__(self) -> None:
        self._entries = Recent[int, Received](KEPT)
        self._count = 0

    def add(self, received: Received) -> int:
        """Add a request; return its number, counted from 1."""
        self._count += 1
        self._entries[self._count] = received
        return self._count

    def answered(self, number: int, status: int) -> None:
        """Record the status code of the answer, if the journal still has the request."""
        if number in self._entries:
            self._entries[number] = evolve(self._entries[number], status=status)

    def entries(self) -> list[Received]:
        """Return the requests, oldest first."""
        return list(self._entries.values())

    def clear(self) -> None:
        """Delete every request and count from 1 again."""
        self._entries.clear()
        self._count = 0
