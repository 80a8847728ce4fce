"""The SDKs for documents."""

from __future__ import annotations

from typing import Any

import llama_cloud
import reducto
from extend_ai import Extend
from unstructured_client import UnstructuredClient

from tests.parity.compare import KEY, Case, opened
from tests.parity.differences import AWKWARD

_WORKSPACE: dict[str, Any] = {"extend_workspace_id": "w"}
_PROJECT: dict[str, Any] = {"project_id": "p", "organization_id": "o"}


def _llama(url: str | None) -> llama_cloud.LlamaCloud:
    return llama_cloud.LlamaCloud(api_key=KEY, base_url=url, max_retries=0)


def _extend(url: str | None) -> Extend:
    # The SDK retries only failed requests.
    return Extend(token=KEY, base_url=url)


def _reducto(url: str | None) -> reducto.Reducto:
    return reducto.Reducto(api_key=KEY, base_url=url, max_retries=0)


def _unstructured(url: str | None) -> UnstructuredClient:
    # The client closes itself when it is garbage collected.
    return UnstructuredClient(api_key_auth=KEY, server_url=url, retry_config=None)


CASES = [
    Case(
        provider="extend-classify",
        params={"workspace_id": "w"},
        cancel=lambda url, job: _extend(url).classify_runs.cancel(job, **_WORKSPACE),
        status=lambda url, job: _extend(url).classify_runs.retrieve(job, **_WORKSPACE),
    ),
    Case(
        provider="extend-extract",
        params={"workspace_id": "w"},
        cancel=lambda url, job: _extend(url).extract_runs.cancel(job, **_WORKSPACE),
        status=lambda url, job: _extend(url).extract_runs.retrieve(job, **_WORKSPACE),
    ),
    Case(
        provider="extend-parse",
        params={"workspace_id": "w"},
        cancel=lambda url, job: _extend(url).parse_runs.cancel(job, **_WORKSPACE),
        status=lambda url, job: _extend(url).parse_runs.retrieve(job, **_WORKSPACE),
    ),
    Case(
        provider="extend-split",
        params={"workspace_id": "w"},
        cancel=lambda url, job: _extend(url).split_runs.cancel(job, **_WORKSPACE),
        status=lambda url, job: _extend(url).split_runs.retrieve(job, **_WORKSPACE),
    ),
    Case(
        provider="extend-workflow",
        params={"workspace_id": "w"},
        cancel=lambda url, job: _extend(url).workflow_runs.cancel(job, **_WORKSPACE),
        status=lambda url, job: _extend(url).workflow_runs.retrieve(job, **_WORKSPACE),
    ),
    Case(
        provider="llamacloud-batch",
        cancel=lambda url, job: _llama(url).batches.cancel(job),
        status=lambda url, job: _llama(url).batches.get(job),
    ),
    Case(
        provider="llamacloud-extract",
        params=_PROJECT,
        cancel=lambda url, job: _llama(url).extract.cancel(job, **_PROJECT),
        status=lambda url, job: _llama(url).extract.get(job, **_PROJECT),
    ),
    Case(
        provider="llamacloud-parse",
        cancel=lambda url, job: _llama(url).parsing.cancel(job),
        status=lambda url, job: _llama(url).parsing.get(job),
    ),
    Case(
        provider="reducto",
        cancel=lambda url, job: _reducto(url).job.cancel(job),
        status=lambda url, job: _reducto(url).job.get(job),
        answer={"status": "Pending"},
    ),
    Case(
        provider="unstructured",
        cancel=opened(
            _unstructured, lambda client, job: client.jobs.cancel_job(request={"job_id": job})
        ),
        status=opened(
            _unstructured, lambda client, job: client.jobs.get_job(request={"job_id": job})
        ),
        answer={
            "id": AWKWARD,
            "created_at": "2026-01-01T00:00:00Z",
            "status": "IN_PROGRESS",
            "workflow_id": "w",
            "workflow_name": "n",
        },
    ),
]
