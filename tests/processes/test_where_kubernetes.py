"""`jobcancel run` as the first process of a container, as on the page about Kubernetes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.guard.page_programs import Programs

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox

# Another process namespace: the command is its first process, as in a container.
AS_USER = () if os.geteuid() == 0 else ("--map-root-user",)
CONTAINER = ("unshare", *AS_USER, "--pid", "--fork", "--mount-proc", "--kill-child")


def _cannot_be_made() -> str | None:
    if shutil.which("unshare") is None:
        return "there is no command unshare"
    done = subprocess.run([*CONTAINER, "true"], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else None


needs_container = pytest.mark.skipif(
    (reason := _cannot_be_made()) is not None, reason=f"no process namespace: {reason}"
)


@pytest.fixture
def programs(tmp_path: Path, sandbox: Sandbox) -> Programs:
    programs = Programs(tmp_path, "kubernetes.md", sandbox)
    programs.write("report.py")
    return programs


@pytest.fixture
def command(programs: Programs) -> list[str]:
    """The command of the container in the manifest."""
    job = yaml.safe_load(programs.files["job.yaml"])
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    words: list[str] = container["command"]
    grace = float(words[words.index("--grace") + 1])
    assert grace < pod["terminationGracePeriodSeconds"]
    return words


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split()]


def first_process(container: subprocess.Popen[bytes]) -> int:
    """Return the pid, outside of the container, of its first process."""
    (pid,) = children(container.pid)
    return pid


@needs_container
def test_the_job_of_a_pod_that_is_deleted_is_cancelled(
    programs: Programs, command: list[str]
) -> None:
    with programs.run(*CONTAINER, *command) as container:
        job_id = programs.job_in_block()
        os.kill(first_process(container), signal.SIGTERM)
        assert 128 + signal.SIGTERM == container.wait()
        assert programs.is_cancelled(job_id)


@needs_container
def test_the_job_of_a_program_that_is_killed_for_its_memory_is_cancelled(
    programs: Programs, command: list[str]
) -> None:
    with programs.run(*CONTAINER, *command) as container:
        job_id = programs.job_in_block()
        (program,) = children(first_process(container))
        os.kill(program, signal.SIGKILL)  # as the kernel does
        assert 128 + signal.SIGKILL == container.wait()
        assert programs.is_cancelled(job_id)


def test_the_command_of_the_manifest_cancels_the_job_after_sigterm(
    programs: Programs, command: list[str]
) -> None:
    with programs.run(*command) as process:
        job_id = programs.job_in_block()
        process.terminate()
        assert -signal.SIGTERM == process.wait()
        assert programs.is_cancelled(job_id)
