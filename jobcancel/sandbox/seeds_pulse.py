"""The situations that Pulse's part of the sandbox starts with."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState, Outcome
from jobcancel.sandbox.faults import Fault
from jobcancel.sandbox.jobs import DAY, CancelPolicy
from jobcancel.sandbox.keys import OTHER
from jobcancel.sandbox.situations import (
    CANCELLED,
    EMPTY_200,
    FAILED,
    LOST,
    LOST_AND_ENDED,
    LOST_BUT_APPLIED,
    MAINTENANCE,
    PENDING,
    PROCESSING,
    RACE,
    SUCCEEDED,
    Planned,
    Seed,
    SeededJob,
    Situation,
)


def _envelope(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


_INTERNAL = _envelope("GENERAL_001", "Internal server error")
_LIMIT = _envelope("GENERAL_004", "Rate limit exceeded")


def _seed(
    name: str,
    about: str,
    outcome: Outcome,
    state: JobState | None = None,
    *,
    job: SeededJob | None = None,
    faults: tuple[Planned, ...] = (),
    job_id: str | None = None,
    key: str | None = None,
    verified_outcome: Outcome | None = None,
) -> Seed:
    situation = Situation(
        vendor="pulse",
        name=name,
        job_id=job_id or f"sandbox-{name}",
        about=about,
        outcome=outcome,
        state=state,
        key=key,
        verify=verified_outcome is not None,
        verified_outcome=verified_outcome,
    )
    return Seed(situation, job, faults)


PULSE_SEEDS = (
    _seed(
        "readme",
        "The example of the README: a job that waits its turn.",
        Outcome.CANCELLED,
        job=PENDING,
        job_id="abc123-def456-ghi789",
    ),
    _seed("pending", "The job waits its turn.", Outcome.CANCELLED, job=PENDING),
    _seed("processing", "The job is being worked on.", Outcome.CANCELLED, job=PROCESSING),
    _seed(
        "odd-id",
        "The id needs percent-encoding into one path segment.",
        Outcome.CANCELLED,
        job=PENDING,
        job_id="sandbox/50% done?",
    ),
    _seed(
        "completed",
        "The job had succeeded; Pulse answers 500.",
        Outcome.ALREADY_TERMINAL,
        JobState.SUCCEEDED,
        job=SUCCEEDED,
    ),
    _seed(
        "failed",
        "The job had failed; Pulse answers 500.",
        Outcome.ALREADY_TERMINAL,
        JobState.FAILED,
        job=FAILED,
    ),
    _seed(
        "cancelled",
        "The job was cancelled before; Pulse answers 500.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=CANCELLED,
    ),
    _seed(
        "expired",
        "The job's retention is over, its output gone.",
        Outcome.ALREADY_TERMINAL,
        JobState.EXPIRED,
        job=evolve(SUCCEEDED, ends_as=JobState.EXPIRED),
    ),
    _seed(
        "finished-says-200",
        "The job had succeeded; Pulse answers 200 with another message than that of success.",
        Outcome.ALREADY_TERMINAL,
        JobState.SUCCEEDED,
        job=SUCCEEDED,
        faults=(
            Planned(
                Fault(
                    status=200,
                    body={
                        "job_id": "sandbox-finished-says-200",
                        "message": "Job has ended and remains unchanged",
                    },
                ),
                times=None,
            ),
        ),
    ),
    _seed("foreign", "Another tenant's job.", Outcome.FORBIDDEN, job=evolve(PENDING, owner=OTHER)),
    _seed("unknown", "No such job.", Outcome.NOT_FOUND),
    _seed(
        "wrong-key",
        "The key is not known to Pulse.",
        Outcome.UNAUTHORIZED,
        job=PENDING,
        key="sandbox-pulse-wrong-key",
    ),
    _seed(
        "expired-key",
        "The key has expired.",
        Outcome.UNAUTHORIZED,
        job=PENDING,
        key="sandbox-pulse-expired-key",
    ),
    _seed(
        "limited-key",
        "The key lacks the permission.",
        Outcome.FORBIDDEN,
        job=PENDING,
        key="sandbox-pulse-limited-key",
    ),
    _seed(
        "completes-anyway",
        "The cancel is accepted, yet the job succeeds: best effort.",
        Outcome.CANCELLED,
        job=evolve(PROCESSING, on_cancel=CancelPolicy(JobState.SUCCEEDED, after=0.3)),
        verified_outcome=Outcome.ALREADY_TERMINAL,
    ),
    _seed(
        "slow-to-stop",
        "The cancel is accepted, yet the job goes on for long.",
        Outcome.CANCELLED,
        job=evolve(PROCESSING, on_cancel=CancelPolicy(after=DAY / 2)),
        verified_outcome=Outcome.CANCELLING,
    ),
    _seed(
        "error-but-applied",
        "Pulse answers 500, though the job was cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(Planned(Fault(status=500, body=_INTERNAL, apply=True)),),
    ),
    _seed(
        "older-spelling",
        "Pulse answers 500, though the job was cancelled; the status says 'cancelled'.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=evolve(PROCESSING, words={JobState.CANCELLED: "cancelled"}),
        faults=(Planned(Fault(status=500, body=_INTERNAL, apply=True)),),
    ),
    _seed(
        "error-and-ended",
        "Pulse answers 500, because the job has just failed.",
        Outcome.ALREADY_TERMINAL,
        JobState.FAILED,
        job=PROCESSING,
        faults=(Planned(Fault(status=500, body=_INTERNAL, finish=JobState.FAILED)),),
    ),
    _seed(
        "race",
        "The job succeeds while the request is on its way.",
        Outcome.ALREADY_TERMINAL,
        JobState.SUCCEEDED,
        job=PROCESSING,
        faults=(RACE,),
    ),
    _seed(
        "lost-but-applied",
        "The reply is lost after the job was cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(LOST_BUT_APPLIED,),
    ),
    _seed(
        "lost-not-applied",
        "The connection is lost before the job was cancelled.",
        Outcome.CANCELLED,
        job=PROCESSING,
        faults=(LOST,),
    ),
    _seed(
        "lost-and-ended",
        "The connection is lost and the job succeeds by itself.",
        Outcome.ALREADY_TERMINAL,
        JobState.SUCCEEDED,
        job=PROCESSING,
        faults=(LOST_AND_ENDED,),
    ),
    _seed(
        "rate-limited-once",
        "Pulse asks to wait one second.",
        Outcome.CANCELLED,
        job=PROCESSING,
        faults=(Planned(Fault(status=429, body=_LIMIT, headers={"retry-after": "1"})),),
    ),
    _seed(
        "rate-limited",
        "Pulse asks to wait two hours.",
        Outcome.RATE_LIMITED,
        job=PROCESSING,
        faults=(
            Planned(Fault(status=429, body=_LIMIT, headers={"retry-after": "7200"}), times=None),
        ),
    ),
    _seed(
        "empty-reply",
        "Pulse answers 200 with an empty body, and the job is cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(EMPTY_200,),
    ),
    _seed(
        "maintenance",
        "An HTML page with status 503 for an hour, for every request.",
        Outcome.UNKNOWN,
        job=PROCESSING,
        faults=MAINTENANCE,
    ),
    _seed(
        "new-word",
        "Pulse is unavailable for an hour; the status is a word that nobody knows.",
        Outcome.UNKNOWN,
        JobState.UNKNOWN,
        job=evolve(PROCESSING, words={JobState.RUNNING: "archiving"}),
        faults=(
            Planned(
                Fault(
                    status=503,
                    body=_envelope("GENERAL_005", "Service unavailable"),
                    headers={"retry-after": "3600"},
                ),
                times=None,
            ),
        ),
    ),
)
"""Every Pulse situation, the ordinary ones first."""
