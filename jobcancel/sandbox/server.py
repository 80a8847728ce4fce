"""`Sandbox`: the server on loopback, in a thread of its own, and its controls for Python."""

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
from jobcancel.sandbox.keys import MAIN_KEYS
from jobcancel.sandbox.page import environment
from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.world import World, check_vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from starlette.types import ASGIApp

    from jobcancel.sandbox.faults import Fault, On
    from jobcancel.sandbox.journal import Received
    from jobcancel.sandbox.quota import Quota

_VENDOR = {"pulse": "pulse", "pulse-legacy": "pulse", "talonic": "talonic"} | {
    name: name for name in VENDORS
}
"""Provider -> the vendor that answers for it."""


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is ready and closes all connections when it stops."""

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

    def run_and_tell(self, listener: socket.socket) -> None:
        """Serve until the end, and say that it is not ready when it never will be."""
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

    Used as a context manager it serves from a thread and stops when the block is left. It
    remembers the last 10,000 submitted jobs, 10,000 answers to replay and 1,000 requests, and
    forgets older ones; the seeded jobs stay. Its page shows the last 100 submitted jobs.

    Args:
        host: a loopback address; any other is refused, for the sandbox guards nothing.
        port: the port to listen on; 0 for any free one.
        pending: seconds that a submitted job waits before it runs.
        running: seconds that it then runs.
        quotas: API key -> what it may use; keys that are missing may use any amount.
        now: the clock that the jobs and quotas go by, in seconds since the epoch.

    Raises:
        ConfigurationError: the host is not a loopback address, the port is no port, or another
            argument cannot be right.

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
            ConfigurationError: the port cannot be had, or the sandbox runs already.
        """
        if self._server is not None:
            raise ConfigurationError(f"this sandbox is already running at {self.url}")
        listener = self._listen()
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._url = f"http://{shown}:{listener.getsockname()[1]}"
        ready = threading.Event()
        self._server = _Server(App(self._world), ready)
        self._thread = threading.Thread(
            target=self._server.run_and_tell,
            args=(listener,),
            name="jobcancel-sandbox",
            daemon=True,
        )
        self._thread.start()
        ready.wait()
        if not self._server.started:
            self.__exit__(None, None, None)
            listener.close()
            raise ConfigurationError("the sandbox's server did not start; why is on stderr")
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
            advice = "; stop what listens there, or choose another port (0 for any free one)"
            raise ConfigurationError(
                f"cannot listen on port {self._port} of {self._host}: {error}"
                f"{advice if error.errno == errno.EADDRINUSE else ''}"
            ) from error

    @property
    def url(self) -> str:
        """The address at which the sandbox listens, with its port.

        Raises:
            ConfigurationError: it is not running.
        """
        if self._url is None:
            raise ConfigurationError("the sandbox is not running: use it in a with statement")
        return self._url

    @property
    def base_urls(self) -> dict[str, str]:
        """Provider -> base URL, as a client takes them."""
        ends = {name: vendor.base for name, vendor in VENDORS.items()}
        return {
            provider: f"{self.url}/{vendor}{ends.get(provider, '')}"
            for provider, vendor in _VENDOR.items()
        }

    @property
    def api_keys(self) -> dict[str, str]:
        """Provider -> API key, as a client takes them."""
        return {provider: MAIN_KEYS[vendor] for provider, vendor in _VENDOR.items()}

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that point a client at the sandbox."""
        return environment(self.url)

    def submit(
        self,
        vendor: str,
        *,
        pending: float | None = None,
        running: float | None = None,
        ends_as: JobState | str = JobState.SUCCEEDED,
        key: str | None = None,
        on_cancel: CancelPolicy = AT_ONCE,
        job_id: str | None = None,
    ) -> str:
        """Submit a job without a request.

        Args:
            vendor: such as `"pulse"`.
            pending: seconds that it waits; the sandbox's own number by default.
            running: seconds that it then runs; the sandbox's own number by default.
            ends_as: `"succeeded"` or `"failed"`.
            key: the key of its owner; the main one by default.
            on_cancel: what an accepted cancel does to it.
            job_id: its id; a new one by default.

        Returns:
            The job's id.

        Raises:
            ConfigurationError: an argument cannot be right.
        """
        job = self._world.submit(
            vendor,
            pending=pending,
            running=running,
            ends_as=ends_as,
            key=key,
            on_cancel=on_cancel,
            job_id=job_id,
        )
        return job.job_id

    def job(self, vendor: str, job_id: str) -> SandboxJob:
        """Return the job as the vendor knows it now, whatever it may have answered.

        Raises:
            ConfigurationError: there is no such vendor or job.
        """
        with self._world.lock:
            job = self._world.jobs.find(check_vendor(vendor), job_id)
        if job is None:
            raise ConfigurationError(f"the sandbox's {vendor!r} has no job {job_id!r}")
        return job

    def fault(
        self, vendor: str, job_id: str, fault: Fault, *, on: On = "cancel", times: int | None = 1
    ) -> None:
        """Let coming requests about a job, which need not exist, meet a fault.

        Args:
            vendor: such as `"pulse"`.
            job_id: the job's id.
            fault: what goes wrong.
            on: the request that meets it, `"cancel"` or `"status"`.
            times: how many requests meet it; None for all.

        Raises:
            ConfigurationError: an argument cannot be right.
        """
        self._world.plan(vendor, job_id, fault, on=on, times=times)

    @property
    def requests(self) -> list[Received]:
        """The last 1,000 requests, oldest first; those for the sandbox's own pages are left out."""
        with self._world.lock:
            return self._world.journal.entries()

    def reset(self) -> None:
        """Begin anew: seeded jobs and faults in place, all else forgotten (quotas are full)."""
        self._world.reset()

    def serve_forever(self) -> None:
        """Serve until interrupted (Ctrl-C), starting first if need be."""
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
