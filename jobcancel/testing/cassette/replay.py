"""Plays a recording instead of the network, whatever sends: httpx, aiohttp, or anything else.

vcrpy stands in for the libraries that it knows; any other connection is refused.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from unittest import mock

import vcr
from vcr.persisters.filesystem import FilesystemPersister

from jobcancel.registry import get_adapter
from jobcancel.routes import Placeholder, parse, variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vcr.cassette import Cassette

    from jobcancel.adapter import Adapter
    from jobcancel.testing.cassette import Recording

_KEY = "replayed-key"
MATCHED = ("method", "scheme", "host", "port", "path", "query", "content")
"""What two requests must have in common to be the same."""


class NetworkBlocked(RuntimeError):
    """Something tried to use the network while a cassette is played.

    It is no `OSError`, so that nothing takes it for a vendor that cannot be reached.
    """


def _same_content(sent: Any, held: Any) -> bool:  # noqa: ANN401 - vcrpy's requests
    """Whether two bodies are the same; some vendors have the job's id in it."""
    return (sent.body or b"") == (held.body or b"")


def own_url(adapter: Adapter, params: Mapping[str, str]) -> str:
    """Return the vendor's own base URL, whatever the environment says.

    A part of its host for which there is no param, for the address was given, is made up: it is
    the param's name.

    Example:
        >>> own_url(get_adapter("azure-openai-batch"), {})
        'https://resource.openai.azure.com'
    """
    names = [part.name for part in parse(adapter.default_url) if isinstance(part, Placeholder)]
    return adapter.default_url.format_map({name: params.get(name, name) for name in names})


@contextmanager
def replaying(recording: Recording, persister: Any = FilesystemPersister) -> Iterator[Cassette]:  # noqa: ANN401 - vcrpy has no type for it
    """Play a recording to all requests, with an API key that is made up.

    Args:
        recording: what to play.
        persister: what reads it.
    """
    adapter = get_adapter(recording.provider)
    replies = vcr.VCR(record_mode=vcr.mode.NONE, match_on=MATCHED)
    replies.register_persister(persister)
    replies.register_matcher("content", _same_content)
    name = "/".join(recording.path.with_suffix("").parts[-2:])
    url = own_url(adapter, recording.options.get("params") or {})
    unset = dict.fromkeys(variables(adapter.params), "")
    environment = {**unset, adapter.key_env: _KEY, adapter.url_env: url}
    with (
        mock.patch.dict(os.environ, environment),
        no_network(f"while the cassette {name!r} is played"),
        replies.use_cassette(str(recording.path)) as cassette,
    ):
        yield cassette


@contextmanager
def no_network(when: str) -> Iterator[None]:
    """Refuse to open connections and to look up hosts.

    Sockets of the local machine that have no address, such as an event loop's own, still work.

    Args:
        when: what to say in the message, such as `"in this test"`.
    """

    def refuse(what: object) -> NoReturn:
        raise NetworkBlocked(f"no connection is opened {when}: {what}")

    def guarded(name: str) -> Any:  # noqa: ANN401 - any method of a socket
        real = getattr(socket.socket, name)

        def guard(self: socket.socket, *arguments: Any) -> Any:  # noqa: ANN401 - likewise
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                refuse(arguments[-1])
            return real(self, *arguments)

        return mock.patch.object(socket.socket, name, guard)

    with (
        guarded("connect"),
        guarded("connect_ex"),
        guarded("sendto"),
        mock.patch.object(socket, "getaddrinfo", lambda host, *_, **__: refuse(host)),
    ):
        yield
