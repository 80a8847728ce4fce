"""A vendor-neutral job whose state follows from the clock, and the store that holds the jobs.

A vendor's words for the states and its answers are in `vendors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from attrs import evolve, field, frozen

from jobcancel.models import JobState
from jobcancel.sandbox.checks import final, seconds
from jobcancel.sandbox.journal import Recent

KEPT = 10_000
"""How many submitted jobs the sandbox remembers."""

DOCUMENTS = 12
"""How many documents a submitted job processes by default."""

DAY = 86_400.0
"""Seconds; how long a seeded job takes that must still be running when it is cancelled."""


class Ending(NamedTuple):
    """When a job ended, or will end, and how."""

    at: float
    state: JobState


@frozen
class CancelPolicy:
    """What an accepted cancel does to a job.

    Args:
        ends_as: how the job ends after its cancel was accepted: as `cancelled`, or as `succeeded`
            if it finishes first, since cancelling is best effort.
        after: seconds between the acceptance and that end.

    Raises:
        ConfigurationError: `ends_as` is not a final state, or `after` is not seconds.
    """

    ends_as: JobState = field(default=JobState.CANCELLED, validator=final)
    after: float = field(default=0.0, validator=seconds)


AT_ONCE = CancelPolicy()


@frozen(kw_only=True)
class SandboxJob:
    """One job as the vendor knows it, at the moment `seen`.

    Attributes:
        provider: the provider's name; `"pulse"` for `"pulse-legacy"`, too: they have the same jobs.
        job_id: the id, decoded.
        owner: the tenant whose keys may see the job.
        created: when the job was submitted, in seconds since the epoch.
        pending: seconds before it starts to run.
        running: seconds it then runs.
        ends_as: how it ends if it is not cancelled.
        on_cancel: the effect of an accepted cancel.
        documents: how many documents it processes.
        words: words for states that differ from the vendor's usual ones.
        seeded: whether it is one of the sandbox's own jobs.
        forced_ending: the ending that a cancel or a fault set; None without one.
        seen: the moment for which `state` and `done` are computed.
    """

    provider: str
    job_id: str
    owner: str
    created: float
    pending: float = 1.0
    running: float = 4.0
    ends_as: JobState = JobState.SUCCEEDED
    on_cancel: CancelPolicy = AT_ONCE
    documents: int = DOCUMENTS
    words: Mapping[JobState, str] = field(factory=dict, hash=False)
    seeded: bool = False
    forced_ending: Ending | None = None
    seen: float = 0.0

    @property
    def started(self) -> float:
        """When the job begins to run, in seconds since the epoch."""
        return self.created + self.pending

    @property
    def ending(self) -> Ending:
        """The job's own ending, or the forced one if that comes first."""
        natural = Ending(self.started + self.running, self.ends_as)
        forced = self.forced_ending
        return natural if forced is None or natural.at <= forced.at else forced

    @property
    def state(self) -> JobState:
        """The job's state at the moment `seen`."""
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
        """When the state last changed, in seconds since the epoch."""
        moments = (self.created, self.started, self.ending.at)
        return max(moment for moment in moments if moment <= self.seen)

    def word(self, usual: Mapping[JobState, str], state: JobState) -> str:
        """Return the word for a state: the job's own one, else the vendor's usual one."""
        return self.words.get(state, usual[state])


class JobStore:
    """The jobs of all vendors, in order of submission.

    It forgets the oldest submitted job when there are too many; the seeded ones stay.

    Args:
        now: the clock, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seeded: dict[tuple[str, str], SandboxJob] = {}
        self._submitted = Recent[tuple[str, str], SandboxJob](KEPT)

    def add(self, job: SandboxJob) -> None:
        """Store `job`; replace one with the same provider and id."""
        if not job.seeded:
            self._seeded.pop((job.provider, job.job_id), None)
        jobs = self._seeded if job.seeded else self._submitted
        jobs[job.provider, job.job_id] = job

    def find(self, provider: str, job_id: str) -> SandboxJob | None:
        """Return the job as it is now, or None if there is none."""
        place = (provider, job_id)
        job = self._seeded.get(place) or self._submitted.get(place)
        return None if job is None else evolve(job, seen=self._now())

    def of(self, provider: str) -> Iterator[SandboxJob]:
        """Yield the provider's jobs as they are now, oldest first."""
        now = self._now()
        for job in (*self._seeded.values(), *self._submitted.values()):
            if job.provider == provider:
                yield evolve(job, seen=now)

    def end(self, job: SandboxJob, state: JobState, *, after: float = 0.0) -> SandboxJob:
        """End `job` as `state` in `after` seconds, unless it has ended.

        Returns:
            The job as it is now.
        """
        if not job.state.final:
            job = evolve(job, forced_ending=Ending(job.seen + after, state))
            self.add(job)
        return job

    def remove(self, job: SandboxJob) -> None:
        """Delete `job`."""
        place = (job.provider, job.job_id)
        self._seeded.pop(place, None)
        self._submitted.pop(place, None)

    def clear(self) -> None:
        """Delete every job."""
        self._seeded.clear()
        self._submitted.clear()
