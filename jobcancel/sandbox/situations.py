"""What happens to people who cancel jobs: one table of situations, for every vendor.

A row says which job there is, what goes wrong, and what a truthful client must report. Errors have
the vendor's own shape, from its declaration, and so does the truth where vendors differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from jobcancel.models import JobState, Outcome
from jobcancel.sandbox.faults import Fault, On
from jobcancel.sandbox.jobs import AT_ONCE, DAY, CancelPolicy, Ending, SandboxJob
from jobcancel.sandbox.keys import OTHER, OWN
from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.vendors.declaration import Answer, KeyStatus, Vendor, fill

O = Outcome  # noqa: E741 - the table is read by columns
Truth: TypeAlias = set[Outcome] | Callable[[Vendor], set[Outcome]]


@frozen(kw_only=True)
class Situation:
    """One situation at one vendor.

    Attributes:
        provider: the provider's name; a deprecated provider has the same jobs.
        name: a short name, unique per provider.
        description: what happens, in one sentence.
        job_id: the id to cancel.
        params: what the provider needs besides the id.
        key: the API key to use, if not the default one.
        outcomes: what a truthful client reports for the first cancel with default settings.
        verified: what it must report with `verify=True`, where that makes a difference.
    """

    provider: str
    name: str
    description: str
    job_id: str
    params: Mapping[str, str] = field(factory=dict, hash=False)
    key: str | None = None
    outcomes: frozenset[Outcome]
    verified: Outcome | None = None

    @property
    def expected(self) -> str:
        """The outcomes as text, such as `"cancelled or cancelling"`."""
        return " or ".join(sorted(self.outcomes))


@frozen(kw_only=True)
class SeededJob:
    """A job in its initial state; the arguments are those of `SandboxJob`.

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

    def build(self, provider: str, job_id: str, now: float) -> SandboxJob:
        """Return the job as of `now`, in seconds since the epoch."""
        cancelled = Ending(now - self.age / 2, JobState.CANCELLED)
        return SandboxJob(
            provider=provider,
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
            forced_ending=cancelled if self.cancelled else None,
        )


@frozen
class Injected:
    """A fault for the next `times` requests about the job."""

    fault: Fault
    on: On = "cancel"
    times: int | None = 1


@frozen
class Seed:
    """A situation, and what makes it: the job, if there is one, and the faults."""

    situation: Situation
    job: SeededJob | None = None
    faults: tuple[Injected, ...] = ()


# Jobs

PENDING = SeededJob(pending=DAY)
PROCESSING = SeededJob(age=DAY / 4)
SUCCEEDED = SeededJob(age=600.0, running=60.0)
FAILED = evolve(SUCCEEDED, ends_as=JobState.FAILED)


def cancellable(vendor: Vendor) -> SeededJob:
    """Return a job that the vendor cancels: one that runs, or one that waits."""
    return PROCESSING if vendor.cancels[JobState.RUNNING].stops else PENDING


def _cancellable(**changes: Any) -> Callable[[Vendor], SeededJob]:  # noqa: ANN401 - as `evolve`
    return lambda vendor: evolve(cancellable(vendor), **changes)


# Truth


def _acceptance(vendor: Vendor) -> Answer:
    """Return the answer to a cancel of a `cancellable` job."""
    state = JobState.PENDING if cancellable(vendor) is PENDING else JobState.RUNNING
    return vendor.cancels[state]


def accepted(vendor: Vendor, state: JobState | None = None) -> set[Outcome]:
    """Return the truth about a cancel of an active job: by default, of a `cancellable` one."""
    answer = _acceptance(vendor) if state is None else vendor.cancels[state]
    if not answer.stops:
        return {O.REFUSED}
    if answer.means is not None:
        return {answer.means}
    if not answer.shows_state:
        return {O.CANCELLED, O.CANCELLING}
    return {O.CANCELLED} if answer.shows in {None, JobState.CANCELLED} else {O.CANCELLING}


