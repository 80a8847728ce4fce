"""The case of each cassette: a provider, an outcome, and how it is recorded.

A cassette is named after its outcome, `cassettes/<provider>/<outcome>.yaml`. There is one for
every outcome that a provider's replies can cause: `invalid` only if the vendor itself rejects
ids (otherwise nothing is sent), `cancelling` only if the reply does not show a final state.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import Factory, frozen

from jobcancel import Canceller, HttpAdapter, JobState, Outcome, get_adapter
from jobcancel.sandbox import SITUATIONS, CancelPolicy, Fault
from jobcancel.sandbox.situations import MAINTENANCE, Injected
from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.vendors.declaration import KeyStatus
from jobcancel.testing.clocks import StillClock

if TYPE_CHECKING:
    from jobcancel.sandbox.vendors.declaration import Vendor

CASSETTES = Path(__file__).parent.parent / "cassettes"

WATCHED: Mapping[str, Any] = {"verify": True, "deadline": 1.0}
QUEUED: Mapping[str, float] = {"pending": 1e6}
RUNNING: Mapping[str, float] = {"pending": 0.0, "running": 1e6}
ENDED: Mapping[str, float] = {"pending": 0.0, "running": 0.0}


def limited_for_hours(body: Mapping[str, object] | None) -> Injected:
    """A rate limit beyond any deadline; otherwise the number of retries would be random.

    The wait is in Retry-After, so that the cassette does not expire.
    """
    return Injected(Fault(status=429, headers={"retry-after": "7200"}, body=body))


TALONIC_LIMIT = {"statusCode": 429, "code": "RATE_LIMITED", "message": "Too many requests"}

FORBIDDEN = 403

# The params that these vendors need; of the first three, as part of the host.
PARAMS = {
    "azure-openai-batch": {"resource": "my-resource"},
    "baseten": {"model": "abcd1234"},
    "databricks-run": {"host": "dbc-a1b2345c-d6e7.cloud.databricks.com"},
    "databricks-statement": {"host": "dbc-a1b2345c-d6e7.cloud.databricks.com"},
    "fal": {"app": "fal-ai/flux"},
    "runpod": {"endpoint": "my-endpoint"},
}
# Only a queued job is cancelled at once.
QUEUED_ONLY = {"baseten", "fal", "higgsfield"}
# Their success reply does not show a state.
UNSEEN_END = {"baseten", "higgsfield", "runway"}


@frozen(kw_only=True)
class Case:
    provider: str
    outcome: Outcome
    job_id: str
    job: Mapping[str, Any] | None = None
    """What to submit it with, if it is not there from the beginning or not at all."""
    faults: tuple[Injected, ...] = ()
    key: str | None = None
    """Where it is not the main one."""
    options: Mapping[str, Any] = Factory(dict)

    @property
    def vendor(self) -> str:
        return self.provider.removesuffix("-legacy")

    @property
    def path(self) -> Path:
        return CASSETTES / self.provider / f"{self.outcome}.yaml"


def _seeded(provider: str, outcome: Outcome, situation: str, **more: Any) -> Case:
    vendor = provider.removesuffix("-legacy")
    seed = next(each for each in SITUATIONS if (each.provider, each.name) == (vendor, situation))
    return Case(provider=provider, outcome=outcome, job_id=seed.job_id, key=seed.key, **more)


def _pulse(provider: str) -> list[Case]:
    return [
        _seeded(provider, Outcome.CANCELLED, "readme"),
        _seeded(provider, Outcome.CANCELLING, "slow-to-stop", options=WATCHED),
        _seeded(provider, Outcome.ALREADY_TERMINAL, "completed"),
        _seeded(provider, Outcome.NOT_FOUND, "unknown"),
        _seeded(provider, Outcome.FORBIDDEN, "foreign"),
        _seeded(provider, Outcome.UNAUTHORIZED, "wrong-key"),
        _seeded(provider, Outcome.RATE_LIMITED, "rate-limited"),
        _seeded(provider, Outcome.UNKNOWN, "maintenance"),
    ]


def _talonic() -> list[Case]:
    return [
        _seeded("talonic", Outcome.CANCELLED, "pending"),
        _seeded("talonic", Outcome.ALREADY_TERMINAL, "completed"),
        _seeded("talonic", Outcome.NOT_FOUND, "unknown"),
        _seeded("talonic", Outcome.FORBIDDEN, "limited-key"),
        _seeded("talonic", Outcome.UNAUTHORIZED, "wrong-key"),
        _seeded(
            "talonic", Outcome.RATE_LIMITED, "pending", faults=(limited_for_hours(TALONIC_LIMIT),)
        ),
        _seeded("talonic", Outcome.INVALID, "malformed"),
        _seeded("talonic", Outcome.UNKNOWN, "maintenance"),
    ]


def _declared(provider: str) -> list[Case]:
    """Return a case for every outcome, with the outcome's number in the job id."""
    vendor, adapter = VENDORS[provider], get_adapter(provider)
    assert isinstance(adapter, HttpAdapter)
    active = QUEUED if provider in QUEUED_ONLY else RUNNING
    confirms = bool(adapter.any_body_statuses) or adapter.confirm_success
    accepts = adapter.accepted is Outcome.CANCELLING and not confirms
    shown = vendor.cancels[JobState.RUNNING].shows
    # Whether the success reply says that the job has not ended yet.
    later = accepts or shown in {JobState.CANCELLING, JobState.RUNNING}
    declared = {*adapter.replies.values(), *adapter.verdicts.values()}
    rows: dict[Outcome, dict[str, Any]] = {
        Outcome.CANCELLED: {"job": active, "options": {"verify": True} if later else {}},
        Outcome.ALREADY_TERMINAL: {"job": ENDED},
        Outcome.UNAUTHORIZED: {"job": active, "key": "a-key-that-nobody-knows"},
        Outcome.RATE_LIMITED: {"job": active, **_limited(vendor)},
        Outcome.UNKNOWN: {"job": active, "faults": MAINTENANCE},
    }
    if later:
        rows[Outcome.CANCELLING] = {"job": active}
    if provider == "fal":
        rows[Outcome.CANCELLING] = {"job": RUNNING}
    slow = {**active, "on_cancel": CancelPolicy(after=1e6)}
    if confirms:
        rows[Outcome.CANCELLING] = {"job": slow}
    if provider in UNSEEN_END or adapter.receipt_only:
        rows[Outcome.CANCELLING] = {"job": slow, "options": WATCHED}
    if Outcome.NOT_FOUND in declared:
        rows[Outcome.NOT_FOUND] = {}
    if vendor.foreign.status == FORBIDDEN:
        rows[Outcome.FORBIDDEN] = {"job": {**active, "key": vendor.key(KeyStatus.OTHER)}}
    elif vendor.denied is not None:
        rows[Outcome.FORBIDDEN] = {"job": active, "key": vendor.key(KeyStatus.LIMITED)}
    rows |= _refused(vendor)
    if Outcome.INVALID in declared:
        rows[Outcome.INVALID] = {"job_id": "not an id"}
    params = {"params": PARAMS[provider]} if provider in PARAMS else {}
    return [
        Case(
            provider=provider,
            outcome=outcome,
            **{
                "job_id": vendor.new_id(number),
                **rows[outcome],
                "options": {**params, **rows[outcome].get("options", {})},
            },
        )
        for number, outcome in enumerate(Outcome, 1)
        if outcome in rows
    ]


