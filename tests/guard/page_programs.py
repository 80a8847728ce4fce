"""Programs from documentation pages, which run in processes of their own against the sandbox.

The programs import `submit` from a module `vendor`, which stands for the reader's own code.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from jobcancel import ConfigurationError, JobState
from tests.examples import ROOT, files_on, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobcancel.sandbox import Sandbox

    Request: TypeAlias = Callable[[str], socket.socket]

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
PATIENCE = 30  # seconds; a failure, not a measurement

VENDOR = """\
import os

import httpx

SANDBOX = os.environ["PULSE_BASE_URL"].removesuffix("/pulse")


def submit() -> str:
    job = {"provider": "pulse", "pending": 0, "running": 600}
    reply = httpx.post(f"{SANDBOX}/_sandbox/jobs", json=job, trust_env=False)
    return reply.raise_for_status().json()["job_id"]
"""

# Appended to it, to test what cancels a job while its process lives.
WITHOUT_SUPERVISOR = """
from jobcancel.guard.link import link

link._problem = "this test does without"
"""


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "the condition did not become true"
        time.sleep(0.01)


def _connected(port: int) -> socket.socket:
    """Connect to a server, which may log its address before it listens."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < give_up, "the server does not listen"
            time.sleep(0.01)


class Programs:
    """A folder with the files of a page, and the sandbox that their jobs run in.

    Args:
        folder: an empty folder.
        page: the page, such as `"fastapi.md"`.
        sandbox: the sandbox.
    """

    def __init__(self, folder: Path, page: str, sandbox: Sandbox) -> None:
        self.folder = folder
        self.files = files_on(page)
        self._sandbox = sandbox
        self._waited_for: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        prepare(folder)  # the command `jobcancel`
        self.write("vendor.py", VENDOR)

    def write(self, name: str, text: str | None = None) -> None:
        """Write a file; without `text`, the one on the page."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.files[name] if text is None else text)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the programs."""
        path = [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        return {
            **os.environ,
            **self._sandbox.environ,
            "HOME": str(self.folder),  # gunicorn and Jupyter keep files there
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
        }

    @property
    def output(self) -> str:
        """The output of the command that runs."""
        return (self.folder / "output").read_text()

    @contextmanager
    def run(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command in the folder; whatever is left of its process group is killed."""
        with (self.folder / "output").open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._process = process
        try:
            yield process
        except BaseException as error:
            error.add_note(f"{command}: {process.poll()}\n{self.output}")
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def call(self, *command: str) -> str:
        """Run a short command in the folder; return its output."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serve(self, *command: str) -> Iterator[tuple[subprocess.Popen[bytes], Request]]:
        """Run an HTTP server that logs its address, and give a function that sends it a request."""
        with self.run(*command) as process:
            until(lambda: _ADDRESS.search(self.output) or self._has_ended())
            address = _ADDRESS.search(self.output)
            assert address is not None
            port = int(address[1])
            with ExitStack() as connections:

                def request(path: str) -> socket.socket:
                    connection = connections.enter_context(_connected(port))
                    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    return connection

                yield process, request

    def job_in_block(self) -> str:
        """Wait until a program waits for a job, which its guard then holds; return the job's id."""
        until(lambda: self._new_jobs() or self._has_ended())
        (job_id,) = self._new_jobs()
        self._waited_for.add(job_id)
        return job_id

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _new_jobs(self) -> set[str]:
        read = {
            each.path.rpartition("/")[2] for each in self._sandbox.requests if each.method == "GET"
        }
        return {job_id for job_id in read - self._waited_for if self._exists(job_id)}

    def _exists(self, job_id: str) -> bool:
        """Whether this test submitted the job: a process of an earlier test may still ask."""
        try:
            self._sandbox.job("pulse", job_id)
        except ConfigurationError:
            return False
        return True

    def is_cancelled(self, job_id: str) -> bool:
        """Whether the job has been cancelled."""
        return self._sandbox.job("pulse", job_id).state is JobState.CANCELLED

    def until_cancelled(self, job_id: str) -> None:
        """Wait until the job has been cancelled."""
        until(lambda: self.is_cancelled(job_id))
