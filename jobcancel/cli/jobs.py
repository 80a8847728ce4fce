"""The jobs of a file: counted before anything is sent, and then given one by one to be sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

from attrs import Factory, define

from jobcancel import ConfigurationError, Job, get_adapter
from jobcancel.cli.done import Done
from jobcancel.cli.progress import Tally
from jobcancel.cli.settings import Settings
from jobcancel.cli.sources import Malformed, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@define
class Survey:
    """What a file holds.

    Attributes:
        jobs: provider -> how many jobs of it there are to cancel.
        longest_id: the longest of their ids.
    """

    jobs: Counter[str] = Factory(Counter)
    longest_id: str = ""

    def add(self, job: Job) -> None:
        """Count a job."""
        self.jobs[job.provider] += 1
        self.longest_id = max(self.longest_id, job.job_id, key=len)


@define
class Jobs:
    """The jobs of a file that no earlier run stopped.

    Args:
        name: what messages call the file.
        file: where the lines come from.
        source: reads them.
        done: what earlier runs stopped.
        settings: which providers can be used.
        tally: counts what is left out.
    """

    name: str
    file: BinaryIO
    source: Source
    done: Done
    settings: Settings
    tally: Tally

    def survey(self) -> Survey:
        """Read the file once, say nothing of its lines yet, and go back to where it began."""
        began, survey = self.file.tell(), Survey()
        for found in self._read():
            if not isinstance(found, Job) or self.done.is_stopped(found):
                continue
            if self.settings.problem(found) is None or found.provider in self.settings.unusable:
                survey.add(found)
        self.file.seek(began)
        return survey

    def to_send(
        self, say: Callable[[str], None], report: Callable[[int, str], None]
    ) -> Iterator[Job]:
        """Give the jobs to cancel.

        Args:
            say: prints a message.
            report: says what is wrong with a line that is none.
        """
        providers: set[str] = set()
        for found in self._read():
            if not isinstance(found, Job):
                self.tally.malformed += 1
                report(found.line, found.problem)
            elif self.done.is_stopped(found):
                self.tally.skipped += 1
            elif (problem := self.settings.problem(found)) is None:
                if found.provider not in providers:
                    providers.add(found.provider)
                    self._note_deprecated(found.provider, say)
                yield found
            elif found.provider in self.settings.unusable:
                self.tally.unconfigured += 1
                if not self.settings.skip:
                    report(self.source.line, problem)
            else:
                self.tally.malformed += 1
                report(self.source.line, problem)

    def _read(self) -> Iterator[Job | Malformed]:
        try:
            yield from self.source.read(self.file)
        except OSError as error:
            raise ConfigurationError(f"cannot read {self.name}: {error.strerror}") from None

    def _note_deprecated(self, provider: str, say: Callable[[str], None]) -> None:
        newer = get_adapter(provider).deprecated
        if newer is not None and provider != self.settings.named:
            say(f"{provider!r} is deprecated; use {newer!r}")
