"""The situations that Talonic's part of the sandbox starts with."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState, Outcome
from jobcancel.sandbox.faults import Fault
from jobcancel.sandbox.keys import OTHER, TALONIC_SPENT_KEY
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


def _envelope(number: int, status: int, code: str, *, retryable: bool) -> dict[str, object]:
    return {
        "statusCode": status,
        "code": code,
        "error": code.replace("_", " ").title(),
        "message": "The request could not be processed",
        "retryable": retryable,
        "request_id": "req_seeded",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "path": f"/v1/jobs/{_uuid(number)}/cancel",
    }


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _seed(
    number: int | str,
    name: str,
    about: str,
    outcome: Outcome,
    state: JobState | None = None,
    *,
    job: SeededJob | None = None,
    faults: tuple[Planned, ...] = (),
    key: str | None = None,
) -> Seed:
    job_id = _uuid(number) if isinstance(number, int) else number
    situation = Situation(
        vendor="talonic",
        name=name,
        job_id=job_id,
        about=about,
        outcome=outcome,
        state=state,
        key=key,
    )
    return Seed(situation, job, faults)


TALONIC_SEEDS = (
    _seed(
        1, "pending", "The job waits its turn.", Outcome.CANCELLED, JobState.CANCELLED, job=PENDING
    ),
    _seed(
        2,
        "processing",
        "The job is being worked on; a quarter of its documents is done.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
    ),
    _seed(3, "completed", "The job had succeeded; 409.", Outcome.ALREADY_TERMINAL, job=SUCCEEDED),
    _seed(
        4,
        "failed",
        "The job had failed; 409 in the short error format.",
        Outcome.ALREADY_TERMINAL,
        job=FAILED,
        faults=(
            Planned(
                Fault(
                    status=409,
                    body={"status": 409, "code": "conflict", "message": "Job has already failed"},
                ),
                times=None,
            ),
        ),
    ),
    _seed(
        5,
        "cancelled",
        "The job was cancelled before; 409.",
        Outcome.ALREADY_TERMINAL,
        job=CANCELLED,
    ),
    _seed(
        6,
        "node-dialect",
        "The reply says 'cancelled', as the vendor's Node SDK expects.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=evolve(PROCESSING, words={JobState.CANCELLED: "cancelled"}),
    ),
    _seed(
        7,
        "foreign",
        "Another organisation's job, which Talonic hides.",
        Outcome.NOT_FOUND,
        job=evolve(PENDING, owner=OTHER),
    ),
    _seed(8, "unknown", "No such job.", Outcome.NOT_FOUND),
    _seed(
        9,
        "wrong-key",
        "The key is not known to Talonic.",
        Outcome.UNAUTHORIZED,
        job=PENDING,
        key="tlnc_wrong_key",
    ),
    _seed(
        10,
        "limited-key",
        "The key may read jobs, but not cancel them.",
        Outcome.FORBIDDEN,
        job=PENDING,
        key="tlnc_limited_key",
    ),
    _seed("not-a-uuid", "malformed", "The id is not a UUID.", Outcome.INVALID),
    _seed(
        11,
        "error-but-applied",
        "Talonic answers 500, though the job was cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(
            Planned(
                Fault(
                    status=500,
                    body=_envelope(11, 500, "INTERNAL_ERROR", retryable=True),
                    apply=True,
                )
            ),
        ),
    ),
    _seed(
        12,
        "error-and-failed",
        "Talonic answers 500, and the job failed for a reason of its own.",
        Outcome.ALREADY_TERMINAL,
        JobState.FAILED,
        job=PROCESSING,
        faults=(
            Planned(
                Fault(
                    status=500,
                    body=_envelope(12, 500, "INTERNAL_ERROR", retryable=True),
                    finish=JobState.FAILED,
                )
            ),
        ),
    ),
    _seed(
        13,
        "do-not-retry",
        "Talonic answers 500 and says that repeating is no use; the job goes on.",
        Outcome.UNKNOWN,
        JobState.RUNNING,
        job=PROCESSING,
        faults=(
            Planned(
                Fault(status=500, body=_envelope(13, 500, "INTERNAL_ERROR", retryable=False)),
                times=None,
            ),
        ),
    ),
    _seed(
        14,
        "race",
        "The job succeeds while the request is on its way; 409.",
        Outcome.ALREADY_TERMINAL,
        job=PROCESSING,
        faults=(RACE,),
    ),
    _seed(
        15,
        "lost-but-applied",
        "The reply is lost after the job was cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(LOST_BUT_APPLIED,),
    ),
    _seed(
        16,
        "lost-not-applied",
        "The connection is lost before the job was cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(LOST,),
    ),
    _seed(
        17,
        "lost-and-ended",
        "The connection is lost and the job succeeds by itself.",
        Outcome.ALREADY_TERMINAL,
        JobState.SUCCEEDED,
        job=evolve(PROCESSING, words={JobState.SUCCEEDED: "completed"}),
        faults=(LOST_AND_ENDED,),
    ),
    _seed(
        18,
        "rate-limited-once",
        "Talonic asks to wait one second.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(
            Planned(
                Fault(
                    status=429,
                    body=_envelope(18, 429, "RATE_LIMITED", retryable=True),
                    headers={"retry-after": "1"},
                )
            ),
        ),
    ),
    _seed(
        19,
        "rate-limited",
        "The key's requests of the day are used: wait until midnight UTC.",
        Outcome.RATE_LIMITED,
        job=PROCESSING,
        key=TALONIC_SPENT_KEY,
    ),
    _seed(
        20,
        "empty-reply",
        "Talonic answers 200 with an empty body, and the job is cancelled.",
        Outcome.CANCELLED,
        JobState.CANCELLED,
        job=PROCESSING,
        faults=(EMPTY_200,),
    ),
    _seed(
        21,
        "maintenance",
        "An HTML page with status 503 for an hour, for every request.",
        Outcome.UNKNOWN,
        job=PROCESSING,
        faults=MAINTENANCE,
    ),
)
"""Every Talonic situation, the ordinary ones first."""
