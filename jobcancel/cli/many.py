"""`jobcancel cancel --from`: many jobs at once, each result as soon as it is known; exit status."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, BinaryIO

from attrs import define, field, frozen

from jobcancel import CancelResult, ConfigurationError
from jobcancel.cli import FAILED, USAGE
from jobcancel.cli.interrupt import Interrupts
from jobcancel.cli.jobs import JobFile, Problems, Settings
from jobcancel.cli.output import printer, terminal, waiting
from jobcancel.cli.progress import Tally, print_summary, shown
from jobcancel.cli.resume import read_results, resume_command
from jobcancel.cli.sources import Source
from jobcancel.cli.streams import complain, discard_stdout, write_error
from jobcancel.errors import JobCancelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.cli.jobs import Survey
    from jobcancel.cli.resume import ResumingCanceller


@frozen(kw_only=True)
class Many:
    """One run over a file.

    Args:
        path: the file; `-` is standard input.
        provider: the provider of lines that name none.
        params: the params of lines that do not have them.
        columns: our name -> the file's name, where they differ.
        done: the outputs of earlier runs, whose stopped jobs are skipped.
        skip_unconfigured: whether jobs of unusable providers are left out.
        strict: whether a job that is stopping counts as not stopped.
        concurrency: maximum number of requests in flight.
        rate: as in `Canceller.cancel_many`.
        max_wait: likewise, in seconds.
        as_json: whether results are printed as JSON.
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
        """The file's name, for messages."""
        return "standard input" if self.path == "-" else self.path

    def run(self, canceller: ResumingCanceller) -> int:
        """Cancel the jobs and print the outcome of each; return the exit status."""
        # Before anything is written: the output may be appended to one of these files.
        earlier = read_results(self.done)
        canceller.is_stopping = earlier.is_stopping
        settings = Settings(canceller, self.provider, self.skip_unconfigured)
        source = Source(self.provider, self.params, self.columns)
        with self._opened() as file:
            jobs = JobFile(self.name, file, source, earlier, settings, Tally())
            survey = self._survey(jobs) if _is_regular(file) else None
            if survey is None:
                settings.check_named(self.params)
            return self._run(canceller, jobs, survey)

    def _survey(self, jobs: JobFile) -> Survey:
        """Read the whole file and check it before anything is sent.

        Raises:
            ConfigurationError: it has jobs of a provider that cannot be used.
        """
        with waiting(f"checking {self.name}"):
            survey = jobs.survey()
        self._warn_of_unknown_columns(jobs.source)
        jobs.settings.check_all(survey.jobs)
        for provider in jobs.settings.unusable:
            del survey.jobs[provider]
        return survey

    def _warn_of_unknown_columns(self, source: Source) -> None:
        if columns := sorted(source.unknown - source.used):
            complain(f"{self.name}: ignored columns: {', '.join(map(repr, columns))}")

    def _run(self, canceller: ResumingCanceller, jobs: JobFile, survey: Survey | None) -> int:
        console, interrupts = terminal(), Interrupts()
        tally, total = jobs.tally, None if survey is None else survey.jobs.total()
        put = printer(
            [] if survey is None else [survey.longest_id],
            as_json=self.as_json,
            brief=True,
            console=console,
            appended_to=self.done,
        )
        # Now: once the output is broken, its path is unknown.
        resume = resume_command(as_json=self.as_json, same_input=survey is None, done=self.done)
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
                with results, interrupts.handled(results.stop, results.close):
                    for result in results:
                        out.write(result)
            except KeyboardInterrupt:
                unsent = "without a result (not sent, or abandoned in flight)"
            except JobCancelError:
                if tally.done:
                    print_summary(tally, total=total, ending="failed", unsent=unsent)
                raise
            problems.report_counts()
        if survey is None:
            self._warn_of_unknown_columns(jobs.source)
        ending = "interrupted" if interrupts.count else "output lost" if out.is_broken else ""
        print_summary(tally, total=total, ending=ending, unsent=unsent)
        if ending:
            if total is None:
                complain("the rest of the input was not read")
            if total is None or tally.done < total or tally.unwritten or tally.unsettled:
                write_error(f"jobcancel: {resume}\n")
        return interrupts.exit_status or self._exit_status(tally)

    def _exit_status(self, tally: Tally) -> int:
        if tally.malformed or (tally.unconfigured and not self.skip_unconfigured):
            return USAGE
        well = tally.stopped + (0 if self.strict else tally.stopping)
        return FAILED if tally.unwritten or well < tally.done else 0

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        piped = self.path == "-"
        try:
            # Not `sys.stdin`: the interpreter takes its lock at exit, and a thread that still reads
            # from it has that lock.
            file = open(0 if piped else self.path, "rb", closefd=not piped)  # noqa: SIM115 - below
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.name}: {error.strerror}") from None
        # A pipe is not closed: that would wait for the reading thread.
        with file if _is_regular(file) else nullcontext():
            yield file


def _is_regular(file: BinaryIO) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


@define
class _Output:
    """Prints and counts results; once the output is closed or full, only counts them.

    Args:
        put: prints a result.
        tally: counts the results.
        stop: stops sending.
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
                discard_stdout()
                self._say(f"the output cannot be written ({error.strerror}); stopping")
        self._tally.unwritten += self.is_broken
        self._tally.add(result)
