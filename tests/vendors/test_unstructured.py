"""Unstructured, which documents only the request of a cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.unstructured import UNSTRUCTURED
from tests.hand import ENDPOINT, found, play_cancel, reply

if TYPE_CHECKING:
    from jobcancel.testing.steps import Step

ID = "fcdc4994-eea5-425c-91fa-e03f2bd8030d"


def job(status: str) -> dict[str, Any]:
    return {"id": ID, "workflow_id": "w", "workflow_name": "n", "status": status}


def shown(*words: str) -> list[Step]:
    return [answer(200, job(word)) for word in words]


class TestUnstructured(AdapterContract):
    adapter = UNSTRUCTURED
    job_id = ID
    replies = {
        Outcome.INVALID: answer(422, {"detail": [{"loc": ["path"], "msg": "m", "type": "t"}]}),
        Outcome.CANCELLING: [answer(200, {}), answer(200, {"message": "ok"})],
        Outcome.UNKNOWN: answer(422, {"detail": "the job has ended"}),
        Outcome.RATE_LIMITED: answer(429),
    }
    statuses = {
        JobState.PENDING: shown("SCHEDULED", "scheduled"),
        JobState.RUNNING: shown("IN_PROGRESS", "in_progress", "in progress", "im progress"),
        JobState.SUCCEEDED: shown("COMPLETED", "completed"),
        JobState.FAILED: shown("FAILED", "failed"),
        JobState.CANCELLED: shown("STOPPED", "stopped"),
    }
    undocumented = [
        Outcome.ALREADY_TERMINAL,
        *(Outcome.NOT_FOUND, Outcome.FORBIDDEN, Outcome.UNAUTHORIZED),
    ]


def test_the_cancel_request_is_an_empty_post_with_the_vendors_key_header() -> None:
    request = UNSTRUCTURED.cancel_request(Job("unstructured", "a/b"), ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/api/v1/jobs/a%2Fb/cancel", None) == (
        request.method,
        request.url,
        request.content,
    )
    assert ("unstructured-api-key", "k") == (
        request.credential.header,
        request.credential.spell("k"),
    )


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("UNSTRUCTURED_API_URL", "https://own.example/api/v1"),
        ("UNSTRUCTURED_API_URL", "https://own.example/api/v1/"),
        ("UNSTRUCTURED_BASE_URL", "https://own.example"),
    ],
)
def test_the_base_url_may_come_from_the_documented_variable(
    variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)
    job = Job("unstructured", ID)
    request = UNSTRUCTURED.cancel_request(job, found(UNSTRUCTURED), "unused")
    assert f"https://own.example/api/v1/jobs/{ID}/cancel" == request.url


def test_an_accepted_cancel_is_cancelled_if_the_job_reads_as_stopped() -> None:
    result, did = play_cancel(
        *(reply(200, {}), reply(200, job("STOPPED"))), adapter=UNSTRUCTURED, job_id=ID
    )
    assert (Outcome.CANCELLED, "STOPPED", True, 2) == (
        result.outcome,
        result.raw_state,
        result.verified,
        len(did),
    )
