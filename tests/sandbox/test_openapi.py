"""The sandbox's Pulse conforms to an OpenAPI document and serves the vendor's own SDK."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
import requests
import yaml
from hypothesis import HealthCheck, given, settings

from jobcancel.models import JobState
from jobcancel.sandbox import SITUATIONS, Sandbox, Situation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import schemathesis
    from pulse import Pulse

DOCUMENT = Path(__file__).with_name("pulse.openapi.yaml")
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, methods in yaml.safe_load(DOCUMENT.read_text())["paths"].items()
    for method in methods
    if method != "parameters"
]
OF_A_JOB = [label for label in OPERATIONS if "{jobId}" in label]

ODD = {"lost-but-applied", "lost-not-applied", "lost-and-ended", "maintenance", "new-word"}
ODD |= {"empty-reply", "other-spelling", "finished-says-200"}
"""Situations that break the documentation on purpose."""
NO_READING = {"wrong-key": 401, "expired-key": 401, "foreign": 403, "unknown": 404}
NO_READING |= {"spent-key": 429}
NO_CANCEL = dict.fromkeys(("completed", "failed", "cancelled", "expired"), 500)
NO_CANCEL |= dict.fromkeys(("error-but-applied", "error-and-ended", "race"), 500)
NO_CANCEL |= dict.fromkeys(("rate-limited-once", "rate-limited"), 429) | {"limited-key": 403}
"""Situations whose documented reply is not 200; a key that cannot read cannot cancel either."""
DOCUMENTED = [each for each in SITUATIONS if each.provider == "pulse" and each.name not in ODD]


# What takes seconds to import is imported by the tests, of which the others need nothing.
@cache
def operation(label: str) -> Any:
    import schemathesis
    from schemathesis.core.result import Ok

    schema = schemathesis.openapi.from_path(DOCUMENT)
    found = {
        each.ok().label: each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)
    }
    assert set(OPERATIONS) == set(found)
    return found[label]


def send(sandbox: Sandbox, case: schemathesis.Case[Any], key: str | None = None) -> int:
    from schemathesis.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    with requests.Session() as session:
        response = case.call_and_validate(
            base_url=sandbox.base_urls["pulse"],
            headers={"x-api-key": key or sandbox.api_keys["pulse"]},
            checks=checks,
            session=session,
        )
    return response.status_code


@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_is_sent_the_reply_is_documented(sandbox: Sandbox, label: str) -> None:
    seen = set()

    @settings(
        max_examples=40,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation(label).as_strategy())
    def check(case: schemathesis.Case[Any]) -> None:
        seen.add(send(sandbox, case))

    check()
    assert seen
    assert 500 not in seen


@pytest.mark.parametrize("label", OF_A_JOB)
@pytest.mark.parametrize("situation", DOCUMENTED, ids=lambda situation: situation.name)
def test_every_documented_situation_has_a_documented_reply(
    sandbox: Sandbox, label: str, situation: Situation
) -> None:
    encoded = quote(situation.job_id, safe="")
    case = operation(label).Case(path_parameters={"jobId": encoded})
    refused = NO_READING if label.startswith("GET ") else NO_READING | NO_CANCEL
    assert refused.get(situation.name, 200) == send(sandbox, case, situation.key)


def test_the_document_is_not_vacuous(sandbox: Sandbox) -> None:
    from schemathesis.core.failures import FailureGroup

    case = operation("GET /job/{jobId}").Case(path_parameters={"jobId": "sandbox-new-word"})
    with pytest.raises(FailureGroup, match="archiving"):
        send(sandbox, case)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture
def sdk(sandbox: Sandbox, client: httpx.Client) -> Pulse:
    from pulse import Pulse

    url, key = sandbox.base_urls["pulse"], sandbox.api_keys["pulse"]
    return Pulse(api_key=key, base_url=url, httpx_client=client)


def test_the_official_sdk_submits_reads_and_cancels(sdk: Pulse, sandbox: Sandbox) -> None:
    submitted: Any = sdk.extract(file_url="https://x.test/a.pdf", async_=True)
    job_id: str = submitted.job_id
    assert sdk.jobs.get_job(job_id=job_id).status == "pending"
    reply = sdk.jobs.cancel_job(job_id=job_id)
    assert (reply.job_id, reply.message) == (job_id, "Job cancelled successfully")
    assert sdk.jobs.get_job(job_id=job_id).status == "canceled"
    assert sandbox.job("pulse", job_id).state is JobState.CANCELLED


def test_the_official_sdk_reads_a_result_and_an_error(sdk: Pulse) -> None:
    assert sdk.jobs.get_job(job_id="sandbox-completed").result
    assert isinstance(sdk.jobs.get_job(job_id="sandbox-failed").error, str)


def test_the_official_sdk_raises_when_the_key_is_wrong(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    from pulse import Pulse
    from pulse.core.api_error import ApiError

    url, key = sandbox.base_urls["pulse"], "sandbox-pulse-wrong-key"
    sdk = Pulse(api_key=key, base_url=url, httpx_client=client)
    with pytest.raises(ApiError) as caught:
        sdk.jobs.cancel_job(job_id="sandbox-pending")
    assert caught.value.status_code == 401
