"""What `--done` reads: how far the jobs are, by what an earlier run's `--json` output shows."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from attrs import Factory, define

from jobcancel import CancelResult, ConfigurationError
from jobcancel.cli.sources import lines
from jobcancel.cli.words import complain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobcancel import Job

_LARGEST = 1 << 30
"""Bytes of a file; a few million results, and an end of what has none, such as /dev/zero."""
_LONGEST_LINE = 1 << 22
"""Bytes; a result keeps a body of up to 256 KiB, each byte of which may be six in JSON."""


@define
class Done:
    """Jobs that earlier runs stopped, and jobs whose cancel they saw accepted."""

    _stopped: set[bytes] = Factory(set)
    _accepted: set[bytes] = Factory(set)

    def is_stopped(self, job: Job) -> bool:
        """Whether an earlier run stopped the job: it needs no further request."""
        return _key(job) in self._stopped

    def is_stopping(self, job: Job) -> bool:
        """Whether an earlier run's cancel was accepted, and the job was not seen to end."""
        return bool(self._accepted) and _key(job) in self._accepted and not self.is_stopped(job)

    def add(self, line: bytes) -> None:
        """Take in the result of one line.

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
            self._stopped.add(_key(result))
        elif result.accepted:
            self._accepted.add(_key(result))

    def read(self, file: Bounded) -> int:
        """Take in the results of a file; return how many of its lines are none.

        Raises:
            ConfigurationError: it is too large.
        """
        unreadable = 0
        for line in lines(file, longest=_LONGEST_LINE):
            try:
                self.add(b"" if line.is_cut else line.start)
            except (RecursionError, ValueError):
                unreadable += 1
        return unreadable


@define
class Bounded:
    """A file of which no more than `_LARGEST` bytes are read."""

    _path: str
    _file: BinaryIO
    _read: int = 0

    def readline(self, size: int, /) -> bytes:
        """Read a line.

        Raises:
            ConfigurationError: the file is too large.
        """
        line = self._file.readline(size)
        self._read += len(line)
        if self._read > _LARGEST:
            raise ConfigurationError(
                f"{self._path!r} is larger than {_LARGEST >> 20:,} MiB, the most that --done "
                "reads; leave out the bodies of its results: jq -c 'del(.body)'"
            )
        return line


_IDENTITY = ("provider", "job_id", "params", "outcome")


def _key(job: Job | CancelResult) -> bytes:
    """Return what identifies a job; a digest, for there may be millions."""
    identity = json.dumps([job.provider, job.job_id, sorted(job.params.items())])
    return blake2b(identity.encode(), digest_size=16).digest()


def read_done(paths: Iterable[str]) -> Done:
    """Read what earlier runs printed, and say how many of the lines could not be read.

    Args:
        paths: the files. One that does not exist is an earlier run that has not been.

    Raises:
        ConfigurationError: a file cannot be read, or is too large.
    """
    done = Done()
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                unreadable = done.read(Bounded(path, file))
        except FileNotFoundError:
            complain(f"{path} does not exist yet; no jobs to skip")
        except OSError as error:
            raise ConfigurationError(f"cannot read {path!r}: {error.strerror}") from None
        else:
            if unreadable:
                skipped = "1 line" if unreadable == 1 else f"{unreadable:,} lines"
                complain(f"{path}: ignored {skipped} that --json did not write, or not to the end")
    return done
