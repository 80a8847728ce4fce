"""How applications call jobcancel; for type checkers, never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

import httpx
import httpx2

from jobcancel import (
    Adapter,
    AsyncCanceller,
    Canceller,
    CancelResult,
    HttpAdapter,
    Job,
    JobReading,
    JobState,
    Outcome,
    acancel,
    astatus,
    await_for,
    cancel,
    get_adapter,
    providers,
    register,
    status,
    wait_for,
)


def synchronous() -> None:
    result = cancel("pulse", "1", params={"a": "b"}, api_key="k", timeout=1, deadline=2.5)
    assert_type(result, CancelResult)
    assert_type(result.outcome, Outcome)
    assert_type(result.state, JobState | None)
    assert_type(result.raise_for_outcome(), CancelResult)
    assert_type(CancelResult.from_dict(result.to_dict()), CancelResult)
    assert_type(status("pulse", "1", base_url="https://vendor.example"), JobReading)
    with Canceller(api_keys={"pulse": "k"}, http_client=httpx.Client()) as canceller:
        assert_type(canceller.cancel("pulse", "1", verify=True), CancelResult)
        end = wait_for("pulse", "1", timeout=60, client=canceller, on_progress=print)
        assert_type(end, JobReading | CancelResult)
        assert_type(wait_for("pulse", "1", timeout=60, cancel=False, poll=5), JobReading)


def with_httpx2() -> None:
    Canceller(http_client=httpx2.Client())
    AsyncCanceller(http_client=httpx2.AsyncClient())


async def asynchronous() -> None:
    assert_type(await acancel("pulse", "1"), CancelResult)
    assert_type(await astatus("pulse", "1"), JobReading)
    async with AsyncCanceller(http_client=httpx.AsyncClient()) as canceller:
        assert_type(canceller, AsyncCanceller)
        assert_type(await canceller.status("pulse", "1"), JobReading)
        end = await await_for("pulse", "1", timeout=60, client=canceller, on_progress=report)
        assert_type(end, JobReading | CancelResult)
        assert_type(await await_for("pulse", "1", timeout=60, cancel=False), JobReading)


async def report(reading: JobReading) -> None:
    assert_type(reading.state, JobState | None)


def plugging_in(adapter: HttpAdapter) -> None:
    as_protocol: Adapter = adapter
    register(as_protocol)
    assert_type(get_adapter("pulse"), Adapter)
    assert_type(providers(), tuple[str, ...])
    assert_type(Job("pulse", "1").params, Mapping[str, str])
