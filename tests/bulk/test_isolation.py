"""One vendor's slowness, rate limit or outage does not affect the others; in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attrs import evolve

from jobcancel import Outcome, register, registry
from jobcancel.vendors.pulse import PULSE
from tests.virtual import CANCELLED, Vendors, after, now, play, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from jobcancel import CancelResult

FAST = dict.fromkeys(("fast-1", "fast-2", "fast-3"), 0.05)
SLOW = ("slow-1", "slow-2", "slow-3")


@pytest.fixture(autouse=True)
def _vendors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    for name in (*FAST, *SLOW):
        register(evolve(PULSE, name=name, credentials_of=None))


def mixed(counts: dict[str, int]) -> Iterator[tuple[str, str]]:
    for number in range(max(counts.values())):
        yield from ((name, f"{name}-{number}") for name in counts if number < counts[name])


def ends(
    seconds: dict[str, float], counts: dict[str, int], **settings: Any
) -> tuple[dict[str, float], int]:
    """Return when each vendor's last result came, and the most requests in flight at once."""

    async def scene() -> tuple[dict[str, float], int]:
        vendors = Vendors({name: after(each) for name, each in seconds.items()})
        ended = {}
        async for result in vendors.run(mixed(counts), **settings):
            ended[result.provider] = now()
        return ended, vendors.most

    return play(scene())


@cache
def alone(jobs: int, concurrency: int = 32) -> float:
    ended, _ = ends(FAST, dict.fromkeys(FAST, jobs), concurrency=concurrency)
    return max(ended.values())


@pytest.mark.parametrize("jobs", [100, 300])
@pytest.mark.parametrize("slow", [{"slow-1": 2.0}, dict.fromkeys(SLOW[:2], 60.0)])
def test_slow_vendors_barely_slow_down_the_others(jobs: int, slow: dict[str, float]) -> None:
    counts = {**dict.fromkeys(slow, 50), **dict.fromkeys(FAST, jobs)}
    ended, most = ends({**slow, **FAST}, counts)
    assert max(ended[name] for name in FAST) <= 1.4 * alone(jobs)
    assert 32 == most


def test_queued_slow_jobs_do_not_block_the_input() -> None:
    # More slow jobs than the read-ahead has room for.
    counts = {"slow-1": 500, **dict.fromkeys(FAST, 500)}
    settings = {"concurrency": 8, "timeout": 60, "deadline": 1e6}
    ended, _ = ends({"slow-1": 2.0, **FAST}, counts, **settings)
    assert max(ended[name] for name in FAST) <= 1.4 * alone(500, concurrency=8)
    # The slow jobs then use the full concurrency.
    assert ended["slow-1"] <= 1.15 * 500 * 2.0 / 8


def test_a_fast_vendor_beside_three_stalled_ones_stays_fast() -> None:
    only, _ = ends({"fast-1": 0.05}, {"fast-1": 500})
    counts = {**dict.fromkeys(SLOW, 20), "fast-1": 500}
    ended, _ = ends({**dict.fromkeys(SLOW, 60.0), "fast-1": 0.05}, counts)
    assert ended["fast-1"] <= 1.5 * only["fast-1"]


def test_a_slow_vendor_alone_uses_the_full_concurrency() -> None:
    # The window starts at 24.
    ended, most = ends({"slow-1": 2.0}, {"slow-1": 24 + 9 * 32})
    assert (32, 20.0) == (most, ended["slow-1"])


def test_slow_vendors_share_the_full_concurrency() -> None:
    ended, most = ends(dict.fromkeys(SLOW, 2.0), dict.fromkeys(SLOW, 100))
    assert 32 == most
    assert max(ended.values()) <= 1.2 * 300 * 2.0 / 32


def test_lanes_take_turns_with_a_concurrency_of_one() -> None:
    async def scene() -> list[str]:
        vendors = Vendors({"fast-1": after(0.05), "slow-1": after(2.0)})
        jobs = mixed({"slow-1": 3, "fast-1": 3})
        async for _ in vendors.run(jobs, concurrency=1):
            pass
        return [vendor for vendor, *_ in vendors.sent]

    assert {"fast-1": 2, "slow-1": 2} == Counter(play(scene())[:4])


def test_a_slow_vendor_leaves_capacity_for_vendors_that_come_later() -> None:
    async def scene() -> float:
        vendors = Vendors({"fast-1": after(0.05), "slow-1": after(5.0)})

        async def jobs() -> AsyncIterator[tuple[str, str]]:
            for number in range(200):
                yield ("slow-1", f"slow-{number}")
            await asyncio.sleep(1.0)
            for number in range(20):
                yield ("fast-1", f"fast-{number}")

        async for result in vendors.run(jobs()):
            if result.provider == "fast-1":
                ended = now()
        return ended

    assert 1.0 < play(scene()) < 1.5