def _later(vendor: Vendor, *ends: Outcome) -> set[Outcome]:
    """Return the truth about a cancel after which the job runs on, and may then end."""
    truth = accepted(vendor)
    # Where the reply is conclusive, a client reports it and does not read the status.
    return truth if truth == {O.CANCELLED} else {O.CANCELLING, *ends, *truth}


def _when_documented(answer: Answer, outcome: Outcome) -> set[Outcome]:
    """Return an outcome; a client may not know it if the vendor does not document the answer."""
    return {outcome} if answer.documented else {outcome, O.UNKNOWN}


def over(vendor: Vendor) -> set[Outcome]:
    """Return the truth about a job that ends before the cancel arrives."""
    # A vendor that deletes finished jobs then deletes it, and answers as if it was cancelled.
    return {O.ALREADY_TERMINAL, O.CANCELLED} if vendor.deletes_finished else {O.ALREADY_TERMINAL}


def _cancelled_before(vendor: Vendor) -> set[Outcome]:
    # No vendor says who cancelled a job.
    return {O.NOT_FOUND} if vendor.hides_cancelled else {O.CANCELLED, O.ALREADY_TERMINAL}


def _foreign(vendor: Vendor) -> set[Outcome]:
    hidden = vendor.foreign.status == vendor.unknown.status
    return _when_documented(vendor.foreign, O.NOT_FOUND if hidden else O.FORBIDDEN)


# Faults


def answering(answer: Answer, wait: int = 0, **more: Any) -> Fault:  # noqa: ANN401 - as `Fault`
    """Return a fault with one of the vendor's answers."""
    values = {
        "wait": wait,
        "request_id": "req_seeded",
        "now": "2026-01-01T00:00:00.000Z",
        "path": "/",
    }
    body: Any = None if answer.body is None else fill(answer.body, values)
    return Fault(status=answer.status, body=body, **more)


def limited(wait: int) -> Callable[[Vendor], Fault]:
    """Return the fault of a vendor that asks to wait, as a function of the vendor."""
    return lambda vendor: answering(vendor.limit, wait, headers={"retry-after": str(wait)})


def _failure(**more: Any) -> Callable[[Vendor], Fault]:  # noqa: ANN401 - as `Fault`
    return lambda vendor: answering(vendor.failure, **more)


_MAINTENANCE = Fault(
    status=503,
    headers={"content-type": "text/html", "retry-after": "3600"},
    body="<!doctype html><title>Maintenance</title><h1>Back in an hour</h1>",
)
MAINTENANCE = (Injected(_MAINTENANCE, times=None), Injected(_MAINTENANCE, on="status", times=None))


def _always(_: Vendor) -> bool:
    return True


@frozen
class Row:
    """A situation at any vendor.

    Args:
        name: a short name.
        description: what happens, in one sentence.
        truth: what a truthful client reports, or a function of the vendor.
        job: the job, or a function of the vendor; None for no job.
        cancel: a fault of the first cancel request, or a function of the vendor.
        lasting: whether it is a fault of every cancel request.
        faults: all faults, in place of `cancel`.
        key: the status of the key to use; None for a key that the vendor does not know.
        job_id: the job's id; None for one with the row's name.
        verified: what a client reports with `verify=True`, where that makes a difference.
        needs: whether a vendor can get into the situation.
    """

    name: str
    description: str
    truth: Truth
    job: SeededJob | Callable[[Vendor], SeededJob] | None = cancellable
    cancel: Fault | Callable[[Vendor], Fault] | None = None
    lasting: bool = False
    faults: tuple[Injected, ...] = ()
    key: KeyStatus | None = KeyStatus.GOOD
    job_id: str | None = None
    verified: Outcome | None = None
    needs: Callable[[Vendor], bool] = _always

    def at(self, vendor: Vendor, number: int) -> Seed:
        """Return the situation at a vendor; a vendor's own ids contain the number's digits."""
        truth = self.truth if isinstance(self.truth, set) else self.truth(vendor)
        key = f"{vendor.key()}-unknown" if self.key is None else vendor.key(self.key)
        situation = Situation(
            provider=vendor.name,
            name=self.name,
            description=self.description,
            job_id=_job_id(vendor, self.name, number)
            if self.job_id is None
            else vendor.id_prefix + self.job_id,
            params=vendor.params,
            key=None if self.key is KeyStatus.GOOD else key,
            outcomes=frozenset(truth),
            verified=self.verified,
        )
        job = self.job(vendor) if callable(self.job) else self.job
        fault = self.cancel(vendor) if callable(self.cancel) else self.cancel
        times = None if self.lasting else 1
        faults = self.faults if fault is None else (Injected(fault, times=times),)
        return Seed(situation, job, faults)


