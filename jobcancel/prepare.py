"""What comes before a call: a client's settings, checking the arguments, and its HTTP client.

`client` builds the sync and the async client on it.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import evolve, frozen

from jobcancel import config, flow
from jobcancel.adapter.protocol import Adapter, Endpoint
from jobcancel.errors import ConfigurationError, WrongType
from jobcancel.models import CancelResult, Job, JobReading
from jobcancel.registry import check_known, get_adapter
from jobcancel.retry import SYSTEM_CLOCK, Clock, Policy
from jobcancel.transport.clients import module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobcancel.flow.call import Flow
    from jobcancel.keys import AsyncApiKey
    from jobcancel.secret import Secret

C = TypeVar("C")  # the HTTP client that a caller may give
W = TypeVar("W")  # what is used when none is given


@frozen
class Call:
    """One call, checked: nothing about it can be refused any more."""

    adapter: Adapter
    job: Job
    policy: Policy
    endpoint: Endpoint
    clock: Clock

    def asked(self) -> Call:
        """Return the call with its key: a callable that was given as one is asked now, once.

        Raises:
            WrongType: it is async, or its answer is no string.
            ConfigurationError: its answer cannot be a key.
        """
        source = self.endpoint.key.source
        return self if source is None else self._with_key(source.ask())

    async def aasked(self) -> Call:
        """Return the call with its key; as `asked`, and the callable may be async."""
        source = self.endpoint.key.source
        return self if source is None else self._with_key(await source.aask())

    def _with_key(self, answer: Secret) -> Call:
        key = config.checked_key(self.adapter, answer)
        return evolve(self, endpoint=evolve(self.endpoint, key=key))

    def cancel(self) -> Flow[CancelResult]:
        """Return the flow that cancels the job."""
        return flow.cancel(self.adapter, self.job, self.policy, self.endpoint, clock=self.clock)

    def status(self) -> Flow[JobReading]:
        """Return the flow that reads the job."""
        return flow.status(self.adapter, self.job, self.policy, self.endpoint, clock=self.clock)


class Client(Generic[C, W]):
    """What the sync and the async client share: settings, checks, and their HTTP client."""

    _http_kind: str
    _new_http_client: Callable[[], W]
    # The one place where tests give a clock: to one client, or here to all of them at once.
    _clock: Clock = SYSTEM_CLOCK

    def __init__(
        self,
        *,
        api_keys: Mapping[str, AsyncApiKey] | None = None,
        base_urls: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        deadline: float = 30.0,
        verify: bool = False,
        http_client: C | None = None,
        allow_http: bool = False,
    ) -> None:
        # One HTTP client a process: after a fork the child opens its own connections.
        self._own: dict[int, W] = {}
        self._closed = False
        # Keys are hidden before anything can raise, so that no traceback's locals show them.
        keys, api_keys = config.hidden_keys(api_keys), None
        config.check_keys(keys)
        config.policy(timeout, deadline, verify)
        if http_client is not None:
            library = module_of(type(http_client))
            right = isinstance(http_client, getattr(library, self._http_kind))
            if not right:
                name, kind = type(self).__name__, self._http_kind
                raise WrongType(f"{name} needs an httpx.{kind} as http_client, not {http_client!r}")
        self._api_keys = keys
        self._base_urls = config.check_urls(base_urls)
        for provider in (*keys, *self._base_urls):
            check_known(provider)
        self._timeout = timeout
        self._deadline = deadline
        self._verify = verify
        self._http_client = http_client
        self._allow_http = allow_http

    # The defaults keep what is needed alive when the interpreter shuts down.
    def __del__(
        self,
        _pid: Callable[[], int] = os.getpid,
        _warn: Callable[..., None] = warnings.warn,
    ) -> None:
        if _pid() in getattr(self, "_own", ()):
            name = type(self).__name__
            _warn(f"unclosed {name}; use it in a `with`", ResourceWarning, 2, source=self)

    @property
    def clock(self) -> Clock:
        """Where this client's time and chance come from."""
        return self._clock

    def check_open(self) -> None:
        """Check that this client can still be used.

        Raises:
            ConfigurationError: it was closed.
        """
        if self._closed:
            raise ConfigurationError(f"this {type(self).__name__} is closed; make a new one")

    def http(self) -> C | W:
        """Return the HTTP client to send with: the caller's, or this process's own."""
        self.check_open()
        if self._http_client is not None:
            return self._http_client
        process = os.getpid()
        own = self._own.get(process)
        if own is None:
            # Of two threads that come here at once, one client is used and one never opened.
            own = self._own.setdefault(process, self._new_http_client())
        return own

    def prepare(
        self,
        provider: str,
        job_id: str,
        *,
        params: Mapping[str, str] | None = None,
        api_key: AsyncApiKey | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        verify: bool | None = None,
    ) -> Call:
        """Check the arguments of one call and say what it is; `asked` completes it."""
        self.check_open()
        adapter = get_adapter(provider)
        job = config.job(adapter, job_id, params)
        policy = config.policy(
            self._timeout if timeout is None else timeout,
            self._deadline if deadline is None else deadline,
            self._verify if verify is None else verify,
        )
        endpoint = config.endpoint(
            adapter,
            api_keys=self._api_keys,
            base_urls=self._base_urls,
            api_key=api_key,
            base_url=base_url,
            allow_http=self._allow_http,
            params=job.params,
        )
        if adapter.deprecated is not None:
            message = f"provider {adapter.name!r} is deprecated; use {adapter.deprecated!r}"
            warnings.warn(message, DeprecationWarning, stacklevel=_callers_level())
        return Call(adapter, job, policy, endpoint, self._clock)


_OURS = f"{Path(__file__).parent}{os.sep}"


def _callers_level() -> int:
    """Return the `stacklevel` that makes a warning point at the line that called a client."""
    level, frame = 0, sys._getframe(1)  # noqa: SLF001 - what `warnings` itself counts frames with
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    return level + 1
