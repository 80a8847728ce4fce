"""Resuming an earlier run: its results, the jobs it left stopping, and the command to repeat."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import unicodedata
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import Factory, define

from jobcancel import Canceller, CancelResult, ConfigurationError, JobState, Outcome, flow
from jobcancel.cli import streams
from jobcancel.cli.sources import lines
from jobcancel.cli.streams import complain
from jobcancel.flow.call import VERIFY
from jobcancel.flow.events import Pause, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jobcancel import Job, JobReading
    from jobcancel.flow.call import Call
    from jobcancel.flow.events import Flow

# Results of earlier runs

_LARGEST = 1 << 30
"""Bytes of a file: a few million results. It also ends the reading of /dev/zero."""
_LONGEST_LINE = 1 << 22
"""Bytes: a result keeps a body of up to 256 KiB, and JSON may take six bytes for one of them."""
_IDENTITY = ("provider", "job_id", "params", "outcome")


@define
class EarlierRuns:
    """The jobs that earlier runs stopped, and the jobs whose cancel was accepted."""

    _stopped: set[bytes] = Factory(set)
    _accepted: set[bytes] = Factory(set)

    def is_stopped(self, job: Job) -> bool:
        """Whether an earlier run stopped the job, so that no further request is needed."""
        return _key(job) in self._stopped

    def is_stopping(self, job: Job) -> bool:
        """Whether an earlier run's cancel was accepted, and the job has not ended since."""
        return bool(self._accepted) and _key(job) in self._accepted and not self.is_stopped(job)

    def add(self, line: bytes) -> None:
        """Add the result on a line.

        Raises:
            ValueError: the line is no result.
        """
        written = json.loads(line)
        if not isinstance(written, dict):
            raise ValueError("not an object")  # noqa: TRY004 - as for any other invalid line
        # Ignore fields added by later versions.
        known = {name: written[name] for name in _IDENTITY if name in written}
        result = CancelResult.from_dict(known)
        if result.stopped:
            self._stopped.add(_key(result))
        elif result.accepted:
            self._accepted.add(_key(result))


def _key(job: Job | CancelResult) -> bytes:
    """Return what identifies a job: a digest, because there may be millions."""
    identity = json.dumps([job.provider, job.job_id, sorted(job.params.items())])
    return blake2b(identity.encode(), digest_size=16).digest()


def read_results(paths: Iterable[str]) -> EarlierRuns:
    """Read the results of earlier runs; report how many lines are invalid.

    Args:
        paths: the files of `--done`. A missing file is treated as empty.

    Raises:
        ConfigurationError: a file cannot be read, or is too large.
    """
    runs = EarlierRuns()
    for path in paths:
        invalid = 0
        try:
            with Path(path).open("rb") as file:
                for line in lines(_bounded(path, file), longest=_LONGEST_LINE):
                    try:
                        runs.add(b"" if line.is_cut else line.start)
                    except (RecursionError, ValueError):
                        invalid += 1
        except FileNotFoundError:
            complain(f"{path} does not exist yet; no jobs to skip")
        except OSError as error:
            raise ConfigurationError(f"cannot read {path!r}: {error.strerror}") from None
        if invalid:
            ignored = "1 line" if invalid == 1 else f"{invalid:,} lines"
            complain(f"{path}: ignored {ignored} that --json did not write, or not to the end")
    return runs


def _bounded(path: str, file: BinaryIO) -> Callable[[int], bytes]:
    """Return what reads a line of a file, until it has read `_LARGEST` bytes."""
    size = 0

    def readline(longest: int) -> bytes:
        nonlocal size
        line = file.readline(longest)
        size += len(line)
        if size > _LARGEST:
            raise ConfigurationError(
                f"{path!r} is larger than {_LARGEST >> 20:,} MiB, the most that --done "
                "reads; leave out the bodies of its results: jq -c 'del(.body)'"
            )
        return line

    return readline


# Jobs that an earlier run left stopping
#
# Their status is read instead of cancelling them again. If a job has been cancelled meanwhile,
# that run cancelled it. A second cancel would only report that the job has ended.

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 2.0
"""Seconds between the status reads of `--verify`."""
_EARLIER = "an earlier run's cancel was accepted"


