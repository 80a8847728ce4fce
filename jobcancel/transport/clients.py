"""The interface of HTTP clients that `pump` uses, and the meaning of their errors."""

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
    """A sync HTTP client, such as an `httpx.Client` or an `httpx2.Client`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Like httpx's."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Like httpx's."""
        ...

    def close(self) -> None:
        """Like httpx's."""
        ...


class AsyncHttpClient(Protocol):
    """An async HTTP client, such as an `httpx.AsyncClient` or an `httpx2.AsyncClient`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Like httpx's."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Like httpx's."""
        ...

    async def aclose(self) -> None:
        """Like httpx's."""
        ...


@frozen
class Errors:
    """The exceptions of an HTTP client, and its capabilities.

    Args:
        failures: all exceptions that the server or the network can cause.
        never_sent: those of them after which the request cannot have arrived.
        timeouts: those of them that mean a timeout.
        keeps_time: whether `timeout` applies to the whole exchange, to the last byte of the body.
        separates_keys: whether `build_request` accepts the `owner` of a request: the key whose
            connections are not used for other keys.
    """

    failures: tuple[type[Exception], ...]
    never_sent: tuple[type[Exception], ...]
    timeouts: tuple[type[Exception], ...]
    keeps_time: bool = False
    separates_keys: bool = False


@frozen
class Headers:
    """A reply's headers, as received."""

    raw: Sequence[tuple[bytes, bytes]]


# The errors after which a request cannot have arrived; all the libraries use these names. After
# any other error, the request may have arrived.
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")


def module_of(kind: type) -> Any:  # noqa: ANN401 - the module httpx or httpx2
    """Return the library of a client's type.

    Raises:
        WrongType: the type is neither from httpx nor from httpx2.
    """
    for each in kind.__mro__:
        if (root := each.__module__.partition(".")[0]) in {"httpx", "httpx2"}:
            return sys.modules[root]
    raise WrongType(f"http_client must be a client of httpx or httpx2, not a {kind.__qualname__}")


def errors_of(client: Any) -> Errors:  # noqa: ANN401 - any HttpClient or AsyncHttpClient
    """Return a client's exceptions: from its attribute `errors`, else those of its library."""
    errors = getattr(client, "errors", None)
    return errors if isinstance(errors, Errors) else errors_of_library(module_of(type(client)))


@cache
def errors_of_library(library: Any) -> Errors:  # noqa: ANN401 - the module httpx or httpx2
    """Return the exceptions of a library's clients."""
    return Errors(
        # A client that the caller passes also parses the target of a redirect, and raises if the
        # URL is malformed.
        failures=(library.RequestError, library.InvalidURL, UnicodeError),
        never_sent=never_sent(library),
        timeouts=(library.TimeoutException,),
    )


def never_sent(library: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401 - httpx, httpx2 or httpcore
    """Return a library's errors after which a request cannot have arrived."""
    return tuple(getattr(library, name) for name in _NEVER_SENT)
