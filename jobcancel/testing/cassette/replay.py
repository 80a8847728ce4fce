"""Replays a cassette in place of the network, for httpx, aiohttp or any other library.

vcrpy patches the libraries that it supports; all other connections are blocked.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from unittest import mock

import vcr
from vcr.persisters.filesystem import FilesystemPersister

from jobcancel.adapter.routes import Placeholder, parse, variables
from jobcancel.registry import get_adapter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vcr.cassette import Cassette

    from jobcancel.adapter import Adapter
    from jobcancel.testing.cassette import Recording

_KEY = "replayed-key"
MATCHED = ("method", "scheme", "host", "port", "path", "query", "content")
"""The parts in which a request must equal the recorded one."""


class NetworkBlocked(RuntimeError):
    """Code tried to use the network while a cassette is replayed.

    It is not an `OSError`, so it cannot be mistaken for an unreachable vendor.
    """


def _same_content(sent: Any, held: Any) -> bool:  # noqa: ANN401 - vcrpy's requests
    """Whether two bodies are equal; for some vendors the job's id is in the body."""
    return (sent.body or b"") == (held.body or b"")


def own_url(adapter: Adapter, params: Mapping[str, str]) -> str:
    """Return the vendor's default base URL, regardless of the environment.

    A part of its host that has no param is filled with the param's name.

    Example:
        >>> own_url(get_adapter("azure-openai-batch"), {})
        'https://resource.openai.azure.com'
    """
    names = [part.name for part in parse(adapter.default_url) if isinstance(part, Placeholder)]
    return adapter.default_url.format_map({name: params.get(name, name) for name in names})


@contextmanager
def replaying(recording: Recording, persister: Any = FilesystemPersister) -> Iterator[Cassette]:  # noqa: ANN401 - vcrpy has no type for it
    """Replay a recording to all requests, with a fake API key.

    Args:
        recording: the recording.
        persister: reads the cassette.
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
        no_network(f"while the cassette {name!r} is replayed"),
        replies.use_cassette(str(recording.path)) as cassette,
    ):
        yield cassette


@contextmanager
def no_network(when: str) -> Iterator[None]:
    """Block connections and host name lookups.

    Sockets without a network address, such as those of an event loop, still work.

    Args:
        when: the end of the message, such as `"in this test"`.
    """

    def refuse(what: object) -> NoReturn:
        raise NetworkBlocked(f"the network is blocked {when}: {what}")

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
