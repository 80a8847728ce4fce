"""`Sandbox`: the server, which runs in a thread and listens on loopback, and its Python API."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from typing import TYPE_CHECKING, Self, cast

import uvicorn

from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState
from jobcancel.sandbox.app import App, is_loopback
from jobcancel.sandbox.checks import is_whole
from jobcancel.sandbox.connection import Connection
from jobcancel.sandbox.jobs import AT_ONCE, CancelPolicy, SandboxJob
from jobcancel.sandbox.page import environment
from jobcancel.sandbox.vendors.catalog import PROVIDERS, vendor_of
from jobcancel.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from starlette.types import ASGIApp

    from jobcancel.sandbox.faults import Fault, On
    from jobcancel.sandbox.journal import Received
    from jobcancel.sandbox.quota import Quota


class _Server(uvicorn.Server):
    """A uvicorn server that reports when it is ready and closes all connections when it stops."""

    def __init__(self, app: ASGIApp, ready: threading.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
            )
        )
        self._ready = ready

    def run_and_report(self, listener: socket.socket) -> None:
        """Serve until stopped; set `ready` also when the start failed."""
        try:
            self.run([listener])
        finally:
            self._ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        connections = cast("set[Connection]", set(self.server_state.connections))
        await asyncio.gather(*(connection.drop() for connection in connections))
        await super().shutdown(sockets)


class Sandbox:
    """A stateful local stand-in for the vendors.

    As a context manager it serves from a thread and stops at the end of the block. It starts with
    a job for every situation (`SITUATIONS`) at every provider. It keeps the last 10,000 submitted
    jobs, 10,000 answers to repeat and 1,000 requests. Its page shows the last 100 submitted jobs.

    Args:
        host: a loopback address; the sandbox has no security and refuses any other.
        port: the port; 0 for any free one.
        pending: default seconds before a submitted job starts to run.
        running: default seconds it then runs.
        quotas: API key -> its quota; other keys have none.
        now: the clock for jobs and quotas, in seconds since the epoch.

    Raises:
        ConfigurationError: the host is not a loopback address, or another argument is invalid.

    Example:
        >>> with Sandbox() as sandbox:
        ...     job_id = sandbox.submit("pulse")
        ...     sandbox.job("pulse", job_id).state
        <JobState.PENDING: 'pending'>
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pending: float = 1.0,
        running: float = 4.0,
        quotas: Mapping[str, Quota] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not (isinstance(host, str) and is_loopback(host)):
            raise ConfigurationError(
                f"host={host!r}: the sandbox listens on loopback only; use 127.0.0.1 or ::1"
            )
        if not (is_whole(port) and port in range(65_536)):
            raise ConfigurationError(f"port={port!r}: expected 0 to 65535 (0 for any free one)")
        address = host.strip("[]")  # as an IPv6 address is in a URL
        self._host = "127.0.0.1" if address.lower() == "localhost" else address
        self._port = port
        self._world = World(now=now, pending=pending, running=running, quotas=quotas or {})
        self._url: str | None = None
        self._server: _Server | None = None
        self._thread = threading.Thread()

    def __enter__(self) -> Self:
        """Serve from a thread; return when requests are accepted.

        Raises:
            ConfigurationError: the port is not available, or the sandbox is already running.
        """
        if self._server is not None:
            raise ConfigurationError(f"this sandbox is already running at {self.url}")
        listener = self._listen()
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._url = f"http://{shown}:{listener.getsockname()[1]}"
        ready = threading.Event()
        self._server = _Server(App(self._world), ready)
        self._thread = threading.Thread(
            target=self._server.run_and_report,
            args=(listener,),
            name="jobcancel-sandbox",
            daemon=True,
        )
        self._thread.start()
        ready.wait()
        if not self._server.started:
            self.__exit__(None, None, None)
            listener.close()
            raise ConfigurationError("the sandbox server failed to start; see stderr")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections and stop serving."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._url = None

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family, backlog=1024)
        except OSError as error:
            advice = "; stop the program there, or choose another port (0 for any free one)"
            raise ConfigurationError(
                f"cannot listen on port {self._port} of {self._host}: {error}"
                f"{advice if error.errno == errno.EADDRINUSE else ''}"
            ) from error

    @property
    def url(self) -> str:
        """The sandbox's URL, with its port.

        Raises:
            ConfigurationError: it is not running.
        """
        if self._url is None:
            raise ConfigurationError("the sandbox is not running: use it in a with statement")
        return self._url

    @property
    def base_urls(self) -> dict[str, str]:
        """Provider -> base URL, for a client's `base_urls`."""
        return {
            provider: f"{self.url}/{vendor.name}{vendor.base}"
            for provider, vendor in PROVIDERS.items()
        }

    @property
    def api_keys(self) -> dict[str, str]:
        """Provider -> API key, for a client's `api_keys`."""
        return {provider: vendor.key() for provider, vendor in PROVIDERS.items()}

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that point a client at the sandbox."""
        return environment(self.url)

    def submit(
        self,
        provider: str,
        *,
        pending: float | None = None,
        running: float | None = None,
        ends_as: JobState | str = JobState.SUCCEEDED,
        key: str | None = None,
        on_cancel: CancelPolicy = AT_ONCE,
        job_id: str | None = None,
    ) -> str:
        """Submit a job, without an HTTP request.

        Args:
            provider: a provider's name, such as `"pulse"`.
            pending: seconds before it starts to run; default: the sandbox's.
            running: seconds it then runs; default: the sandbox's.
            ends_as: `"succeeded"` or `"failed"`.
            key: its owner's API key; default: the one in `api_keys`.
            on_cancel: the effect of an accepted cancel.
            job_id: its id; default: a new one.

        Returns:
            The job's id.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        job = self._world.submit(
            provider,
            pending=pending,
            running=running,
            ends_as=ends_as,
            key=key,
            on_cancel=on_cancel,
            job_id=job_id,
        )
        return job.job_id

    def job(self, provider: str, job_id: str) -> SandboxJob:
        """Return the job as it really is now, whatever the sandbox answered.

        Raises:
            ConfigurationError: there is no such provider or job.
        """
        with self._world.lock:
            job = self._world.jobs.find(vendor_of(provider).name, job_id)
        if job is None:
            raise ConfigurationError(f"the sandbox's {provider!r} has no job {job_id!r}")
        return job

    def fault(
        self, provider: str, job_id: str, fault: Fault, *, on: On = "cancel", times: int | None = 1
    ) -> None:
        """Inject a fault into future requests about a job.

        Args:
            provider: a provider's name, such as `"pulse"`.
            job_id: the job's id; the job need not exist.
            fault: the fault.
            on: the kind of request, `"cancel"` or `"status"`.
            times: the number of requests; None for all.

        Raises:
            ConfigurationError: an argument is invalid.
        """
        self._world.inject_fault(provider, job_id, fault, on=on, times=times)

    @property
    def requests(self) -> list[Received]:
        """The last 1,000 requests to vendors, oldest first."""
        with self._world.lock:
            return self._world.journal.entries()

    def reset(self) -> None:
        """Restore the initial state: seeded jobs and faults, full quotas, nothing else."""
        self._world.reset()

    def serve_forever(self) -> None:
        """Serve until interrupted (Ctrl-C); start first if not running."""
        if self._server is None:
            with self:
                self._wait()
        else:
            self._wait()

    def _wait(self) -> None:
        try:
            self._thread.join()
        except KeyboardInterrupt:
            return
