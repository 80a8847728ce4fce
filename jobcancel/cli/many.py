"""`jobcancel cancel --from`: many jobs at once, each result printed as soon as it is known."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, BinaryIO

from attrs import define, frozen

from jobcancel import ConfigurationError, Job, get_adapter
from jobcancel.cli import sources
from jobcancel.cli.calls import needing_key
from jobcancel.cli.done import read_done
from jobcancel.cli.progress import Tally, shown, sum_up
from jobcancel.cli.show import stream, terminal
from jobcancel.errors import JobCancelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobcancel import Canceller
    from jobcancel.cli.done import Done
    from jobcancel.many import CancelResults

_SOME_NOT, _USAGE, _INTERRUPTED = 1, 2, 130
_STOPPING = b"\njobcancel: waiting for what is on its way; Ctrl-C again abandons it\n"
_LONGEST_PROBLEM = 300
"""Characters; a message may quote a line, and a line may hold anything."""


@frozen(kw_only=True)
class Many:
    """One run over a file.

    Args:
        path: the file; `-` is standard input.
        provider: whose jobs they are where a line does not say so.
        params: what the vendor needs besides the id where a line does not say so.
        done: the outputs of earlier runs, whose stopped jobs are skipped.
        concurrency: requests in flight at the most.
        rate: as `Canceller.cancel_many` takes it.
        max_wait: seconds, likewise.
        as_json: whether each result becomes a line of JSON.
    """

    path: str
    provider: str | None
    params: Mapping[str, str]
    done: Iterable[str]
    concurrency: int
    rate: str | Mapping[str, str] | None
    max_wait: float
    as_json: bool

    @property
    def name(self) -> str:
        """What messages call the file."""
        return "standard input" if self.path == "-" else self.path

    def run(self, canceller: Canceller) -> int:
        """Cancel the jobs and print what became of each; return the exit status."""
        # The output may be this very file, so it is read to its end before there is any.
        done, tally, output = read_done(self.done), Tally(), terminal()
        put = stream(output, as_json=self.as_json)
        abandoned = False
        ctrl_c = _CtrlC()
        with self._opened() as file:
            total = _total(file)
            try:
                with shown(tally, total, output) as say:
                    jobs = self._jobs(file, done, tally, canceller, say)
                    results = canceller.cancel_many(
                        jobs,
                        concurrency=self.concurrency,
                        rate=self.rate,
                        max_wait=self.max_wait,
                    )
                    with results, ctrl_c.stops(results):
                        for result in results:
                            with ctrl_c.put_off():
                                put(result)
                                tally.add(result)
            except KeyboardInterrupt:
                abandoned = True
            except JobCancelError:
                if tally.done:
                    sum_up(tally, interrupted=True)
                raise
        sum_up(tally, interrupted=ctrl_c.times > 0, abandoned=abandoned)
        if ctrl_c.times:
            return _INTERRUPTED
        if tally.malformed:
            return _USAGE
        return _SOME_NOT if tally.stopped < tally.done else 0

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        piped = self.path == "-"
        try:
            # Not `sys.stdin`: its lock is asked for at exit, while a thread may wait to read.
            file = open(0 if piped else self.path, "rb", closefd=not piped)  # noqa: SIM115 - below
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.name}: {error.strerror}") from None
        # For the same reason a pipe is not closed: that would wait for who writes into it.
        with file if _is_regular(file) else nullcontext():
            yield file

    def _jobs(
        self,
        file: BinaryIO,
        done: Done,
        tally: Tally,
        canceller: Canceller,
        say: Callable[[str], None],
    ) -> Iterator[Job]:
        """Give the jobs to cancel, and say what is wrong with the lines that are none."""
        seen: set[str] = set()
        for found in sources.read(file, provider=self.provider, params=self.params):
            if not isinstance(found, Job):
                tally.malformed += 1
                problem = found.problem
                if len(problem) > _LONGEST_PROBLEM:
                    problem = f"{problem[:_LONGEST_PROBLEM]}..."
                say(f"{self.name}, line {found.line}: {problem}")
            elif found in done:
                tally.skipped += 1
            else:
                if found.provider not in seen:
                    seen.add(found.provider)
                    self._check(found, canceller, say)
                yield found

    def _check(self, job: Job, canceller: Canceller, say: Callable[[str], None]) -> None:
        """Look at a provider's settings when its first job comes, before any of them is sent."""
        adapter = get_adapter(job.provider)
        if adapter.deprecated is not None and job.provider != self.provider:
            say(f"{job.provider!r} is deprecated; use {adapter.deprecated!r}")
        with needing_key(job.provider):
            canceller.prepare(job.provider, job.job_id, params=job.params)


def _total(file: BinaryIO) -> int | None:
    """Count the lines of a file if somebody will see it, and they can be read a second time."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    if not (watched and _is_regular(file)):
        return None
    began = file.tell()
    total = sources.count(file)
    file.seek(began)
    return total


def _is_regular(file: BinaryIO) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


@define
class _CtrlC:
    """The first sends nothing more, the second abandons what is on its way.

    Attributes:
        times: how many there were.
        writing: whether a result is being written, which the second leaves to be finished; not
            so the third, for who reads the results may have stopped to.
    """

    times: int = 0
    writing: bool = False

    @contextmanager
    def stops(self, results: CancelResults) -> Iterator[None]:
        """Have it stop this run."""

        def pressed(_number: int, _frame: object) -> None:
            self.times += 1
            if self.times == 1:
                results.stop()
                # Not by way of `sys.stderr`, in the middle of whose writing this may be.
                with suppress(OSError):
                    os.write(2, _STOPPING)
            elif self.times > 2 or not self.writing:  # noqa: PLR2004 - the third
                raise KeyboardInterrupt

        usual = signal.signal(signal.SIGINT, pressed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Let what is written be written to its end."""
        self.writing, before = True, self.times
        yield
        self.writing = False
        if self.times > max(before, 1):
            raise KeyboardInterrupt
