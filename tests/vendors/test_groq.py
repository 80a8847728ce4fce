"""Groq: OpenAI's batches with another base URL."""

from __future__ import annotations

from jobcancel.models import Job, Outcome
from jobcancel.testing import contract
from jobcancel.vendors.groq import GROQ_BATCH
from tests.hand import ENDPOINT
from tests.vendors.test_openai import BATCH_STATES, ERRORS, batch


class TestGroqBatch(contract.AdapterContract):
    adapter = GROQ_BATCH
    job_id = "batch_abc123"
    replies = {Outcome.CANCELLING: batch("cancelling"), **ERRORS}
    statuses = BATCH_STATES
    undocumented = [Outcome.FORBIDDEN, Outcome.ALREADY_TERMINAL]


def test_the_requests_are_openais_with_a_path_prefix() -> None:
    job = Job("groq-batch", "a b/ü:1")
    status = GROQ_BATCH.status_request(job, ENDPOINT)
    assert status is not None
    url = f"{ENDPOINT.base_url}/openai/v1/batches/a%20b%2F%C3%BC%3A1"
    assert f"{url}/cancel" == GROQ_BATCH.cancel_request(job, ENDPOINT, "unused").url
    assert url == status.url


def test_no_configuration_is_shared_with_openai() -> None:
    assert ("GROQ_API_KEY", "GROQ_BASE_URL", None) == (
        GROQ_BATCH.key_env,
        GROQ_BATCH.url_env,
        GROQ_BATCH.credentials_of,
    )
