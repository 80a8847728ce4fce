"""`jobcancel cancel PROVIDER JOB_ID...`: jobs that are named, one after the other."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from jobcancel.cli import streams
from jobcancel.cli.calls import needing_key
from jobcancel.cli.interrupt import Stopping
from jobcancel.cli.output import printer, waiting
from jobcancel.cli.words import complain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobcancel import Canceller

_SOME_NOT, _INTERRUPTED = 1, 130


def cancel_each(
    canceller: Canceller,
    provider: str,
    job_ids: Sequence[str],
    params: Mapping[str, str],
    *,
    strict: bool,
    as_json: bool,
) -> int:
    """Cancel jobs and print what became of each; return the exit status.

    Ctrl-C abandons the job that is being cancelled, SIGTERM waits until it is answered; after
    either, the jobs that nothing was sent for are named.

    Args:
        canceller: what cancels.
        provider: whose jobs they are.
        job_ids: their ids.
        params: what the vendor needs besides them.
        strict: whether a job that is stopping counts as not stopped.
        as_json: whether each result becomes a line of JSON.
    """
    put, stopping = printer(job_ids, as_json=as_json), Stopping()
    left, exit_status = [*job_ids], 0
    try:
        with needing_key(provider), stopping.calling(lambda: None, signals=(signal.SIGTERM,)):
            while left and not stopping.times:
                job_id = left.pop(0)
                with waiting(f"cancelling {job_id}"):
                    result = canceller.cancel(provider, job_id, params=params)
                if not (result.stopped or (result.accepted and not strict)):
                    exit_status = _SOME_NOT
                try:
                    put(result)
                except OSError as error:
                    exit_status = _SOME_NOT
                    streams.discard()
                    if left or not isinstance(error, BrokenPipeError):
                        lost = f"{job_id}: {result.outcome}"
                        complain(f"the output cannot be written ({error.strerror}); last {lost}")
                    break
    except KeyboardInterrupt:
        exit_status = _INTERRUPTED
    if left:
        complain(f"not cancelled: {' '.join(left)}")
    return stopping.exit_status or exit_status
