"""Five thousand jobs of two vendors with every kind of fault: one true result for each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from jobcancel import JobState, Outcome, cancel_many
from jobcancel.sandbox import Fault, Sandbox

RUNNING: dict[str, Any] = {"pending": 0.0, "running": 1e6}
ENDED: dict[str, Any] = {"pending": 0.0, "running": 0.0}


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
def test_every_job_has_one_true_result(
    sandbox: Sandbox, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", transport)
    chance = random.Random(7)  # noqa: S311 - a reproducible mixture
    expected: dict[tuple[str, str], Outcome] = {}
    for number in range(5000):
        vendor = chance.choice(["pulse", "talonic"])
        kind = chance.randrange(6)
        ended = kind == 0
        job_id = sandbox.submit(vendor, **(ENDED if ended else RUNNING))
        if kind == 1:
            sandbox.fault(vendor, job_id, Fault(drop=True, apply=True))
        elif kind == 2:
            sandbox.fault(vendor, job_id, Fault(status=500, apply=chance.random() < 0.5))
        elif kind == 3:
            sandbox.fault(vendor, job_id, Fault(finish=JobState.FAILED))
            ended = True
        elif kind == 4 and number % 10 == 0:
            job_id = "00000000-0000-4000-8000-00000000" + f"{number:04x}"
        elif number % 500 == 499:
            sandbox.fault(vendor, job_id, Fault(status=429, headers={"retry-after": "0.1"}))
        known = kind != 4 or number % 10 != 0
        outcome = Outcome.ALREADY_TERMINAL if ended else Outcome.CANCELLED
        expected[vendor, job_id] = outcome if known else Outcome.NOT_FOUND
    given = list(expected)
    results = list(cancel_many(given, api_keys=sandbox.api_keys, base_urls=sandbox.base_urls))
    assert len(given) == len(results)
    assert expected == {(result.provider, result.job_id): result.outcome for result in results}
