"""One vendor's slowness, limit or outage is not another's: in virtual time."""

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
    """Return when each vendor's last job had its result, and how many were in flight at most."""

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
def test_slow_vendors_cost_the_others_little(jobs: int, slow: dict[str, float]) -> None:
    counts = {**dict.fromkeys(slow, 50), **dict.fromkeys(FAST, jobs)}
    ended, most = ends({**slow, **FAST}, counts)
    assert max(ended[name] for name in FAST) <= 1.4 * alone(jobs)
    assert 32 == most


def test_slow_jobs_that_pile_up_do_not_stop_the_reading_of_others() -> None:
    # More of them than there is room for.
    counts = {"slow-1": 500, **dict.fromkeys(FAST, 500)}
    settings = {"concurrency": 8, "timeout": 60, "deadline": 1e6}
    ended, _ = ends({"slow-1": 2.0, **FAST}, counts, **settings)
    assert max(ended[name] for name in FAST) <= 1.4 * alone(500, concurrency=8)
    # The slow ones have the rest to themselves.
    assert ended["slow-1"] <= 1.15 * 500 * 2.0 / 8


def test_one_fast_vendor_beside_three_that_stall_still_gets_most() -> None:
    only, _ = ends({"fast-1": 0.05}, {"fast-1": 500})
    counts = {**dict.fromkeys(SLOW, 20), "fast-1": 500}
    ended, _ = ends({**dict.fromkeys(SLOW, 60.0), "fast-1": 0.05}, counts)
    assert ended["fast-1"] <= 1.5 * only["fast-1"]


def test_a_slow_vendor_that_is_alone_has_all_places() -> None:
    # The window begins with 24.
    ended, most = ends({"slow-1": 2.0}, {"slow-1": 24 + 9 * 32})
    assert (32, 20.0) == (most, ended["slow-1"])


def test_vendors_that_are_all_slow_share_all_places() -> None:
    ended, most = ends(dict.fromkeys(SLOW, 2.0), dict.fromkeys(SLOW, 100))
    assert 32 == most
    assert max(ended.values()) <= 1.2 * 300 * 2.0 / 32


def test_with_one_place_lanes_take_turns() -> None:
    async def scene() -> list[str]:
        vendors = Vendors({"fast-1": after(0.05), "slow-1": after(2.0)})
        jobs = mixed({"slow-1": 3, "fast-1": 3})
        async for _ in vendors.run(jobs, concurrency=1):
            pass
        return [vendor for vendor, *_ in vendors.sent]

    assert {"fast-1": 2, "slow-1": 2} == Counter(play(scene())[:4])


def test_a_slow_vendor_leaves_places_for_those_whose_jobs_come_later() -> None:
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


def test_a_job_that_waits_for_the_pace_of_its_vendor_takes_no_place() -> None:
    """Its cancel had no reply and its status is to be read, but the vendor asks all to wait."""

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
        async with vendors.run(jobs, concurrency=4) as told:
            async for result in told:
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
def test_an_outage_shorter_than_the_deadline_costs_no_job(begin: float, away: float) -> None:
    told, vendors, seconds = results(outage(begin, begin + away), 250, deadline=8.0)
    assert 250 == len({result.job_id for result in told}) == len(told)
    assert {Outcome.CANCELLED: 250} == Counter(result.outcome for result in told)
    assert seconds < begin + away + 4
    refused = [sent for *_, sent in vendors.sent if begin <= sent < begin + away]
    assert len(refused) <= 32 + away / 0.5


def test_a_vendor_that_stays_down_ends_the_run_with_the_deadline() -> None:
    told, vendors, seconds = results(outage(0.0, 1e9), 2000, deadline=8.0)
    assert {Outcome.UNKNOWN: 2000} == Counter(result.outcome for result in told)
    assert any("the vendor is down" in result.message for result in told)
    assert seconds < 8 + 8 + 1
    assert len(vendors.sent) < 100


def test_a_vendor_that_goes_down_after_its_first_replies_leaves_its_places_to_the_others() -> None:
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


def test_a_job_that_is_given_over_and_over_is_read_no_further_than_its_results_are_taken() -> None:
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
