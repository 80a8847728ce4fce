"""Which providers can be used: their keys and addresses, looked at before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from jobcancel import Canceller, ConfigurationError, MissingCredential, get_adapter
from jobcancel.cli.calls import no_key
from jobcancel.errors import JobCancelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel import Job

_REMEMBERED = 1000
"""Sets of params."""


@define
class Settings:
    """What is wrong with providers, and with jobs whose params choose a host.

    Args:
        canceller: has the keys and the addresses.
        named: the provider that keys and addresses of options are for, if any.
        skip: whether jobs of providers that cannot be used are left out.

    Attributes:
        unusable: provider -> why it cannot be used.
    """

    canceller: Canceller
    named: str | None
    skip: bool
    unusable: dict[str, str] = Factory(dict)
    _problems: dict[tuple[str, frozenset[tuple[str, str]]], str | None] = Factory(dict)

    def problem(self, job: Job) -> str | None:
        """Return why a job cannot be sent, if that is so; of all jobs if `unusable` has it."""
        if job.provider in self.unusable:
            return self.unusable[job.provider]
        key = job.provider, frozenset(job.params.items())
        if key not in self._problems:
            if len(self._problems) == _REMEMBERED:
                self._problems.clear()
            self._problems[key] = self._find(job)
        return self._problems[key]

    def _find(self, job: Job) -> str | None:
        adapter = get_adapter(job.provider)
        try:
            self.canceller.prepare(job.provider, job.job_id, params=job.params)
        except MissingCredential:
            problem = self._no_key(job.provider)
        except JobCancelError as error:
            problem = str(error)
            if any(f"{{{name}}}" in adapter.default_url for name in job.params):
                return problem
        else:
            return None
        self.unusable[job.provider] = problem
        return problem

    def _no_key(self, provider: str) -> str:
        return f"{no_key(provider)}{' or use --api-key-file' if provider == self.named else ''}"

    def check_named(self, params: Mapping[str, str]) -> None:
        """Check that there is a key for the named provider, before any of its jobs is known.

        Raises:
            ConfigurationError: there is none.
        """
        if self.named is None or self.skip:
            return
        try:
            self.canceller.prepare(self.named, "any", params=params)
        except MissingCredential:
            raise ConfigurationError(self._no_key(self.named)) from None
        except JobCancelError:  # a param is missing, which each line may name
            return

    def check_all(self, jobs: Mapping[str, int]) -> None:
        """Check that every provider of a file can be used.

        Args:
            jobs: provider -> how many jobs there are to cancel.

        Raises:
            ConfigurationError: one cannot; the message says why, of all of them.
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
