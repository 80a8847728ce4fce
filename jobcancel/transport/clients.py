"""What `drive` needs of an HTTP client: its two methods, and what its errors mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from jobcancel.errors import WrongType

if TYPE_CHECKING:
    from collections.abc import Callable


class HttpClient(Protocol):
    """What a sync call sends with: an `httpx.Client`, or an `httpx2.Client`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    def close(self) -> None:
        """As httpx's."""
        ...


class AsyncHttpClient(Protocol):
    """What an async call sends with: an `httpx.AsyncClient`, or an `httpx2.AsyncClient`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """As httpx's."""
        ...

    async def aclose(self) -> None:
        """As httpx's."""
        ...


@frozen
class Errors:
    """What a library raises when an exchange fails, and whether it ends one in time.

    Args:
        failures: all of what a server, or the way to it, can be the reason of.
        never_sent: those of them after which the request cannot have arrived.
        timeouts: those that say that time was up.
        keeps_time: whether `timeout` is for the whole exchange, to the last byte of the body.
        separates_keys: whether `build_request` takes the `owner` of a request, a key whose
            connections no other's requests use.
    """

    failures: tuple[type[Exception], ...]
    never_sent: tuple[type[Exception], ...]
    timeouts: tuple[type[Exception], ...]
    keeps_time: bool = False
    separates_keys: bool = False


@frozen
class Headers:
    """A reply's headers as they came."""

    raw: Sequence[tuple[bytes, bytes]]


# The errors after which a request cannot have arrived, by the names that all the libraries use;
# every other one leaves that open.
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")


def module_of(kind: type) -> Any:  # noqa: ANN401 - the module httpx or httpx2
    """Return the library that a kind of client comes from.

    Raises:
        WrongType: it is neither httpx's nor httpx2's.
    """
    for each in kind.__mro__:
        if (root := each.__module__.partition(".")[0]) in {"httpx", "httpx2"}:
            return sys.modules[root]
    raise WrongType(f"http_client must be a client of httpx or httpx2, not a {kind.__qualname__}")


def errors_of(client: Any) -> Errors:  # noqa: ANN401 - any HttpClient or AsyncHttpClient
    """Return what a client raises: what it says itself, or what its library has."""
    own = getattr(client, "errors", None)
    return own if isinstance(own, Errors) else errors_of_library(module_of(type(client)))


@cache
def errors_of_library(library: Any) -> Errors:  # noqa: ANN401 - the module httpx or httpx2
    """Return what clients of a library raise."""
    return Errors(
        # A client of the caller's own also follows up where a redirect leads, as far as working
        # out the address, and raises when that is malformed.
        failures=(library.RequestError, library.InvalidURL, UnicodeError),
        never_sent=never_sent(library),
        timeouts=(library.TimeoutException,),
    )


def never_sent(library: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401 - likewise, or httpcore
    """Return a library's errors after which a request cannot have arrived."""
    return tuple(getattr(library, name) for name in _NEVER_SENT)
