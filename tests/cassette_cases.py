"""What each cassette holds: a provider, the outcome it ends with, and how it is recorded.

A cassette is named after its outcome, `cassettes/<provider>/<outcome>.yaml`. There is one for
every outcome that a provider's replies can lead to: `invalid` only where the vendor itself
refuses ids (elsewhere nothing is sent), `cancelling` only where the reply does not show the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import Factory, frozen

from jobcancel import Canceller, Outcome
from jobcancel.sandbox import SITUATIONS, Fault, Situation
from jobcancel.testing.clocks import StillClock

CASSETTES = Path(__file__).parent.parent / "cassettes"

# Long enough that no wait is ever sat out; in Retry-After, so that the cassette does not age.
HOURS = Fault(
    status=429,
    headers={"retry-after": "7200"},
    body={"statusCode": 429, "code": "RATE_LIMITED", "message": "Too many requests"},
)


@frozen(kw_only=True)
class Case:
    provider: str
    outcome: Outcome
    situation: str
    """Name of the sandbox's seeded situation."""
    options: Mapping[str, Any] = Factory(dict)
    fault: Fault | None = None
    """What the sandbox answers instead, once."""

    @property
    def vendor(self) -> str:
        return self.provider.removesuffix("-legacy")

    @property
    def seed(self) -> Situation:
        return next(s for s in SITUATIONS if (s.vendor, s.name) == (self.vendor, self.situation))

    @property
    def path(self) -> Path:
        return CASSETTES / self.provider / f"{self.outcome}.yaml"


def _pulse(provider: str) -> list[Case]:
    watched = {"verify": True, "deadline": 1.0}
    return [
        Case(provider=provider, outcome=Outcome.CANCELLED, situation="readme"),
        Case(
            provider=provider,
            outcome=Outcome.CANCELLING,
            situation="slow-to-stop",
            options=watched,
        ),
        Case(provider=provider, outcome=Outcome.ALREADY_TERMINAL, situation="completed"),
        Case(provider=provider, outcome=Outcome.NOT_FOUND, situation="unknown"),
        Case(provider=provider, outcome=Outcome.FORBIDDEN, situation="foreign"),
        Case(provider=provider, outcome=Outcome.UNAUTHORIZED, situation="wrong-key"),
        Case(provider=provider, outcome=Outcome.RATE_LIMITED, situation="rate-limited"),
        Case(provider=provider, outcome=Outcome.UNKNOWN, situation="maintenance"),
    ]


CASES = [
    *_pulse("pulse"),
    *_pulse("pulse-legacy"),
    Case(provider="talonic", outcome=Outcome.CANCELLED, situation="pending"),
    Case(provider="talonic", outcome=Outcome.ALREADY_TERMINAL, situation="completed"),
    Case(provider="talonic", outcome=Outcome.NOT_FOUND, situation="unknown"),
    Case(provider="talonic", outcome=Outcome.FORBIDDEN, situation="limited-key"),
    Case(provider="talonic", outcome=Outcome.UNAUTHORIZED, situation="wrong-key"),
    Case(provider="talonic", outcome=Outcome.RATE_LIMITED, situation="pending", fault=HOURS),
    Case(provider="talonic", outcome=Outcome.INVALID, situation="malformed"),
    Case(provider="talonic", outcome=Outcome.UNKNOWN, situation="do-not-retry"),
]


def still_canceller(**settings: Any) -> Canceller:
    """A client on whose clock no time passes but in waits."""
    canceller = Canceller(**settings)
    canceller._clock = StillClock().clock
    return canceller
