"""LlamaCloud, according to its SDK and its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.llamacloud import (
    LLAMACLOUD_BATCH,
    LLAMACLOUD_EXTRACT,
    LLAMACLOUD_PARSE,
)
from tests.hand import ENDPOINT, play_cancel, reply

if TYPE_CHECKING:
    from jobcancel import HttpAdapter
    from jobcancel.testing.contract.inputs import Replies

ID = "pjb-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

REFUSALS: dict[Outcome, Replies] = {
    Outcome.UNAUTHORIZED: answer(401, {"detail": "Invalid API key"}),
    Outcome.FORBIDDEN: answer(403, {"detail": "Not your project"}),
    Outcome.RATE_LIMITED: answer(429, {"detail": "Too many requests"}),
    # The replies for an unknown job and for a finished job are not documented.
    Outcome.UNKNOWN: [answer(code, {"detail": "m"}) for code in (400, 404, 409, 422)],
}
WORDS = {
    JobState.PENDING: "PENDING",
    JobState.RUNNING: "RUNNING",
    JobState.SUCCEEDED: "COMPLETED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "CANCELLED",
}


def job(status: str) -> dict[str, Any]:
    return {"id": ID, "project_id": "p", "status": status}


class TestLlamaParse(AdapterContract):
    adapter = LLAMACLOUD_PARSE
    job_id = ID
    replies = {Outcome.CANCELLED: answer(200, job("CANCELLED")), **REFUSALS}
    statuses = {
        state: answer(200, {"job": job(word), "markdown": None}) for state, word in WORDS.items()
    }
    undocumented = [Outcome.ALREADY_TERMINAL, Outcome.NOT_FOUND]


class TestLlamaExtract(TestLlamaParse):
    adapter = LLAMACLOUD_EXTRACT
    statuses = {state: answer(200, job(word)) for state, word in WORDS.items()}


class TestLlamaBatch(TestLlamaExtract):
    adapter = LLAMACLOUD_BATCH
    replies = {
        Outcome.CANCELLING: [
            answer(200, job(word)) for word in ("RUNNING", "PENDING", "THROTTLED")
        ],
        Outcome.CANCELLED: answer(200, job("CANCELLED")),
        **REFUSALS,
    }


@pytest.mark.parametrize(
    ("adapter", "path"),
    [
        (LLAMACLOUD_PARSE, "/api/v2/parse"),
        (LLAMACLOUD_EXTRACT, "/api/v2/extract"),
        (LLAMACLOUD_BATCH, "/api/v2/batches"),
    ],
)
def test_each_kind_has_its_own_path(adapter: HttpAdapter, path: str) -> None:
    cancel = adapter.cancel_request(Job(adapter.name, "a/b"), ENDPOINT, "unused")
    status = adapter.status_request(Job(adapter.name, "a/b"), ENDPOINT)
    assert status is not None
    assert ("POST", f"https://vendor.example{path}/a%2Fb/cancel", None) == (
        cancel.method,
        cancel.url,
        cancel.content,
    )
    assert f"https://vendor.example{path}/a%2Fb" == status.url


def test_an_optional_project_is_sent_in_the_query() -> None:
    job = Job("llamacloud-parse", ID, {"project_id": "p&1"})
    request = LLAMACLOUD_PARSE.cancel_request(job, ENDPOINT, "unused")
    assert f"https://vendor.example/api/v2/parse/{ID}/cancel?project_id=p%261" == request.url


def test_the_kinds_share_a_key() -> None:
    assert {"llamacloud-parse"} == {
        LLAMACLOUD_EXTRACT.credentials_of,
        LLAMACLOUD_BATCH.credentials_of,
    }
    assert ("LLAMA_PARSE_API_KEY",) == LLAMACLOUD_BATCH.other_key_envs


def test_the_status_of_a_parse_job_is_read_from_its_result() -> None:
    result, did = play_cancel(
        reply(400, {"detail": "cannot be cancelled"}),
        reply(200, {"job": job("COMPLETED")}),
        adapter=LLAMACLOUD_PARSE,
        job_id=ID,
    )
    assert (Outcome.ALREADY_TERMINAL, "COMPLETED", 2) == (
        result.outcome,
        result.raw_state,
        len(did),
    )


def test_verify_polls_a_batch_until_it_is_cancelled() -> None:
    result, _ = play_cancel(
        *(reply(200, job(word)) for word in ("RUNNING", "RUNNING", "CANCELLED")),
        adapter=LLAMACLOUD_BATCH,
        job_id=ID,
        verify=True,
    )
    assert (Outcome.CANCELLED, True, 1) == (result.outcome, result.verified, result.attempts)


def test_a_throttled_job_is_pending() -> None:
    reading = LLAMACLOUD_EXTRACT.read_status(Job("", ID), reply(200, job("THROTTLED")))
    assert JobState.PENDING is reading.state
