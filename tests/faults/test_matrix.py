"""The fault matrix: every situation at every provider, sync and async, over real loopback HTTP.

Async on both transports: aiohttp and httpx.

For every case: the outcome is one of those that are true; no request left for any path but the
provider's own cancel and status path of this very job; the call took no longer than its
deadline and one exchange; memory stayed bounded; the key is in no log event and no result.
"""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import anyio
import pytest

from jobcancel import AsyncCanceller, Canceller, CancelResult, JobState, Outcome
from jobcancel.adapter.routes import declared
from jobcancel.errors import ConfigurationError
from tests.faults.situations import (
    HOURS,
    PARAMS,
    POSSIBLE,
    PROVIDERS,
    SEEDED,
    Situation,
    Stage,
    adapter_of,
)

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox
    from tests.faults.conftest import Seen, SkippingClock
    from tests.wire import Wire

pytestmark = pytest.mark.filterwarnings("ignore:provider 'pulse-legacy':DeprecationWarning")

TIMEOUT, DEADLINE = 0.4, 30.0
# What a busy machine may add to the time of a call; a server that holds it adds far more.
SLACK = 1.0
MOST_MEMORY = 64 * 2**20

Cancel: TypeAlias = Callable[[Stage, "SkippingClock", dict[str, Any]], CancelResult]


def cancel_sync(stage: Stage, skipping: SkippingClock, options: dict[str, Any]) -> CancelResult:
    with Canceller() as canceller:
        canceller._clock = skipping.clock
        return canceller.cancel(stage.provider, stage.job_id, **options)


def cancel_async(stage: Stage, skipping: SkippingClock, options: dict[str, Any]) -> CancelResult:
    async def run() -> CancelResult:
        async with AsyncCanceller() as canceller:
            canceller._clock = skipping.clock
            return await canceller.cancel(stage.provider, stage.job_id, **options)

    return anyio.run(run)


def cancel_httpx(stage: Stage, skipping: SkippingClock, options: dict[str, Any]) -> CancelResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBCANCEL_TRANSPORT", "httpx")
        return cancel_async(stage, skipping, options)


KINDS = {"sync": cancel_sync, "aiohttp": cancel_async, "httpx": cancel_httpx}

CASES = [
    pytest.param(provider, situation, cancel, id=f"{provider}-{situation.name}-{name}")
    for provider, situation in POSSIBLE
    for name, cancel in KINDS.items()
    # The kinds differ in the transport, which does not know the vendor.
    if provider in SEEDED or name == "sync"
]


def own_requests(stage: Stage) -> set[tuple[str, str]]:
    """The only requests that may leave for this job: its cancel and its status."""
    adapter, base = stage.adapter, urlsplit(stage.sandbox.base_urls[stage.provider]).path
    assert adapter.status is not None
    defaults = {n: p.default for n, p in declared(adapter.params).items() if p.default is not None}
    job_id = stage.job_id.removeprefix(adapter.id_prefix)
    values = {**defaults, **PARAMS.get(stage.provider, {}), "id": job_id}
    return {
        (route.method, f"{base}{route.target(values)}")
        for route in (adapter.cancel, adapter.status)
    }


def contradiction(stage: Stage, outcome: Outcome) -> str | None:
    """How an outcome contradicts what the sandbox knows of the job, whatever it answered."""
    try:
        job = stage.sandbox.job(stage.vendor, stage.job_id)
    except ConfigurationError:
        return None
    holds = {
        Outcome.CANCELLED: job.state is JobState.CANCELLED,
        Outcome.CANCELLING: job.cut is not None or job.state.final,
        Outcome.ALREADY_TERMINAL: job.state.final,
    }
    return None if holds.get(outcome, True) else f"{outcome}, but the job is {job.state}"


@pytest.mark.parametrize(("provider", "situation", "cancel"), CASES)
def test_the_outcome_is_true_and_nothing_else_is_touched(
    provider: str,
    situation: Situation,
    cancel: Cancel,
    *,
    vendors: Sandbox,
    elsewhere: Wire,
    skipping: SkippingClock,
    seen: Seen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="jobcancel")
    vendors.reset()
    stage = Stage(vendors, provider, adapter_of(provider), skipping.wall, elsewhere.url)
    stage.key = vendors.api_keys[provider]
    situation.arrange(stage)
    options = {
        "api_key": stage.key,
        "base_url": stage.base_url or vendors.base_urls[provider],
        "timeout": TIMEOUT,
        "deadline": DEADLINE,
        "params": PARAMS.get(provider),
        **situation.options,
    }
    tracemalloc.start()
    result = cancel(stage, skipping, options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    seen.outcomes[provider, situation.name].add(result.outcome)
    assert result.outcome in situation.true(stage), result
    if stage.declared:
        assert contradiction(stage, result.outcome) is None
    assert {(r.method, r.path) for r in vendors.requests} <= own_requests(stage)
    assert 0 == elsewhere.connections
    assert result.elapsed <= DEADLINE + TIMEOUT + SLACK
    assert peak < MOST_MEMORY
    assert stage.key not in caplog.text
    assert stage.key not in json.dumps(result.to_dict())
    if result.outcome is Outcome.RATE_LIMITED and "hours" in situation.name:
        assert (HOURS, 1) == (result.retry_after, result.attempts)
    if result.outcome is Outcome.INVALID and not vendors.requests:
        assert 0 == result.attempts


def test_the_matrix_covers_every_provider_of_the_sandbox(vendors: Sandbox) -> None:
    assert set(PROVIDERS) == set(vendors.base_urls)
