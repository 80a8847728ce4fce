"""A vendor-neutral job whose state follows from the clock, and the store that holds the jobs.

What a vendor calls the states, and what it answers, is left to `pulse`, `talonic` and `declared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from attrs import evolve, field, frozen

from jobcancel.models import JobState
from jobcancel.sandbox.checks import final, seconds
from jobcancel.sandbox.journal import Recent

KEPT = 10_000
"""How many submitted jobs are remembered."""

DAY = 86_400.0
"""Seconds; what a seeded job takes that is to be still running when somebody looks."""


class Ending(NamedTuple):
    """When a job ended, or will end, and how."""

    at: float
    state: JobState


@frozen
class CancelPolicy:
    """What an accepted cancel does to a job.

    Args:
        ends_as: how the job ends once its cancel was accepted. `cancelled` is what was asked for;
            `succeeded` is the job that outran the cancel, as best effort allows.
        after: seconds between the acceptance and that end.

    Raises:
        ConfigurationError: `ends_as` is no final state, or `after` no number of seconds.
    """

    ends_as: JobState = field(default=JobState.CANCELLED, validator=final)
    after: float = field(default=0.0, validator=seconds)


AT_ONCE = CancelPolicy()


@frozen(kw_only=True)
class SandboxJob:
    """One job as the vendor knows it, at the moment `seen`.

    Attributes:
        vendor: `"pulse"`, `"talonic"` or the name of another provider.
        job_id: the id, not percent-encoded.
        owner: the tenant whose keys may see the job.
        created: when the job was submitted, in seconds since the epoch.
        pending: seconds that it waits before it runs.
        running: seconds that it then runs.
        ends_as: how it ends if nothing stops it.
        on_cancel: what an accepted cancel does to it.
        documents: how many documents it has to work through.
        words: the vendor's words for states, where this job departs from the usual ones.
        seeded: whether the job comes with the sandbox.
        cut: the end that a cancel or a fault gave the job, if there was one.
        seen: the moment that `state` and `done` speak of.
    """

    vendor: str
    job_id: str
    owner: str
    created: float
    pending: float = 1.0
    running: float = 4.0
    ends_as: JobState = JobState.SUCCEEDED
    on_cancel: CancelPolicy = AT_ONCE
    documents: int = 12
    words: Mapping[JobState, str] = field(factory=dict, hash=False)
    seeded: bool = False
    cut: Ending | None = None
    seen: float = 0.0

    @property
    def started(self) -> float:
        """When the job begins to run, in seconds since the epoch."""
        return self.created + self.pending

    @property
    def ending(self) -> Ending:
        """The job's end: its natural one, or the one it was given if that comes first."""
        natural = Ending(self.started + self.running, self.ends_as)
        return natural if self.cut is None or natural.at <= self.cut.at else self.cut

    @property
    def state(self) -> JobState:
        """Where the job is at the moment `seen`."""
        if self.ending.at <= self.seen:
            return self.ending.state
        return JobState.PENDING if self.seen < self.started else JobState.RUNNING

    @property
    def done(self) -> int:
        """How many documents are finished at the moment `seen`."""
        if self.state is JobState.SUCCEEDED:
            return self.documents
        worked = min(self.seen, self.ending.at) - self.started
        share = max(0.0, worked) / self.running if self.running else 0.0
        return int(self.documents * share)

    @property
    def changed(self) -> float:
        """When the job last changed its state, in seconds since the epoch."""
        moments = (self.created, self.started, self.ending.at)
        return max(moment for moment in moments if moment <= self.seen)

    def word(self, usual: Mapping[JobState, str]) -> str:
        """Return the vendor's word for the state: the job's own one, else the usual one."""
        return self.words.get(self.state, usual[self.state])


class JobStore:
    """The jobs of all vendors, in the order of their submission.

    The seeded jobs stay; of the submitted ones the oldest is forgotten when there are too many.

    Args:
        now: the clock, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seeded: dict[tuple[str, str], SandboxJob] = {}
        self._submitted = Recent[tuple[str, str], SandboxJob](KEPT)

    def add(self, job: SandboxJob) -> None:
        """Keep `job`, replacing one with the same id at the same vendor."""
        jobs = self._seeded if job.seeded else self._submitted
        jobs[job.vendor, job.job_id] = job

    def find(self, vendor: str, job_id: str) -> SandboxJob | None:
        """Return the job as it is now, or None if the vendor has no such job."""
        place = (vendor, job_id)
        job = self._seeded.get(place) or self._submitted.get(place)
        return None if job is None else evolve(job, seen=self._now())

    def of(self, vendor: str) -> Iterator[SandboxJob]:
        """Yield the vendor's jobs as they are now, oldest first."""
        now = self._now()
        for job in (*self._seeded.values(), *self._submitted.values()):
            if job.vendor == vendor:
                yield evolve(job, seen=now)

    def end(self, job: SandboxJob, state: JobState, *, after: float = 0.0) -> SandboxJob:
        """Let `job` end as `state` in `after` seconds; one that has ended stays as it is.

        Returns:
            The job as it is now.
        """
        if not job.state.final:
            job = evolve(job, cut=Ending(job.seen + after, state))
            self.add(job)
        return job

    def remove(self, job: SandboxJob) -> None:
        """Forget `job`, which was submitted."""
        self._submitted.pop((job.vendor, job.job_id), None)

    def clear(self) -> None:
        """Forget every job."""
        self._seeded.clear()
        self._submitted.clear()