def test_a_job_waiting_for_its_lane_uses_no_capacity() -> None:
    """Its cancel failed and its status must be read, but the vendor rate-limits the whole lane."""

    async def doubtful(method: str, job_id: str) -> httpx.Response:
        if method == "GET":
            return reply(200, {"job_id": job_id, "status": "canceled"})
        await asyncio.sleep(0.1 if job_id == "limited" else 0.2)
        return reply(429, retry_after="5") if job_id == "limited" else reply(500)

    async def scene() -> dict[str, float]:
        vendors = Vendors({"slow-1": doubtful, "fast-1": after(0.05)})
        jobs = [("slow-1", "limited"), *(("slow-1", str(number)) for number in range(3))]
        jobs += [("fast-1", str(number)) for number in range(40)]
        ended = {}
        async with vendors.run(jobs, concurrency=4) as received:
            async for result in received:
                ended[result.provider] = now()
                if result.provider == "slow-1":
                    break
        return ended

    ended = play(scene())
    assert ended["fast-1"] < 3
    assert ended["slow-1"] >= 5


# Outages


def outage(begin: float, end: float, seconds: float = 0.01) -> Any:
    async def answer(_method: str, _job_id: str) -> httpx.Response:
        await asyncio.sleep(seconds)
        if begin <= now() < end:
            raise httpx.ConnectError("refused")
        return reply(200, CANCELLED)

    return answer


def results(answer: Any, jobs: int, **settings: Any) -> tuple[list[CancelResult], Vendors, float]:
    async def scene() -> tuple[list[CancelResult], Vendors, float]:
        vendors = Vendors({"fast-1": answer})
        given = [("fast-1", str(number)) for number in range(jobs)]
        return [result async for result in vendors.run(given, **settings)], vendors, now()

    return play(scene())


@pytest.mark.parametrize("away", [0.1, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("begin", [0.0, 0.05])
def test_every_job_survives_an_outage_shorter_than_the_deadline(begin: float, away: float) -> None:
    received, vendors, seconds = results(outage(begin, begin + away), 250, deadline=8.0)
    assert 250 == len({result.job_id for result in received}) == len(received)
    assert {Outcome.CANCELLED: 250} == Counter(result.outcome for result in received)
    assert seconds < begin + away + 4
    refused = [sent for *_, sent in vendors.sent if begin <= sent < begin + away]
    assert len(refused) <= 32 + away / 0.5


def test_a_run_with_a_dead_vendor_ends_at_the_deadline() -> None:
    received, vendors, seconds = results(outage(0.0, 1e9), 2000, deadline=8.0)
    assert {Outcome.UNKNOWN: 2000} == Counter(result.outcome for result in received)
    assert any("the vendor is down" in result.message for result in received)
    assert seconds < 8 + 8 + 1
    assert len(vendors.sent) < 100


def test_a_vendor_that_goes_down_frees_its_capacity() -> None:
    async def scene(*, down: bool) -> float:
        async def answer(_method: str, _job_id: str) -> httpx.Response:
            if now() > 0.2:
                raise httpx.ConnectError("refused")
            await asyncio.sleep(0.05)
            return reply(200, CANCELLED)

        vendors = Vendors({"fast-1": answer, "fast-2": after(0.05)})
        jobs = mixed({"fast-1": 500, "fast-2": 500} if down else {"fast-2": 500})
        ended = {}
        async for result in vendors.run(jobs):
            ended[result.provider] = now()
        return ended["fast-2"]

    assert play(scene(down=True)) < play(scene(down=False)) + 0.5


def test_duplicates_are_not_read_ahead_without_limit() -> None:
    async def scene() -> tuple[int, Counter[Outcome], int]:
        vendors, read, answered = Vendors({"fast-1": after(0.05)}), [], asyncio.Event()

        async def jobs() -> AsyncIterator[tuple[str, str]]:
            for number in range(1000):
                read.append(number)
                yield ("fast-1", "the same")
                await answered.wait()

        results = vendors.run(jobs(), concurrency=1)
        first = await anext(results)
        answered.set()
        await asyncio.sleep(60)
        far = len(read)
        outcomes = Counter([first.outcome, *[result.outcome async for result in results]])
        return far, outcomes, len(vendors.sent)

    far, outcomes, sent = play(scene())
    assert far < 100
    assert ({Outcome.CANCELLED: 1000}, 1) == (outcomes, sent)