def _limited(vendor: Vendor) -> dict[str, Any]:
    """Return what makes a vendor send a rate limit of hours."""
    if vendor.tells_wait or "{wait}" in str(vendor.limit.body):
        return {"key": vendor.key(KeyStatus.SPENT)}
    return {"faults": (limited_for_hours(vendor.limit.body),)}


def _refused(vendor: Vendor) -> dict[Outcome, dict[str, Any]]:
    """Return the case of a job that the vendor does not cancel in its current state."""
    if vendor.name == "extend-workflow":
        # A run in review is refused; runs in the sandbox are never in review.
        over = vendor.cancels[JobState.SUCCEEDED]
        refusal = Injected(Fault(status=over.status, body=over.body))
        return {Outcome.REFUSED: {"job": RUNNING, "faults": (refusal,)}}
    jobs = {JobState.PENDING: QUEUED, JobState.RUNNING: RUNNING}
    kept = [job for state, job in jobs.items() if not vendor.cancels[state].stops]
    return {Outcome.REFUSED: {"job": kept[0]}} if kept else {}


CASES = [
    *_pulse("pulse"),
    *_pulse("pulse-legacy"),
    *_talonic(),
    *(
        case
        for provider in sorted({*VENDORS} - {"pulse", "talonic"})
        for case in _declared(provider)
    ),
]


def still_canceller(**settings: Any) -> Canceller:
    """Return a client whose clock advances only in waits."""
    canceller = Canceller(**settings)
    canceller.clock = StillClock().clock
    return canceller
