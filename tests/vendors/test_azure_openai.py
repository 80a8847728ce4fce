"""Azure OpenAI: OpenAI's batches with another base URL and key header."""

from __future__ import annotations

import pytest

from jobcancel import ConfigurationError, JobState, Outcome, cancel
from jobcancel.models import Job
from jobcancel.testing import contract, scripted, steps
from jobcancel.vendors.azure_openai import AZURE_OPENAI_BATCH
from tests.hand import ENDPOINT
from tests.vendors.test_openai import BATCH_STATES, ERRORS, batch

JOB_ID = "batch_abc123"


@pytest.fixture(autouse=True)
def _no_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)


class TestAzureOpenAIBatch(contract.AdapterContract):
    adapter = AZURE_OPENAI_BATCH
    job_id = JOB_ID
    params = {"resource": "acme", "api_version": "2024-10-21"}
    replies = {
        Outcome.CANCELLING: batch("cancelling"),
        # The reply for a wrong URL or version.
        Outcome.UNKNOWN: steps.reply(404, {"error": {"code": "404", "message": "Not found"}}),
        **ERRORS,
    }
    statuses = BATCH_STATES
    undocumented = [Outcome.FORBIDDEN, Outcome.ALREADY_TERMINAL]


def test_the_requests_have_the_api_version_and_an_api_key_header() -> None:
    job = Job("azure-openai-batch", "a b", {"api_version": "2025-04-01 preview"})
    request = AZURE_OPENAI_BATCH.cancel_request(job, ENDPOINT, "unused")
    status = AZURE_OPENAI_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    base = f"{ENDPOINT.base_url}/openai/batches/a%20b"
    assert f"{base}/cancel?api-version=2025-04-01%20preview" == request.url
    assert f"{base}?api-version=2025-04-01%20preview" == status.url
    assert ("api-key", "k") == (request.credential.header, request.credential.spell("k"))


def test_the_resource_is_part_of_the_host_and_the_version_has_a_default() -> None:
    done = steps.reply(200, {"id": JOB_ID, "status": JobState.CANCELLING.value})
    with scripted(done) as script:
        result = cancel("azure-openai-batch", JOB_ID, params={"resource": "acme"})
    [sent] = script.requests
    assert (Outcome.CANCELLING, "acme.openai.azure.com") == (result.outcome, sent.headers["host"])
    assert f"/openai/batches/{JOB_ID}/cancel?api-version=2024-10-21" == sent.path


@pytest.mark.parametrize("url", ["https://acme.openai.azure.com", "https://acme.openai.azure.com/"])
def test_a_base_url_makes_the_resource_optional(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", url)
    with scripted(steps.reply(404)) as script:
        cancel("azure-openai-batch", JOB_ID)
    assert "acme.openai.azure.com" == script.requests[0].headers["host"]


def test_a_missing_resource_is_reported() -> None:
    with pytest.raises(ConfigurationError, match=r"needs the param 'resource' as part of its"):
        cancel("azure-openai-batch", JOB_ID, api_key="k")
