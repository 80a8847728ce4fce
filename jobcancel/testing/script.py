"""`scripted`: plays a vendor's replies, faults and delays in order, without I/O or waiting.

For tests of how an application handles an outcome. A script replaces httpx's transport, so the
whole of jobcancel above it runs; time passes on a simulated clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, Self
from unittest import mock

import httpx
from attrs import define, field, frozen

from jobcancel import bulk
from jobcancel.adapter import BEARER, HttpAdapter
from jobcancel.adapter.routes import variables
from jobcancel.client import AsyncCanceller, Canceller, _BaseCanceller
from jobcancel.errors import BrokenAdapter, ConfigurationError, WrongType
from jobcancel.registry import get_adapter, providers
from jobcancel.testing.clocks import StillClock
from jobcancel.testing.steps import Step

if TYPE_CHECKING:
    from jobcancel.adapter import Adapter

_KEY = "scripted-key"


class ScriptError(AssertionError):
    """There was a request without a step, or a step without a request."""


@frozen(kw_only=True)
class Sent:
    """A request that was sent to a script.

    Args:
        method: the method, such as `"DELETE"`.
        path: the path and query.
        headers: the headers with lower-case names, without the API key's.
        body: the body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def scripted(*steps: Step) -> Script:
    """Return a script: the responses to requests, in order.

    As a context manager, it responds to every call of jobcancel in this process that has no
    `http_client`; steps that are left at the end are an error. Otherwise it responds to the
    clients that its methods return.

    Args:
        steps: from `reply`, `lost_reply` and `unreachable`.

    Raises:
        ConfigurationError: an argument is not a step.

    Example:
        >>> from jobcancel import cancel
        >>> from jobcancel.testing import lost_reply, reply, scripted
        >>> with scripted(lost_reply(), reply(200, {"status": "canceled"})) as script:
        ...     cancel("pulse", "1").outcome
        <Outcome.CANCELLED: 'cancelled'>
        >>> [str(request) for request in script.requests]
        ['DELETE /job/1', 'GET /job/1']
    """
    for step in steps:
        if not isinstance(step, Step):
            raise WrongType(f"a step must come from reply() or its like, not {step!r}")
    return Script(steps)


@define(eq=False)
class Script:
    """A script, from `scripted`.

    Attributes:
        steps: all steps.
        requests: the requests, in order.
    """

    steps: tuple[Step, ...]
    requests: list[Sent] = field(init=False, factory=list)
    _credentials: frozenset[str] = field(init=False)
    _played: int = field(init=False, default=0)
    _time: StillClock = field(init=False, factory=StillClock)
    _entered: ExitStack = field(init=False, factory=ExitStack)

    @_credentials.default
    def _headers_with_keys(self) -> frozenset[str]:
        ours = (a.credential.header.lower() for a in _adapters() if isinstance(a, HttpAdapter))
        return frozenset({BEARER.header.lower(), *ours})

    @property
    def waits(self) -> list[float]:
        """The seconds of each wait between two requests, all of them simulated."""
        return self._time.waits

    @property
    def unused(self) -> tuple[Step, ...]:
        """The steps that are left."""
        return self.steps[self._played :]

    def finish(self) -> None:
        """Check that every step was played.

        Raises:
            ScriptError: steps are left; the message lists them.
        """
        if self.unused:
            left = ", ".join(map(str, self.unused))
            raise ScriptError(f"not played: {left}; {self._so_far()}")

    def canceller(
        self, *, timeout: float = 10.0, deadline: float = 30.0, verify: bool = False
    ) -> Canceller:
        """Return a client that uses the script; arguments as for `Canceller`."""
        made = Canceller(
            api_keys={adapter.name: _KEY for adapter in _adapters()},
            base_urls=dict(_urls()),
            timeout=timeout,
            deadline=deadline,
            verify=verify,
            http_client=self._client(),
        )
        made.clock = self._time.clock
        return made

    def async_canceller(
        self, *, timeout: float = 10.0, deadline: float = 30.0, verify: bool = False
    ) -> AsyncCanceller:
        """Return an async client that uses the script; arguments as for `Canceller`."""
        made = _InOrder(
            api_keys={adapter.name: _KEY for adapter in _adapters()},
            base_urls=dict(_urls()),
            timeout=timeout,
            deadline=deadline,
            verify=verify,
            http_client=self._async_client(),
        )
        made.clock = self._time.clock
        return made

    def __enter__(self) -> Self:
        self._entered.enter_context(self._everywhere())
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._entered.close()
        if kind is None:
            self.finish()

    @contextmanager
    def _everywhere(self) -> Iterator[None]:
        sync, asynchronous = self._client(), self._async_client()

        def http(client: _BaseCanceller[Any, Any]) -> object:
            if client._http_client is not None:  # noqa: SLF001 - the application's own
                return client._http_client  # noqa: SLF001 - likewise
            return sync if isinstance(client, Canceller) else asynchronous

        keys = {adapter.key_env: _KEY for adapter in _adapters()}
        unset = {name: "" for adapter in _adapters() for name in variables(adapter.params)}
        urls = {get_adapter(name).url_env: url for name, url in _urls()}
        with (
            mock.patch.dict(os.environ, {**unset, **keys, **urls}),
            mock.patch.object(_BaseCanceller, "http", http),
            mock.patch.object(_BaseCanceller, "clock", self._time.clock),
            mock.patch.object(bulk, "CancelResults", _refuse_many),
            mock.patch.object(bulk, "AsyncCancelResults", _refuse_many),
        ):
            yield

    def _client(self) -> httpx.Client:
        # A proxy from the environment must not be used.
        return httpx.Client(transport=_Transport(self), trust_env=False)

    def _async_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=_Transport(self), trust_env=False)

    def play(self, request: httpx.Request) -> httpx.Response:
        """Play the next step to a request.

        Raises:
            ScriptError: there is none.
            TransportError: the step is a fault, or takes too long.
        """
        sent = Sent(
            method=request.method,
            path=request.url.raw_path.decode(),
            headers={n: v for n, v in request.headers.items() if n not in self._credentials},
            body=request.content,
        )
        if not self.unused:
            raise ScriptError(f"no step for {sent}: all were played; {self._so_far()}")
        step = self.unused[0]
        self._played += 1
        self.requests.append(sent)
        limit = request.extensions["timeout"]["read"]
        self._time.now += min(step.after, limit)
        if step.after > limit:
            raise step.late(f"scripted: no reply within {limit:g} seconds", request=request)
        if step.status_code is None:
            raise step.fault(f"scripted: {step}", request=request)
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    def _so_far(self) -> str:
        sent = ", ".join(map(str, self.requests)) or "none"
        return f"requests so far: {sent}"


class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Plays a script to sync and async clients of httpx."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._script.play(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._script.play(request)


class _InOrder(AsyncCanceller):
    """A client that sends one request at a time."""

    def cancel_many(self, *_: object, **__: object) -> NoReturn:
        _refuse_many()


def _refuse_many(*_: object, **__: object) -> NoReturn:
    raise ConfigurationError(
        "a script is played in order, but cancel_many sends in no fixed order; test it with the "
        "sandbox"
    )


def _urls() -> Iterator[tuple[str, str]]:
    """Give each provider's default URL, unless it depends on a job's params."""
    for adapter in _adapters():
        if "{" not in adapter.default_url:
            yield adapter.name, adapter.default_url


def _adapters() -> Iterator[Adapter]:
    for name in providers():
        with suppress(BrokenAdapter):  # of a plug-in that the test does not use
            yield get_adapter(name)
