"""`jobcancel wait`: waits for the end of one job, with a line of progress, and prints the end."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from rich.progress import Progress, SpinnerColumn

from jobcancel import JobReading, JobState
from jobcancel.cli import FAILED
from jobcancel.cli.interrupt import Interrupts
from jobcancel.cli.options import needing_key
from jobcancel.cli.output import printer, progress_console, terminal
from jobcancel.cli.progress import TextColumn
from jobcancel.cli.streams import clean, complain, discard_stdout
from jobcancel.guard.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.progress import Task

    from jobcancel import Canceller, CancelResult


_SHOW_CURSOR = "\x1b[?25h"
"""The line of progress hides it."""


def run(
    canceller: Canceller,
    provider: str,
    job_id: str,
    params: Mapping[str, str],
    *,
    timeout: float,
    poll: float | None,
    cancel: bool,
    as_json: bool,
) -> int:
    """Wait for a job, and print the last reading or the result of the cancel.

    The first Ctrl-C or SIGTERM cancels the job. The second one quits; the job is then left to the
    guard's supervisor.

    Args:
        canceller: the client.
        provider: the job's provider.
        job_id: its id.
        params: its other params.
        timeout: seconds for the wait.
        poll: seconds between two status reads; None for the default.
        cancel: whether to cancel the job when the time is up, or after an interrupt.
        as_json: whether to print JSON.

    Returns:
        the exit status.
    """
    interrupts = Interrupts(f"Cancelling {clean(job_id)}" if cancel else "")

    def abandon() -> NoReturn:
        # Not by an exception: the guard would cancel again before the process ends.
        show_cursor = _SHOW_CURSOR if os.isatty(2) else ""
        message = f"{show_cursor}jobcancel: interrupted while cancelling {clean(job_id)}\n"
        with suppress(OSError):
            os.write(2, message.encode())
        os._exit(interrupts.exit_status)

    answer: JobReading | CancelResult | None
    with _shown(f"{provider} {job_id}", timeout) as show:
        wait = Wait(
            provider=provider,
            job_id=job_id,
            timeout=timeout,
            cancel=cancel,
            poll=poll,
            params=params,
            api_key=None,
            base_url=None,
            on_progress=show,
        )
        try:
            with needing_key(provider), interrupts.handled(_interrupt, abandon):
                answer = wait.run(canceller)
        except KeyboardInterrupt:
            answer = wait.result
    if answer is None:
        complain(f"interrupted while waiting for {job_id}; it was not cancelled")
        return interrupts.exit_status
    exit_status = 0 if answer.state is JobState.SUCCEEDED else FAILED
    try:
        printer([job_id], as_json=as_json)(answer)
    except OSError as error:
        exit_status = FAILED
        discard_stdout()
        word = answer.state or answer.problem if isinstance(answer, JobReading) else answer.outcome
        complain(f"the output cannot be written ({error.strerror}); {job_id}: {word}")
    return interrupts.exit_status or exit_status


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _shown(job: str, timeout: float) -> Iterator[Callable[[JobReading], object] | None]:
    """Show a line of progress if standard error is a terminal; give a function that updates it.

    Args:
        job: the job's name.
        timeout: seconds for the wait.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    line = _Line(job, timeout)
    with line:
        yield line.show


class _Line(Progress):
    """The job's state, how much of it is done, and the time."""

    def __init__(self, job: str, timeout: float) -> None:
        self._job = job
        super().__init__(
            SpinnerColumn(),
            *(TextColumn(text) for text in (_description, _time)),
            console=progress_console(terminal()),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self.add_task(f"waiting for {clean(job)}", total=timeout)

    def show(self, reading: JobReading) -> None:
        """Show a reading."""
        words = [reading.state or f"the status cannot be read ({reading.problem})"]
        if reading.state is JobState.UNKNOWN:
            words = [f"{reading.raw_state!r}"]
        if (done := reading.progress) is not None:
            words.append(f"{done.done}{'' if done.total is None else f' of {done.total}'} done")
        self.update(self._task, description=f"{clean(self._job)}: {clean(', '.join(words))}")


def _description(task: Task) -> str:
    return task.description


def _time(task: Task) -> str:
    elapsed, timeout = (timedelta(seconds=int(each or 0)) for each in (task.elapsed, task.total))
    return f"{elapsed} of {timeout}"
