"""Talonic's endpoints behave as documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from jobcancel.models import JobState

if TYPE_CHECKING:
    import httpx

    from jobcancel.sandbox import Sandbox

PROCESSING = "00000000-0000-4000-8000-000000000002"
COMPLETED = "00000000-0000-4000-8000-000000000003"


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


def cancel(client: httpx.Client, job_id: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/v1/jobs/{job_id}/cancel", headers=sent)


def submit(client: httpx.Client, **body: object) -> str:
    job_id: str = client.post("/v1/jobs", json={"schema_id": "s", **body}).json()["id"]
    return job_id


def test_a_submission_is_accepted(talonic: httpx.Client, sandbox: Sandbox) -> None:
    reply = talonic.post("/v1/jobs", json={"schema_id": "s", "document_ids": ["a", "b"]})
    assert reply.status_code == 201
    assert reply.json()["status"] == "pending"
    assert sandbox.job("talonic", reply.json()["id"]).documents == 2


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 200_000, b"[]", b"{}", b'{"schema_id": "s", "document_ids": 1}']
)
def test_an_unusable_submission_is_refused(talonic: httpx.Client, body: bytes) -> None:
    reply = talonic.post("/v1/jobs", content=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "VALIDATION_ERROR")


def test_a_job_moves_on_with_the_clock(talonic: httpx.Client, clock: Clock) -> None:
    job_id = submit(talonic, document_ids=list("abcdefgh"))
    seen = []
    for seconds in (0, 1, 2, 2):
        clock.advance(seconds)
        body = talonic.get(f"/v1/jobs/{job_id}").json()
        seen.append((body["status"], body["completed_documents"]))
    assert seen == [("pending", 0), ("processing", 0), ("processing", 4), ("complete", 8)]


def test_a_job_with_no_duration_is_complete_at_once(sandbox: Sandbox) -> None:
    job = sandbox.job("talonic", sandbox.submit("talonic", pending=0, running=0))
    assert (job.state, job.done) == (JobState.SUCCEEDED, 12)


def test_a_failed_job_with_no_duration_has_finished_nothing(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("talonic", pending=0, running=0, ends_as="failed")
    assert sandbox.job("talonic", job_id).done == 0


def test_a_cancelled_job_is_failed_with_the_reason(talonic: httpx.Client) -> None:
    body = cancel(talonic, PROCESSING).json()
    assert body["status"] == "failed"
    assert body["error"] == {"code": "job_failed", "message": "Cancelled via API"}
    assert body["completed_at"] == "2023-11-14T22:13:20.000Z"
    assert (body["completed_documents"], body["document_count"]) == (12, 48)


def test_a_job_that_was_never_started_has_no_start(talonic: httpx.Client) -> None:
    assert cancel(talonic, submit(talonic)).json()["started_at"] is None


@pytest.mark.parametrize("number", [3, 5])
def test_a_job_that_has_ended_is_a_conflict(talonic: httpx.Client, number: int) -> None:
    reply = cancel(talonic, f"00000000-0000-4000-8000-00000000000{number}")
    assert (reply.status_code, reply.json()["code"]) == (409, "CONFLICT")


def test_a_second_cancel_is_a_conflict(talonic: httpx.Client) -> None:
    assert [cancel(talonic, PROCESSING).status_code for _ in range(2)] == [200, 409]


def test_a_failed_job_answers_in_the_short_envelope(talonic: httpx.Client) -> None:
    body = cancel(talonic, "00000000-0000-4000-8000-000000000004").json()
    assert set(body) == {"status", "code", "message"}


def test_the_long_envelope_names_the_request(talonic: httpx.Client) -> None:
    reply = cancel(talonic, COMPLETED)
    assert reply.json() == {
        "statusCode": 409,
        "code": "CONFLICT",
        "error": "Conflict",
        "message": "The job has ended and cannot be cancelled",
        "retryable": False,
        "request_id": reply.headers["x-request-id"],
        "timestamp": "2023-11-14T22:13:20.000Z",
        "path": f"/v1/jobs/{COMPLETED}/cancel",
    }


def test_an_idempotent_cancel_is_replayed(talonic: httpx.Client) -> None:
    first = cancel(talonic, PROCESSING, idempotency_key="a")
    second = cancel(talonic, PROCESSING, idempotency_key="a")
    assert (second.status_code, second.json()) == (200, first.json())


def test_the_same_idempotency_key_for_another_job_replays_the_first(talonic: httpx.Client) -> None:
    cancel(talonic, PROCESSING, idempotency_key="a")
    assert cancel(talonic, submit(talonic), idempotency_key="a").json()["id"] == PROCESSING


def test_an_error_is_replayed(talonic: httpx.Client) -> None:
    first = cancel(talonic, COMPLETED, idempotency_key="a")
    assert cancel(talonic, PROCESSING, idempotency_key="a").json() == first.json()


def test_a_replay_ends_after_a_day(talonic: httpx.Client, clock: Clock) -> None:
    cancel(talonic, PROCESSING, idempotency_key="a")
    clock.advance(86_400)
    assert cancel(talonic, PROCESSING, idempotency_key="a").status_code == 409


def test_only_the_last_ten_thousand_answers_are_replayed(
    talonic: httpx.Client, sandbox: Sandbox
) -> None:
    cancel(talonic, PROCESSING, idempotency_key="a")
    answer = sandbox._world.replays["tlnc_sandbox_key", "a"]
    for number in range(9_999):
        sandbox._world.replays["tlnc_sandbox_key", f"n{number}"] = answer
    assert cancel(talonic, PROCESSING, idempotency_key="a").status_code == 200
    cancel(talonic, PROCESSING, idempotency_key="b")
    assert cancel(talonic, PROCESSING, idempotency_key="a").status_code == 409


def test_a_renewed_answer_is_the_youngest(
    talonic: httpx.Client, sandbox: Sandbox, clock: Clock
) -> None:
    for name in "ab":
        cancel(talonic, PROCESSING, idempotency_key=name)
    clock.advance(86_400)
    cancel(talonic, PROCESSING, idempotency_key="a")
    assert [name for _, name in sandbox._world.replays] == ["b", "a"]


def test_an_idempotent_submission_makes_one_job(talonic: httpx.Client) -> None:
    headers = {"idempotency-key": "b"}
    replies = [talonic.post("/v1/jobs", json={"schema_id": "s"}, headers=headers) for _ in range(2)]
    assert replies[0].json()["id"] == replies[1].json()["id"]


def test_the_list_is_read_page_by_page(talonic: httpx.Client) -> None:
    ids: list[str] = []
    cursor = None
    more = True
    while more:
        params = {"limit": "8"} | ({"cursor": cursor} if cursor else {})
        body = talonic.get("/v1/jobs", params=params).json()
        ids += [job["id"] for job in body["data"]]
        cursor, more = body["pagination"]["next_cursor"], body["pagination"]["has_more"]
    assert cursor is None
    assert len(ids) == len(set(ids)) == 22


def test_the_list_is_filtered_by_status(talonic: httpx.Client) -> None:
    jobs = talonic.get("/v1/jobs", params={"status": "complete"}).json()["data"]
    assert {job["status"] for job in jobs} == {"complete"}
    assert COMPLETED in [job["id"] for job in jobs]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=",
        "limit=x",
        "limit=%C2%B2",
        f"limit={'9' * 5000}",
        "cursor=x",
        "cursor=eA==",
    ],
)
def test_an_unusable_list_query_is_refused(talonic: httpx.Client, query: str) -> None:
    assert talonic.get(f"/v1/jobs?{query}").json()["code"] == "VALIDATION_ERROR"


def test_every_reply_has_the_quota_headers(talonic: httpx.Client) -> None:
    reply = talonic.get(
        f"/v1/jobs/{PROCESSING}", headers={"authorization": "Bearer tlnc_other_key"}
    )
    assert reply.status_code == 404
    assert reply.headers["x-ratelimit-limit"] == "3"
    assert reply.headers["x-ratelimit-remaining"] == "2"
    assert reply.headers["x-ratelimit-reset"] == "2023-11-15T00:00:00.000Z"


def test_a_burst_is_rate_limited_for_seconds(talonic: httpx.Client) -> None:
    headers = {"authorization": "Bearer tlnc_other_key"}
    replies = [talonic.get("/v1/jobs", headers=headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["code"] == "RATE_LIMITED"
    assert replies[2].headers["retry-after"] == "2"
    assert replies[2].headers["x-ratelimit-remaining"] == "1"


def test_a_spent_day_is_rate_limited_until_midnight(talonic: httpx.Client, clock: Clock) -> None:
    headers = {"authorization": "Bearer tlnc_other_key"}
    for _ in range(3):
        assert talonic.get("/v1/jobs", headers=headers).status_code == 200
        clock.advance(2)
    reply = talonic.get("/v1/jobs", headers=headers)
    assert reply.status_code == 429
    assert "retry-after" not in reply.headers
    assert reply.headers["x-ratelimit-reset"] == "2023-11-15T00:00:00.000Z"
    clock.advance(6_400)
    assert talonic.get("/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/job", 404, "RESOURCE_NOT_FOUND"),
        ("DELETE", f"/v1/jobs/{PROCESSING}", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_routing_errors_are_answered_in_the_envelope(
    talonic: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    reply = talonic.request(method, path)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["path"] == path
