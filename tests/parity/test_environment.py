"""The SDKs and jobcancel read the same environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import openai
from databricks.sdk import WorkspaceClient
from databricks.sdk.oauth import HostMetadata

from tests.parity import compare
from tests.parity.compare import KEY, Case, each, each_call, opened
from tests.parity.llm import google

if TYPE_CHECKING:
    import pytest

_RUN = "1234567890123456789"
_GOOGLES = "batches/abc123"
_VARIABLES = {
    "azure-openai-batch": {"OPENAI_API_VERSION": "2099-01-01"},
    "databricks-run": {"DATABRICKS_WORKSPACE_ID": "1234567890"},
    "gemini-batch": {"GOOGLE_GENAI_API_VERSION": "v1"},
    "openai-batch": {"OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj_1"},
}


def _openai(url: str | None) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=url, max_retries=0)


def _azure(url: str | None) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(api_key=KEY, azure_endpoint=str(url), max_retries=0)


def _databricks(url: str | None) -> WorkspaceClient:
    with mock.patch("databricks.sdk.config.get_host_metadata", return_value=HostMetadata("")):
        return WorkspaceClient(host=url, token=KEY, auth_type="pat")


CASES = [
    Case(
        provider="openai-batch",
        path="/v1",
        cancel=lambda url, job: _openai(url).batches.cancel(job),
        status=lambda url, job: _openai(url).batches.retrieve(job),
    ),
    Case(
        provider="azure-openai-batch",
        cancel=lambda url, job: _azure(url).batches.cancel(job),
        status=lambda url, job: _azure(url).batches.retrieve(job),
    ),
    Case(
        provider="databricks-run",
        job_id=_RUN,
        cancel=lambda url, job: _databricks(url).jobs.cancel_run(int(job)),
        status=lambda url, job: _databricks(url).jobs.get_run(int(job)),
        answer={},
    ),
    Case(
        provider="gemini-batch",
        job_id=_GOOGLES,
        cancel=opened(google, lambda client, job: client.batches.cancel(name=job)),
        status=opened(google, lambda client, job: client.batches.get(name=job)),
        answer={"name": _GOOGLES, "metadata": {"state": "BATCH_STATE_RUNNING"}},
    ),
]


@each(CASES)
@each_call
def test_both_send_the_same_from_the_environment(
    case: Case, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _VARIABLES[case.provider].items():
        monkeypatch.setenv(name, value)
    assert {} == compare.over_loopback(case, call)
