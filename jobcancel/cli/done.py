"""What `--done` reads: the jobs that an earlier run's `--json` output shows as stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import Factory, define

from jobcancel import CancelResult, ConfigurationError
from jobcancel.cli.words import complain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobcancel import Job


@define
class Done:
    """Jobs that need no further request."""

    _jobs: set[tuple[str, str, frozenset[tuple[str, str]]]] = Factory(set)

    def __contains__(self, job: Job | CancelResult) -> bool:
        return _key(job) in self._jobs

    def add(self, line: bytes) -> None:
        """Take note of the job of one line, if it is stopped.

        Raises:
            ValueError: it is no line of results.
        """
        written = json.loads(line)
        if not isinstance(written, dict):
            raise ValueError("not an object")  # noqa: TRY004 - as for any other wrong line
        # What later versions may add is nothing to stumble over.
        known = {name: written[name] for name in _IDENTITY if name in written}
        result = CancelResult.from_dict(known)
        if result.stopped:
            self._jobs.add(_key(result))


_IDENTITY = ("provider", "job_id", "params", "outcome")


def _key(job: Job | CancelResult) -> tuple[str, str, frozenset[tuple[str, str]]]:
    return job.provider, job.job_id, frozenset(job.params.items())


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
