"""The SDKs for LLM jobs and jobcancel send the same."""

from __future__ import annotations

import anthropic
import cohere
import groq
import openai
import together
from google import genai
from mistralai.client import Mistral

from tests.parity import compare
from tests.parity.compare import KEY, Case, each, each_call, of_family
from tests.parity.differences import ALLOWED, AWKWARD, allowed

# Google's SDK refuses an id without its prefix, and one with a slash in it.
_GOOGLES = "batches/a bü:1"


_PROJECT = {"organization": "o", "project": "p"}
_WORKSPACE = "wrkspc_1"


def _openai(url: str | None) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=url, max_retries=0, **_PROJECT)


def _azure(url: str | None) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(
        api_key=KEY,
        azure_endpoint=url or "https://acme.openai.azure.com",
        api_version="2024-10-21",
        max_retries=0,
    )


def _groq(url: str | None) -> groq.Groq:
    return groq.Groq(api_key=KEY, base_url=url, max_retries=0)


def _anthropic(url: str | None) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)


def _google(url: str | None) -> genai.Client:
    # It retries only when it is told to. It closes itself when nothing refers to it any more.
    return genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(base_url=url))


def _cancel_google(url: str | None, job: str) -> None:
    with _google(url) as client:
        client.batches.cancel(name=job)


def _read_google(url: str | None, job: str) -> None:
    with _google(url) as client:
        client.batches.get(name=job)


def _mistral(url: str | None) -> Mistral:
    # Likewise.
    return Mistral(api_key=KEY, server_url=url)


def _together(url: str | None) -> together.Together:
    return together.Together(api_key=KEY, base_url=url, max_retries=0)


def _cohere(url: str | None) -> cohere.ClientV2:
    return cohere.ClientV2(KEY, base_url=url, max_retries=0)


_COUNTS = ("total_requests", "completed_requests", "succeeded_requests", "failed_requests")

CASES = [
    Case(
        provider="openai-batch",
        params=_PROJECT,
        path="/v1",
        cancel=lambda url, job: _openai(url).batches.cancel(job),
        status=lambda url, job: _openai(url).batches.retrieve(job),
    ),
    Case(
        provider="openai-response",
        params=_PROJECT,
        path="/v1",
        cancel=lambda url, job: _openai(url).responses.cancel(job),
        status=lambda url, job: _openai(url).responses.retrieve(job),
    ),
    Case(
        provider="openai-finetune",
        params=_PROJECT,
        path="/v1",
        cancel=lambda url, job: _openai(url).fine_tuning.jobs.cancel(job),
        status=lambda url, job: _openai(url).fine_tuning.jobs.retrieve(job),
    ),
    Case(
        provider="azure-openai-batch",
        params={"resource": "acme"},
        cancel=lambda url, job: _azure(url).batches.cancel(job),
        status=lambda url, job: _azure(url).batches.retrieve(job),
    ),
    Case(
        provider="groq-batch",
        cancel=lambda url, job: _groq(url).batches.cancel(job),
        status=lambda url, job: _groq(url).batches.retrieve(job),
    ),
    Case(
        provider="anthropic-batch",
        params={"workspace_id": _WORKSPACE},
        cancel=lambda url, job: _anthropic(url).messages.batches.cancel(
            job, workspace_id=_WORKSPACE
        ),
        status=lambda url, job: _anthropic(url).messages.batches.retrieve(
            job, workspace_id=_WORKSPACE
        ),
    ),
    Case(
        provider="gemini-batch",
        job_id=_GOOGLES,
        cancel=_cancel_google,
        status=_read_google,
        answer={"name": _GOOGLES, "metadata": {"state": "BATCH_STATE_RUNNING"}},
    ),
    Case(
        provider="mistral-batch",
        cancel=lambda url, job: _mistral(url).batch.jobs.cancel(job_id=job),
        status=lambda url, job: _mistral(url).batch.jobs.get(job_id=job),
        answer={
            **dict.fromkeys(_COUNTS, 1),
            "id": AWKWARD,
            "input_files": [],
            "endpoint": "/v1/chat/completions",
            "errors": [],
            "status": "RUNNING",
            "created_at": 1,
        },
    ),
    Case(
        provider="together-batch",
        cancel=lambda url, job: _together(url).batches.cancel(job),
        status=lambda url, job: _together(url).batches.retrieve(job),
    ),
    Case(
        provider="cohere-batch",
        cancel=lambda url, job: _cohere(url).batches.cancel(job),
        status=lambda url, job: _cohere(url).batches.retrieve(job),
        answer={"batch": {"id": AWKWARD, "name": "n", "input_dataset_id": "d", "model": "m"}},
    ),
]


@each(CASES)
@each_call
def test_both_send_the_same_to_a_given_address(case: Case, call: str) -> None:
    assert allowed(case.provider, call) == compare.over_loopback(case, call)


@each(CASES)
@each_call
def test_both_send_the_same_to_the_vendors_own_address(case: Case, call: str) -> None:
    assert allowed(case.provider, call) == compare.by_default(case, call)


def test_every_provider_for_llm_jobs_is_compared() -> None:
    assert of_family("LLM batches") == sorted(case.provider for case in CASES)


def test_an_allowed_difference_has_a_reason_and_is_listed_once() -> None:
    rows = [(row.provider, call, row.part) for row in ALLOWED for call in row.calls]
    assert sorted(set(rows)) == sorted(rows)
    assert [] == [row for row in ALLOWED if not row.why]