def _job_id(vendor: Vendor, name: str, number: int) -> str:
    own = vendor.new_id(vendor.seeded_ids_from + int(str(number), 16))
    free = re.fullmatch(vendor.id_form, f"sandbox-{name}") and not own.isdecimal()
    return f"{vendor.id_prefix}sandbox-{name}" if free else own


def _stops_later(vendor: Vendor) -> bool:
    """Return whether the vendor can show that a job still runs after its cancel was accepted."""
    answer = _acceptance(vendor)
    return not answer.shows_state or answer.shows is not None or JobState.CANCELLING in vendor.words


def _has_free_ids(vendor: Vendor) -> bool:
    return _job_id(vendor, "x", 0).endswith("sandbox-x")


ROWS = (
    Row(
        "pending",
        "The job waits its turn.",
        lambda vendor: accepted(vendor, JobState.PENDING),
        job=PENDING,
    ),
    Row(
        "processing",
        "The job is being processed.",
        lambda vendor: accepted(vendor, JobState.RUNNING),
        job=PROCESSING,
    ),
    Row("completed", "The job has succeeded.", {O.ALREADY_TERMINAL}, job=SUCCEEDED),
    Row("failed", "The job has failed.", {O.ALREADY_TERMINAL}, job=FAILED),
    Row(
        "cancelled",
        "The job was cancelled before.",
        _cancelled_before,
        job=SeededJob(age=600.0, cancelled=True),
    ),
    Row(
        "other-spelling",
        "The reply is lost after the cancel; the status has another spelling.",
        {O.CANCELLED},
        job=lambda vendor: evolve(cancellable(vendor), words=vendor.other_words),
        cancel=Fault(drop=True, apply=True),
        needs=lambda vendor: bool(vendor.other_words),
    ),
    Row("foreign", "Another tenant's job.", _foreign, job=_cancellable(owner=OTHER)),
    Row(
        "unknown",
        "No such job.",
        lambda vendor: _when_documented(vendor.unknown, O.NOT_FOUND),
        job=None,
    ),
    Row("wrong-key", "The vendor does not know the key.", {O.UNAUTHORIZED}, key=None),
    Row(
        "limited-key",
        "The key may read jobs, but not cancel them.",
        {O.FORBIDDEN},
        key=KeyStatus.LIMITED,
        needs=lambda vendor: vendor.denied is not None,
    ),
    Row(
        "error-but-applied",
        "The vendor answers 500, but the job was cancelled.",
        {O.CANCELLED},
        cancel=_failure(apply=True),
    ),
    Row(
        "error-and-ended",
        "The vendor answers 500, because the job has just failed.",
        over,
        cancel=_failure(finish=JobState.FAILED),
    ),
    Row(
        "do-not-retry",
        "The vendor answers 500 and says that a retry will not help; the job runs on.",
        {O.UNKNOWN},
        cancel=lambda vendor: answering(vendor.final_failure or vendor.failure),
        lasting=True,
        needs=lambda vendor: vendor.final_failure is not None,
    ),
    Row(
        "race",
        "The job succeeds just before the request arrives.",
        over,
        cancel=Fault(finish=JobState.SUCCEEDED),
    ),
    Row(
        "lost-but-applied",
        "The reply is lost after the job was cancelled.",
        {O.CANCELLED},
        cancel=Fault(drop=True, apply=True),
    ),
    Row(
        "lost-not-applied",
        "The connection is lost before the job was cancelled.",
        accepted,
        cancel=Fault(drop=True),
    ),
    Row(
        "lost-and-ended",
        "The connection is lost, and the job succeeds by itself.",
        over,
        cancel=Fault(drop=True, finish=JobState.SUCCEEDED),
    ),
    Row("rate-limited-once", "The vendor asks to wait one second.", accepted, cancel=limited(1)),
    Row(
        "rate-limited",
        "The vendor asks to wait two hours.",
        {O.RATE_LIMITED},
        cancel=limited(7200),
        lasting=True,
    ),
    Row(
        "empty-reply",
        "The vendor answers 200 with an empty body, and the job is cancelled.",
        lambda vendor: {O.CANCELLED, *accepted(vendor)},
        cancel=Fault(status=200, apply=True),
    ),
    Row(
        "maintenance",
        "An HTML page with status 503 for an hour, for every request.",
        {O.UNKNOWN},
        faults=MAINTENANCE,
    ),
    Row(
        "spent-key",
        "The key's requests of the day are used up: wait until midnight UTC.",
        {O.RATE_LIMITED},
        key=KeyStatus.SPENT,
    ),
    Row(
        "expired-key",
        "The key has expired.",
        {O.UNAUTHORIZED},
        key=KeyStatus.EXPIRED,
        needs=lambda vendor: vendor.expired is not None,
    ),
    Row(
        "malformed",
        "The vendor does not accept the text as an id.",
        lambda vendor: _when_documented(vendor.malformed, O.INVALID),
        job=None,
        job_id="not-a-uuid",
        needs=lambda vendor: vendor.id_form != ".*",
    ),
    Row(
        "odd-id",
        "The id must be percent-encoded into one path segment.",
        accepted,
        job_id="sandbox/50% done?",
        needs=_has_free_ids,
    ),
    Row(
        "expired",
        "The job's retention period is over and its output deleted.",
        {O.ALREADY_TERMINAL},
        job=evolve(SUCCEEDED, ends_as=JobState.EXPIRED),
        needs=lambda vendor: JobState.EXPIRED in vendor.words,
    ),
    Row(
        "finished-says-200",
        "The job has succeeded; the vendor answers 200 with unknown words.",
        {O.ALREADY_TERMINAL},
        job=SUCCEEDED,
        cancel=Fault(status=200, body={"message": "Job has ended and remains unchanged"}),
        lasting=True,
    ),
    Row(
        "completes-anyway",
        "The cancel is accepted, yet the job succeeds: cancelling is best effort.",
        lambda vendor: _later(vendor, O.ALREADY_TERMINAL),
        job=_cancellable(on_cancel=CancelPolicy(JobState.SUCCEEDED, after=0.3)),
        verified=O.ALREADY_TERMINAL,
        needs=_stops_later,
    ),
    Row(
        "slow-to-stop",
        "The cancel is accepted, yet the job runs on for hours.",
        _later,
        job=_cancellable(on_cancel=CancelPolicy(after=DAY / 2)),
        verified=O.CANCELLING,
        needs=_stops_later,
    ),
    Row(
        "new-word",
        "The vendor is unavailable for an hour; the status is an unknown word.",
        {O.UNKNOWN},
        job=_cancellable(words=dict.fromkeys((JobState.PENDING, JobState.RUNNING), "archiving")),
        cancel=Fault(status=503, headers={"retry-after": "3600"}),
        lasting=True,
    ),
    Row(
        "readme",
        "The README's example: a job that waits its turn.",
        accepted,
        job=PENDING,
        job_id="abc123-def456-ghi789",
        needs=lambda vendor: vendor.name == "pulse",
    ),
)
"""Every situation; the ordinary ones first. A row's number is in the ids of some vendors."""

SEEDS = tuple(
    row.at(vendor, number)
    for vendor in VENDORS.values()
    for number, row in enumerate(ROWS, 1)
    if row.needs(vendor)
)
SITUATIONS: tuple[Situation, ...] = tuple(seed.situation for seed in SEEDS)
"""All situations at all vendors, in which the sandbox starts."""
