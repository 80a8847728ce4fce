"""The fault matrix: every situation at every provider, sync and async, over real loopback HTTP.

Async on both transports: aiohttp and httpx.

For every case: the outcome is one of the true ones; requests went only to the provider's cancel
and status URLs of this job; the call took at most its deadline plus one exchange; memory stayed
bounded; the key is in no log event and no result.
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
from jobcancel.sandbox.vendors.catalog import PROVIDERS
from tests.faults.situations import CLOCK, FIRST, HOURS, POSSIBLE, Case, adapter_of

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox, Situation
    from tests.faults.conftest import Seen

pytestmark = pytest.mark.filterwarnings("ignore:provider 'pulse-legacy':DeprecationWarning")

TIMEOUT, DEADLINE = 0.4, 30.0
# Extra time for a busy machine; a server that holds the call adds far more.
SLACK = 1.0
MOST_MEMORY = 64 * 2**20

Cancel: TypeAlias = Callable[..., CancelResult]


def cancel_sync(provider: str, job_id: str, **options: Any) -> CancelResult:
    with Canceller() as canceller:
        canceller.clock = CLOCK.clock
        return canceller.cancel(provider, job_id, **options)


def cancel_async(provider: str, job_id: str, **options: Any) -> CancelResult:
    async def run() -> CancelResult:
        async with AsyncCanceller() as canceller:
            canceller.clock = CLOCK.clock
            return await canceller.cancel(provider, job_id, **options)

    return anyio.run(run)


def cancel_httpx(provider: str, job_id: str, **options: Any) -> CancelResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBCANCEL_TRANSPORT", "httpx")
        return cancel_async(provider, job_id, **options)


KINDS = {"sync": cancel_sync, "aiohttp": cancel_async, "httpx": cancel_httpx}

CASES = [
    pytest.param(provider, case, cancel, id=f"{provider}-{case.name}-{name}")
    for provider, case in POSSIBLE
    for name, cancel in KINDS.items()
    # The kinds differ only in the transport, which is the same for all vendors.
    if provider in FIRST or name == "sync"
]


def own_requests(provider: str, situation: Situation, base_url: str) -> set[tuple[str, str]]:
    """Return the only requests that may be sent for this job: its cancel and its status."""
    adapter, base = adapter_of(provider), urlsplit(base_url).path
    assert adapter.status is not None
    defaults = {n: p.default for n, p in declared(adapter.params).items() if p.default is not None}
    job_id = situation.job_id.removeprefix(adapter.id_prefix)
    values = {**defaults, **situation.params, "id": job_id}
    return {
        (route.method, f"{base}{route.target(values)}")
        for route in (adapter.cancel, adapter.status)
    }


def contradiction(sandbox: Sandbox, situation: Situation, outcome: Outcome) -> str | None:
    """Return how an outcome contradicts the job's true state in the sandbox, if it does."""
    try:
        job = sandbox.job(situation.provider, situation.job_id)
    except ConfigurationError:
        return None
    holds = {
        Outcome.CANCELLED: job.state is JobState.CANCELLED,
        Outcome.CANCELLING: job.forced_ending is not None or job.state.final,
        Outcome.ALREADY_TERMINAL: job.state.final,
    }
    return None if holds.get(outcome, True) else f"{outcome}, but the job is {job.state}"


@pytest.mark.parametrize(("provider", "case", "cancel"), CASES)
def test_the_outcome_is_true_and_nothing_else_is_requested(
    provider: str,
    case: Case,
    cancel: Cancel,
    *,
    vendors: Sandbox,
    seen: Seen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="jobcancel")
    vendors.reset()
    seed = case.row.at(PROVIDERS[provider], number=0xFFFF)
    vendors._world.add(seed)
    situation = seed.situation
    own_url = vendors.base_urls[provider]
    key = situation.key or vendors.api_keys[provider]
    tracemalloc.start()
    result = cancel(
        provider,
        situation.job_id,
        api_key=key,
        base_url=case.base_url(own_url),
        timeout=TIMEOUT,
        deadline=DEADLINE,
        params=situation.params,
        verify=case.verify,
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    seen.outcomes[provider, case.name].add(result.outcome)
    assert result.outcome in ({situation.verified} if case.verify else situation.outcomes), result
    # Without `verify` the outcome does not promise how the job ends.
    if case.verify or situation.verified is None:
        assert contradiction(vendors, situation, result.outcome) is None
    assert {(r.method, r.path) for r in vendors.requests} <= own_requests(
        provider, situation, own_url
    )
    assert result.elapsed <= DEADLINE + TIMEOUT + SLACK
    assert peak < MOST_MEMORY
    assert key not in caplog.text
    assert key not in json.dumps(result.to_dict())
    if situation.name == "rate-limited":
        assert (HOURS, 1) == (result.retry_after, result.attempts)
    if result.outcome is Outcome.INVALID and not vendors.requests:
        assert 0 == result.attempts


def test_the_matrix_covers_every_provider_of_the_sandbox(vendors: Sandbox) -> None:
    assert {provider for provider, _ in POSSIBLE} == set(vendors.base_urls)
