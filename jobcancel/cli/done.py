"""What `--done` reads: the jobs that an earlier run's `--json` output shows as stopped."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import Factory, define

from jobcancel import CancelResult, ConfigurationError, Outcome
from jobcancel.cli.words import complain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobcancel import Job


@define
class Done:
    """Jobs that need no further request."""

    _ids: dict[str, set[str]] = Factory(lambda: defaultdict(set))

    def __contains__(self, job: Job) -> bool:
        return job.job_id in self._ids.get(job.provider, ())

    def add(self, line: bytes) -> None:
        """Take note of the job of one line, if it is stopped.

        Raises:
            ValueError: it is no line of results.
        """
        written = json.loads(line)
        if not isinstance(written, dict):
            raise ValueError("not an object")  # noqa: TRY004 - as for any other wrong line
        provider, job_id = written.get("provider"), written.get("job_id")
        if not isinstance(provider, str) or not isinstance(job_id, str):
            raise ValueError("no job")  # noqa: TRY004 - likewise
        outcome = Outcome(written.get("outcome", ""))
        if CancelResult(provider=provider, job_id=job_id, outcome=outcome).stopped:
            self._ids[provider].add(job_id)


def read_done(paths: Iterable[str]) -> Done:
    """Read what earlier runs printed, and say how many of the lines could not be read.

    Args:
        paths: the files. One that is not there yet is an earlier run that has not been.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    done = Done()
    for path in paths:
        unreadable = 0
        try:
            with Path(path).open("rb") as file:
                for line in file:
                    try:
                        done.add(line)
                    except (RecursionError, ValueError):
                        unreadable += bool(line.strip())
        except FileNotFoundError:
            complain(f"{path} is not there yet; nothing of it to skip")
        except OSError as error:
            raise ConfigurationError(f"cannot read {path!r}: {error.strerror}") from None
        if unreadable:
            lines = "1 line" if unreadable == 1 else f"{unreadable:,} lines"
            complain(f"{path}: {lines} skipped, which --json did not write")
    return done
