"""What a situation is: a seeded job, what waits for it, and what a truthful client must report.

The situations themselves are in `seeds_pulse` and `seeds_talonic`.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from jobcancel.models import JobState, Outcome
from jobcancel.sandbox.faults import Fault, On
from jobcancel.sandbox.jobs import AT_ONCE, DAY, CancelPolicy, Ending, SandboxJob
from jobcancel.sandbox.keys import OWN


@frozen(kw_only=True)
class Situation:
    """One thing that happens to people who cancel jobs.

    Attributes:
        vendor: `"pulse"` or `"talonic"`.
        name: a short name, unique per vendor.
        job_id: the id to cancel.
        about: what is the matter, in one sentence.
        outcome: what a truthful client reports for the first cancel with default settings.
        state: the job's state that the client then knows; None where no reply tells it.
        key: the key to use, where it is not the main one.
        verify: whether the situation is about `verify=True`.
        verified_outcome: what `verify=True` must report, where that differs.
    """

    vendor: str
    name: str
    job_id: str
    about: str
    outcome: Outcome
    state: JobState | None = None
    key: str | None = None
    verify: bool = False
    verified_outcome: Outcome | None = None


@frozen(kw_only=True)
class SeededJob:
    """A job as it is when the sandbox begins; the arguments are those of `SandboxJob`.

    Args:
        age: seconds since its submission.
        cancelled: whether it was cancelled, halfway to now.
    """

    age: float = 10.0
    pending: float = 0.0
    running: float = DAY
    ends_as: JobState = JobState.SUCCEEDED
    cancelled: bool = False
    owner: str = OWN
    on_cancel: CancelPolicy = AT_ONCE
    words: Mapping[JobState, str] = field(factory=dict, hash=False)

    def build(self, vendor: str, job_id: str, now: float) -> SandboxJob:
        """Return the job as of `now`, in seconds since the epoch."""
        return SandboxJob(
            vendor=vendor,
            job_id=job_id,
            owner=self.owner,
            created=now - self.age,
            pending=self.pending,
            running=self.running,
            ends_as=self.ends_as,
            on_cancel=self.on_cancel,
            documents=48,
            words=self.words,
            seeded=True,
            cut=Ending(now - self.age / 2, JobState.CANCELLED) if self.cancelled else None,
        )


@frozen
class Planned:
    """A fault that waits for the job's requests from the beginning."""

    fault: Fault
    on: On = "cancel"
    times: int | None = 1


@frozen
class Seed:
    """A situation and what makes it: the job, if there is one, and its faults."""

    situation: Situation
    job: SeededJob | None = None
    faults: tuple[Planned, ...] = ()


PENDING = SeededJob(pending=DAY)
PROCESSING = SeededJob(age=DAY / 4)
SUCCEEDED = SeededJob(age=600.0, running=60.0)
FAILED = SeededJob(age=600.0, running=60.0, ends_as=JobState.FAILED)
CANCELLED = SeededJob(age=600.0, cancelled=True)

LOST_BUT_APPLIED = Planned(Fault(drop=True, apply=True))
LOST = Planned(Fault(drop=True))
LOST_AND_ENDED = Planned(Fault(drop=True, finish=JobState.SUCCEEDED))
RACE = Planned(Fault(finish=JobState.SUCCEEDED))
EMPTY_200 = Planned(Fault(status=200, apply=True))

_MAINTENANCE = Fault(
    status=503,
    headers={"content-type": "text/html", "retry-after": "3600"},
    body="<!doctype html><title>Maintenance</title><h1>Back in an hour</h1>",
)
MAINTENANCE = (Planned(_MAINTENANCE, times=None), Planned(_MAINTENANCE, on="status", times=None))
