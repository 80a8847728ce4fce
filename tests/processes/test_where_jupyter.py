"""The guard in a notebook's cells, as on the page about notebooks, in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.guard.page_programs import PATIENCE, Programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytest.importorskip("ipykernel")
jupyter_client = pytest.importorskip("jupyter_client")

ERRORS = {"a cell": "KeyboardInterrupt", "an async cell": "CancelledError"}


class Notebook:
    """A running kernel.

    Args:
        programs: the page's cells.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self.kernel = jupyter_client.KernelManager(kernel_name="python3")
        self.kernel.start_kernel(cwd=programs.folder, env=programs.environ)
        self._client = self.kernel.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)

    def run(self, cell: str) -> tuple[str, str]:
        """Run a cell of the page until it waits for a job; return its number and the job's id."""
        # An older ipykernel aborts what it gets right after an error.
        number = self._client.execute(self._programs.files[cell], stop_on_error=False)
        return number, self._programs.job_in_block()

    def error(self, number: str) -> str:
        """Wait for the end of a cell; return the name of its error."""
        while True:
            reply: dict[str, Any] = self._client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == number:
                return str(reply["content"]["ename"])

    def restart(self, *, now: bool) -> None:
        """Restart the kernel."""
        self.kernel.restart_kernel(now=now)
        self._client.wait_for_ready(timeout=PATIENCE)

    def close(self) -> None:
        """Kill the kernel."""
        self._client.stop_channels()
        self.kernel.shutdown_kernel(now=True)


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    return Programs(tmp_path, "notebook.md", sandbox)


@pytest.fixture
def notebook(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(programs.folder))
    notebook = Notebook(programs)
    yield notebook
    notebook.close()


def test_an_interrupt_of_the_kernel_cancels_the_job(programs: Programs, notebook: Notebook) -> None:
    for cell, error in ERRORS.items():
        number, job_id = notebook.run(cell)
        notebook.kernel.interrupt_kernel()
        assert error == notebook.error(number)
        assert programs.is_cancelled(job_id)


def test_a_restart_of_the_kernel_cancels_the_job(programs: Programs, notebook: Notebook) -> None:
    for cell in ERRORS:
        _, job_id = notebook.run(cell)
        notebook.restart(now=False)
        programs.until_cancelled(job_id)


def test_a_kernel_that_is_killed_leaves_no_job(programs: Programs, notebook: Notebook) -> None:
    _, job_id = notebook.run("a cell")
    notebook.restart(now=True)
    programs.until_cancelled(job_id)
