"""The jobs of a file: counted and checked before anything is sent, then sent one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO

from attrs import Factory, define, field

from jobcancel import Canceller, ConfigurationError, Job, MissingCredential, get_adapter
from jobcancel.cli.options import no_key
from jobcancel.cli.progress import Tally
from jobcancel.cli.resume import EarlierRuns
from jobcancel.cli.sources import Malformed, Source
from jobcancel.errors import JobCancelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Params = tuple[tuple[str, str], ...]

_REMEMBERED = 1000
"""Sets of params whose check is remembered."""


@define
class Survey:
    """What a file contains.

    Attributes:
        jobs: provider -> number of its jobs to cancel.
        longest_id: the longest of their ids.
    """

    jobs: Counter[str] = Factory(Counter)
    longest_id: str = ""

    def add(self, job: Job) -> None:
        """Count a job."""
        self.jobs[job.provider] += 1
        self.longest_id = max(self.longest_id, job.job_id, key=len)


@define
class JobFile:
    """The jobs of a file that no earlier run stopped.

    Args:
        name: the file's name, for messages.
        file: the open file.
        source: parses its lines.
        earlier: the jobs that earlier runs stopped.
        settings: checks the providers.
        tally: counts the jobs that are left out.
    """

    name: str
    file: BinaryIO
    source: Source
    earlier: EarlierRuns
    settings: Settings
    tally: Tally

    def survey(self) -> Survey:
        """Read the whole file without reporting invalid lines, then go back to the start."""
        start, survey = self.file.tell(), Survey()
        for found in self._read():
            if not isinstance(found, Job) or self.earlier.is_stopped(found):
                continue
            if self.settings.problem(found) is None or found.provider in self.settings.unusable:
                survey.add(found)
        self.file.seek(start)
        return survey

    def to_send(
        self, say: Callable[[str], None], report: Callable[[int, str], None]
    ) -> Iterator[Job]:
        """Give the jobs to cancel.

        Args:
            say: prints a message.
            report: reports the number of an invalid line and what is wrong with it.
        """
        providers: set[str] = set()
        for found in self._read():
            if not isinstance(found, Job):
                self.tally.malformed += 1
                report(found.line, found.problem)
            elif self.earlier.is_stopped(found):
                self.tally.skipped += 1
            elif (problem := self.settings.problem(found)) is None:
                if found.provider not in providers:
                    providers.add(found.provider)
                    self._warn_if_deprecated(found.provider, say)
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

    def _warn_if_deprecated(self, provider: str, say: Callable[[str], None]) -> None:
        newer = get_adapter(provider).deprecated
        if newer is not None and provider != self.settings.named:
            say(f"{provider!r} is deprecated; use {newer!r}")


@define
class Settings:
    """Checks the keys and base URLs of providers, and the hosts that jobs' params choose.

    Args:
        canceller: has the keys and base URLs.
        named: the provider of the options --api-key-file and --base-url, if any.
        skip: whether jobs of unusable providers are left out.

    Attributes:
        unusable: provider -> why it cannot be used.
    """

    canceller: Canceller
    named: str | None
    skip: bool
    unusable: dict[str, str] = field(init=False, factory=dict)
    _find: Callable[[str, Params], str | None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._find = lru_cache(_REMEMBERED)(self._problem)

    def problem(self, job: Job) -> str | None:
        """Return why a job cannot be sent, or None; `unusable` has what holds for all jobs."""
        if job.provider in self.unusable:
            return self.unusable[job.provider]
        return self._find(job.provider, tuple(job.params.items()))

    def _problem(self, provider: str, params: Params) -> str | None:
        try:
            self.canceller.prepare(provider, "any", params=dict(params))
        except MissingCredential:
            problem = self._no_key(provider)
        except JobCancelError as error:
            problem = str(error)
            default_url = get_adapter(provider).default_url
            if any(f"{{{name}}}" in default_url for name, _ in params):
                return problem
        else:
            return None
        self.unusable[provider] = problem
        return problem

    def _no_key(self, provider: str) -> str:
        return f"{no_key(provider)}{' or use --api-key-file' if provider == self.named else ''}"

    def check_named(self, params: Mapping[str, str]) -> None:
        """Check that PROVIDER has a key, before any of its jobs is known.

        Raises:
            ConfigurationError: it has none.
        """
        if self.named is None or self.skip:
            return
        try:
            self.canceller.prepare(self.named, "any", params=params)
        except MissingCredential:
            raise ConfigurationError(self._no_key(self.named)) from None
        except JobCancelError:  # a param is missing, which each line may have
            return

    def check_all(self, jobs: Mapping[str, int]) -> None:
        """Check that every provider of a file can be used.

        Args:
            jobs: provider -> number of its jobs to cancel.

        Raises:
            ConfigurationError: some cannot; the message says why, for each of them.
        """
        if self.skip or not self.unusable:
            return
        message = "; ".join(self.unusable.values())
        unusable = sum(jobs[provider] for provider in self.unusable)
        if unusable < (total := sum(jobs.values())):
            message += (
                f". Nothing was sent; --skip-unconfigured leaves out {unusable:,} of the "
                f"{total:,} jobs"
            )
        raise ConfigurationError(message)


_SHOWN = 3
"""Problems of a kind that are reported one by one."""
_KINDS = 20
"""Maximum of kinds that are counted separately; problems of further kinds are counted together."""
_LONGEST = 300
"""Characters of a problem: it may quote a line, which may be of any length."""
_TELLING = 80
"""Characters, without particulars, that tell kinds apart."""

_PARTICULARS = re.compile(
    r"""'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|\d+""", re.DOTALL
)
"""What differs between problems of one kind: quoted text, and numbers."""


@define
class _Kind:
    first: str
    times: int = 0


@define
class Problems:
    """Reports invalid lines: the first few of each kind in full, the number of the others.

    Args:
        name: the file's name.
        say: prints a message.
    """

    _name: str
    _say: Callable[[str], None]
    _kinds: dict[str, _Kind] = Factory(dict)

    def add(self, line: int, problem: str) -> None:
        """Report an invalid line, unless several of its kind were reported."""
        key = _PARTICULARS.sub("?", problem)[:_TELLING]
        if len(problem) > _LONGEST:
            problem = f"{problem[:_LONGEST]}..."
        if key not in self._kinds and len(self._kinds) >= _KINDS:
            key = ""
        message = f"{self._name}, line {line}: {problem}"
        kind = self._kinds.setdefault(key, _Kind(message))
        kind.times += 1
        if key and kind.times <= _SHOWN:
            self._say(message)

    def report_counts(self) -> None:
        """Report how many more lines there were of each kind."""
        for key, kind in self._kinds.items():
            more = kind.times - _SHOWN if key else kind.times
            if more > 0:
                like = "like this" if key else "with other problems"
                self._say(f"{kind.first} (and {more:,} more {like})")
