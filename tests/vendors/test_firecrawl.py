"""Firecrawl, according to its OpenAPI document, its server's source and its SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.firecrawl import FIRECRAWL_BATCH, FIRECRAWL_CRAWL
from tests.hand import ENDPOINT, found, play_cancel, reply

if TYPE_CHECKING:
    from jobcancel import HttpAdapter

ID = "123e4567-e89b-42d3-a456-426614174000"
FINISHED = {"success": False, "error": "Crawl is already completed"}


class TestFirecrawlCrawl(AdapterContract):
    adapter = FIRECRAWL_CRAWL
    job_id = ID
    replies = {
        Outcome.CANCELLED: answer(200, {"status": "cancelled"}),
        Outcome.ALREADY_TERMINAL: answer(409, FINISHED),
        Outcome.INVALID: answer(400, {"success": False, "error": "Invalid job ID format"}),
        Outcome.UNAUTHORIZED: answer(401, {"success": False, "error": "Invalid token"}),
        Outcome.FORBIDDEN: answer(403, {"error": "Unauthorized"}),
        Outcome.NOT_FOUND: answer(404, {"error": "Job not found"}),
        Outcome.RATE_LIMITED: answer(429, {"error": "slow"}, headers={"retry-after": "3"}),
        Outcome.UNKNOWN: answer(500, {"error": "m"}),
    }
    statuses = {
        JobState.RUNNING: answer(200, {"status": "scraping", "total": 9, "completed": 2}),
        JobState.SUCCEEDED: answer(200, {"status": "completed", "total": 9, "completed": 9}),
        JobState.FAILED: answer(200, {"status": "failed"}),
        JobState.CANCELLED: answer(200, {"status": "cancelled", "total": 9, "completed": 3}),
    }


class TestFirecrawlBatch(TestFirecrawlCrawl):
    adapter = FIRECRAWL_BATCH


@pytest.mark.parametrize(
    ("adapter", "path"), [(FIRECRAWL_CRAWL, "/v2/crawl"), (FIRECRAWL_BATCH, "/v2/batch/scrape")]
)
def test_the_cancel_request_is_a_delete_of_the_status_url(adapter: HttpAdapter, path: str) -> None:
    cancel = adapter.cancel_request(Job(adapter.name, "a/b"), ENDPOINT, "unused")
    status = adapter.status_request(Job(adapter.name, "a/b"), ENDPOINT)
    assert status is not None
    assert ("DELETE", f"https://vendor.example{path}/a%2Fb", None) == (
        cancel.method,
        cancel.url,
        cancel.content,
    )
    assert ("GET", cancel.url) == (status.method, status.url)


def test_the_base_url_may_come_from_the_sdks_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRECRAWL_API_URL", "https://own.example")
    assert "https://own.example" == found(FIRECRAWL_CRAWL).base_url
    monkeypatch.setenv("FIRECRAWL_BASE_URL", "https://ours.example")
    assert "https://ours.example" == found(FIRECRAWL_BATCH).base_url


def test_another_teams_crawl_is_forbidden_with_any_message() -> None:
    reading = FIRECRAWL_CRAWL.read_cancel(Job("", ID), reply(403, {"error": "Unauthorized"}))
    assert (Outcome.FORBIDDEN, "Unauthorized") == (reading.outcome, reading.message)


RECEIPT = reply(200, {"status": "cancelled"})


@pytest.mark.parametrize("adapter", [FIRECRAWL_CRAWL, FIRECRAWL_BATCH])
@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("cancelled", Outcome.CANCELLED),
        ("completed", Outcome.ALREADY_TERMINAL),
        ("failed", Outcome.ALREADY_TERMINAL),
        # The server failed to record the cancel, or has not recorded it yet.
        ("scraping", Outcome.CANCELLING),
    ],
)
def test_the_reply_is_a_receipt_and_is_confirmed_with_one_status_read(
    adapter: HttpAdapter, word: str, outcome: Outcome
) -> None:
    result, did = play_cancel(RECEIPT, reply(200, {"status": word}), adapter=adapter, job_id=ID)
    assert (outcome, word, 2) == (result.outcome, result.raw_state, len(did))


def test_a_receipt_without_a_readable_status_is_an_acceptance() -> None:
    result, _ = play_cancel(RECEIPT, then={"GET": reply(500)}, adapter=FIRECRAWL_CRAWL, job_id=ID)
    assert (Outcome.CANCELLING, False) == (result.outcome, result.verified)


def test_verify_polls_until_the_job_has_ended() -> None:
    receipt, crawl = RECEIPT, {"total": 9, "completed": 9}
    completed = reply(200, {"status": "completed", **crawl})
    answers = [receipt, reply(200, {"status": "scraping", **crawl}), completed]
    result, _ = play_cancel(*answers, adapter=FIRECRAWL_CRAWL, job_id=ID, verify=True)
    assert (Outcome.ALREADY_TERMINAL, JobState.SUCCEEDED) == (result.outcome, result.state)
    assert Progress(9, 9) == result.progress
