"""Jobs named on the command line, one after the other."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from jobcancel.cli import FAILED, INTERRUPTED
from jobcancel.cli.interrupt import Interrupts
from jobcancel.cli.options import needing_key
from jobcancel.cli.output import printer, waiting
from jobcancel.cli.streams import complain, discard_stdout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobcancel import Canceller


def cancel_jobs(
    canceller: Canceller,
    provider: str,
    job_ids: Sequence[str],
    params: Mapping[str, str],
    *,
    strict: bool,
    as_json: bool,
) -> int:
    """Cancel jobs and print the outcome of each; return the exit status.

    Ctrl-C abandons the job that is being cancelled, SIGTERM waits for its result. After either,
    the jobs for which nothing was sent are listed.

    Args:
        canceller: the client.
        provider: the jobs' provider.
        job_ids: their ids.
        params: the jobs' other params.
        strict: whether a job that is stopping counts as not stopped.
        as_json: whether results are printed as JSON.
    """
    put, interrupts = printer(job_ids, as_json=as_json), Interrupts()
    left, exit_status = [*job_ids], 0
    try:
        with needing_key(provider), interrupts.handled(lambda: None, signals=(signal.SIGTERM,)):
            while left and not interrupts.count:
                job_id = left.pop(0)
                with waiting(f"cancelling {job_id}"):
                    result = canceller.cancel(provider, job_id, params=params)
                if not (result.stopped or (result.accepted and not strict)):
                    exit_status = FAILED
                try:
                    put(result)
                except OSError as error:
                    exit_status = FAILED
                    discard_stdout()
                    if left or not isinstance(error, BrokenPipeError):
                        lost = f"{job_id}: {result.outcome}"
                        complain(f"the output cannot be written ({error.strerror}); last {lost}")
                    break
    except KeyboardInterrupt:
        exit_status = INTERRUPTED
    if left:
        complain(f"not cancelled: {' '.join(left)}")
    return interrupts.exit_status or exit_status


def read_statuses(
    canceller: Canceller,
    provider: str,
    job_ids: Sequence[str],
    params: Mapping[str, str],
    *,
    as_json: bool,
) -> int:
    """Print the state of each job; return the exit status.

    Args:
        canceller: the client.
        provider: the jobs' provider.
        job_ids: their ids.
        params: the jobs' other params.
        as_json: whether readings are printed as JSON.
    """
    put, exit_status = printer(job_ids, as_json=as_json), 0
    with needing_key(provider):
        for job_id in job_ids:
            with waiting(f"reading {job_id}"):
                reading = canceller.status(provider, job_id, params=params)
            put(reading)
            if reading.problem is not None:
                exit_status = FAILED
    return exit_status