class ResumingCanceller(Canceller):
    """A client that reads the status of some jobs before it cancels them.

    Attributes:
        is_stopping: whether an earlier run's cancel of a job was accepted.
    """

    is_stopping: Callable[[Job], bool] = staticmethod(lambda _: False)

    def flow(self, call: Call) -> Flow[CancelResult]:
        """Return the decisions of one cancel."""
        return _confirm_or_cancel(call) if self.is_stopping(call.job) else super().flow(call)


def _confirm_or_cancel(call: Call) -> Flow[CancelResult]:
    """Confirm that a job is cancelled; cancel it only if its status cannot be read."""
    began = call.clock.monotonic()
    try:
        reading = yield from _read(call, began)
    except Stopped as stopped:
        return _result(call, Outcome.CANCELLING, message=f"{_EARLIER}; {stopped}")
    if reading.state is None or reading.state is JobState.UNKNOWN:
        return (yield from flow.cancel(call))
    if reading.state.active:
        outcome = Outcome.CANCELLING
    else:
        is_cancelled = reading.state is JobState.CANCELLED
        outcome = Outcome.CANCELLED if is_cancelled else Outcome.ALREADY_TERMINAL
    return _result(
        call,
        outcome,
        state=reading.state,
        raw_state=reading.raw_state,
        verified=reading.state.final,
        message=f"{_EARLIER}; the job's status is {reading.raw_state!r}",
        status_code=reading.status_code,
        request_id=reading.request_id,
        progress=reading.progress,
        body=reading.body,
        elapsed=call.clock.monotonic() - began,
    )


def _read(call: Call, began: float) -> Flow[JobReading]:
    """Read the status; with `verify`, until the job has ended or time is up."""
    wait = _FIRST_WAIT
    while True:
        reading = yield from flow.status(call)
        is_active = reading.state is not None and reading.state.active
        elapsed = call.clock.monotonic() - began
        if not (call.policy.verify and is_active and elapsed + wait < call.policy.deadline):
            return reading
        yield Pause(wait, "cancel", VERIFY)
        wait = min(2 * wait, _LONGEST_WAIT)


def _result(call: Call, outcome: Outcome, **known: Any) -> CancelResult:  # noqa: ANN401 - its fields
    return CancelResult(
        provider=call.job.provider,
        job_id=call.job.job_id,
        params=call.job.params,
        outcome=outcome,
        at=call.clock.now(),
        **known,
    )


# The command that resumes this run

_UNNAMED = "OUTPUT"
"""The placeholder for an output file whose path is unknown."""


def resume_command(*, as_json: bool, same_input: bool, done: Sequence[str]) -> str:
    """Return how to resume this run: a shell command, and what to add to it.

    Args:
        as_json: whether the output is JSON, which `--done` can read.
        same_input: whether the jobs come from an input that can be read only once.
        done: the files of `--done`.
    """
    arguments, redirections, notes = sys.argv[1:], "", []
    if (jobs := streams.path_of(0)) is not None and "-" in arguments:
        redirections = f" < {_quoted(_short(jobs))}"
    if same_input:
        notes.append("with the same input")
    if streams.stdout_file() is not None:
        found = streams.stdout_path(done)
        path = _UNNAMED if found is None else _short(found)
        redirections += f" >> {_quoted(path)}"
        if found is None:
            notes.append(f"with this run's output for {_UNNAMED}")
        if as_json and not any(_is_same(path, each) for each in done):
            # Directly after the command's name: after a `--` it would be no option.
            arguments[1:1] = ["--done", path]
    command = " ".join(map(_quoted, [*_program(), *arguments]))
    return f"{', '.join(['to resume', *notes])}: {command}{redirections}"


def _program() -> list[str]:
    """Return how this program was started."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return [sys.executable, "-m", "jobcancel"]
    found = shutil.which(path.stem)
    return [path.stem] if found is not None and _is_same(found, str(path)) else [str(path)]


def _short(path: str) -> str:
    """Return the shortest name of a file that works here and is not taken for an option."""
    relative = os.path.relpath(path)
    if relative.startswith(".."):
        return path
    return f"./{relative}" if relative.startswith("-") else relative


def _is_same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _quoted(word: str) -> str:
    """Return a word as a shell reads it."""
    if all(each.isprintable() or unicodedata.category(each) == "Zs" for each in word):
        return shlex.quote(word)
    safe = frozenset(range(0x20, 0x7F)) - set(b"'\\")
    escaped = [chr(byte) if byte in safe else f"\\x{byte:02x}" for byte in os.fsencode(word)]
    return f"$'{''.join(escaped)}'"
