"""The SDKs for LLM jobs."""

from __future__ import annotations

from typing import Any

import anthropic
import cohere
import groq
import openai
import together
from google import genai
from mistralai.client import Mistral

from tests.parity.compare import KEY, Case, opened
from tests.parity.differences import AWKWARD

# Google's SDK refuses an id without its prefix, and one with a slash in it.
_GOOGLES = "batches/a bü:1"


_PROJECT: dict[str, Any] = {"organization": "o", "project": "p"}
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


def google(url: str | None) -> genai.Client:
    # The client retries only on request. It closes itself when it is garbage collected.
    return genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(base_url=url))


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
        cancel=opened(google, lambda client, job: client.batches.cancel(name=job)),
        status=opened(google, lambda client, job: client.batches.get(name=job)),
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
