"""`jobcancel cancel --from`: many jobs at once, each result printed as soon as it is known."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, BinaryIO

from attrs import define, field, frozen

from jobcancel import CancelResult, ConfigurationError
from jobcancel.cli import streams
from jobcancel.cli.done import read_done
from jobcancel.cli.interrupt import Stopping
from jobcancel.cli.jobs import Jobs
from jobcancel.cli.output import printer, terminal, waiting
from jobcancel.cli.problems import Problems
from jobcancel.cli.progress import Tally, shown, sum_up
from jobcancel.cli.resume import how_to_resume
from jobcancel.cli.settings import Settings
from jobcancel.cli.sources import Source
from jobcancel.cli.words import complain, write_error
from jobcancel.errors import JobCancelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.cli.confirm import Resuming
    from jobcancel.cli.jobs import Survey

_SOME_NOT, _USAGE = 1, 2


@frozen(kw_only=True)
class Many:
    """One run over a file.

    Args:
        path: the file; `-` is standard input.
        provider: whose jobs they are where a line does not say so.
        params: what the vendor needs besides the id where a line does not say so.
        columns: what the file calls our names, where it has names of its own.
        done: the outputs of earlier runs, whose stopped jobs are skipped.
        skip_unconfigured: whether jobs of providers that cannot be used are left out.
        strict: whether a job that is stopping counts as not stopped.
        concurrency: requests in flight at the most.
        rate: as `Canceller.cancel_many` takes it.
        max_wait: seconds, likewise.
        as_json: whether each result becomes a line of JSON.
    """

    path: str
    provider: str | None
    params: Mapping[str, str]
    columns: Mapping[str, str]
    done: Sequence[str]
    skip_unconfigured: bool
    strict: bool
    concurrency: int
    rate: str | Mapping[str, str] | None
    max_wait: float
    as_json: bool

    @property
    def name(self) -> str:
        """What messages call the file."""
        return "standard input" if self.path == "-" else self.path

    def run(self, canceller: Resuming) -> int:
        """Cancel the jobs and print what became of each; return the exit status."""
        # The output may be this very file, so it is read to its end before there is any.
        done = read_done(self.done)
        canceller.is_stopping = done.is_stopping
        settings = Settings(canceller, self.provider, self.skip_unconfigured)
        source = Source(self.provider, self.params, self.columns)
        with self._opened() as file:
            jobs = Jobs(self.name, file, source, done, settings, Tally())
            survey = self._survey(jobs) if _is_regular(file) else None
            if survey is None:
                settings.check_named(self.params)
            return self._run(canceller, jobs, survey)

    def _survey(self, jobs: Jobs) -> Survey:
        """Look through a file before anything is sent.

        Raises:
            ConfigurationError: it holds jobs of a provider that cannot be used.
        """
        with waiting(f"checking {self.name}"):
            survey = jobs.survey()
        self._note_unknown_columns(jobs.source)
        jobs.settings.check_all(survey.jobs)
        for provider in jobs.settings.unusable:
            del survey.jobs[provider]
        return survey

    def _note_unknown_columns(self, source: Source) -> None:
        if columns := sorted(source.unknown - source.used):
            complain(f"{self.name}: ignored columns: {', '.join(map(repr, columns))}")

    def _run(self, canceller: Resuming, jobs: Jobs, survey: Survey | None) -> int:
        console, stopping = terminal(), Stopping()
        tally, total = jobs.tally, None if survey is None else survey.jobs.total()
        put = printer(
            [] if survey is None else [survey.longest_id],
            as_json=self.as_json,
            brief=True,
            console=console,
            appended_to=self.done,
        )
        # Now, for the name of an output that breaks is no longer to be had.
        resume = how_to_resume(as_json=self.as_json, same_input=survey is None, done=self.done)
        unsent = "not sent"
        with shown(tally, total, console) as say:
            problems = Problems(self.name, say)
            results = canceller.cancel_many(
                jobs.to_send(say, problems.add),
                concurrency=self.concurrency,
                rate=self.rate,
                max_wait=self.max_wait,
            )
            out = _Output(put, tally, results.stop, say)
            try:
                with results, stopping.calling(results.stop, results.close):
                    for result in results:
                        out.write(result)
            except KeyboardInterrupt:
                unsent = "without a result (not sent, or abandoned in flight)"
            except JobCancelError:
                if tally.done:
                    sum_up(tally, total=total, ending="failed", unsent=unsent)
                raise
            problems.count_the_others()
        if survey is None:
            self._note_unknown_columns(jobs.source)
        ending = "interrupted" if stopping.times else "output lost" if out.is_broken else ""
        sum_up(tally, total=total, ending=ending, unsent=unsent)
        if ending:
            if total is None:
                complain("the rest of the input was not read")
            if total is None or tally.done < total or tally.unwritten or tally.unsettled:
                write_error(f"jobcancel: {resume}\n")
        return stopping.exit_status or self._exit_status(tally)

    def _exit_status(self, tally: Tally) -> int:
        if tally.malformed or (tally.unconfigured and not self.skip_unconfigured):
            return _USAGE
        well = tally.stopped + (0 if self.strict else tally.stopping)
        return _SOME_NOT if tally.unwritten or well < tally.done else 0

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


def _is_regular(file: BinaryIO) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


@define
class _Output:
    """Where results go; once it is closed or full, they are only counted.

    Args:
        put: prints a result.
        tally: counts them.
        stop: sends nothing more.
        say: prints a message.
    """

    _put: Callable[[CancelResult], None]
    _tally: Tally
    _stop: Callable[[], object]
    _say: Callable[[str], None]
    is_broken: bool = field(init=False, default=False)

    def write(self, result: CancelResult) -> None:
        """Print a result and count it."""
        if not self.is_broken:
            try:
                self._put(result)
            except OSError as error:
                self.is_broken = True
                self._stop()
                streams.discard()
                self._say(f"the output cannot be written ({error.strerror}); stopping")
        self._tally.unwritten += self.is_broken
        self._tally.add(result)
