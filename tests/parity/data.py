"""The SDKs for data."""

from __future__ import annotations

from unittest import mock

from apify_client import ApifyClient
from apify_client.http_clients import Httpx2HttpClient
from databricks.sdk import WorkspaceClient
from databricks.sdk.oauth import HostMetadata
from firecrawl import Firecrawl

from tests.parity.compare import KEY, Case
from tests.parity.differences import AWKWARD

_RUN = "1234567890123456789"
_WORKSPACE = "acme.cloud.databricks.com"
_WORKSPACE_ID = "1234567890"
_DATABRICKS = {"host": _WORKSPACE, "workspace_id": _WORKSPACE_ID}


def _apify(url: str | None) -> ApifyClient:
    if url is None:
        # The default transport is not written in Python, so it cannot be replaced; this one can.
        return ApifyClient.with_custom_http_client(KEY, http_client=Httpx2HttpClient(max_retries=0))
    return ApifyClient(KEY, api_url=url, max_retries=0)


def _databricks(url: str | None) -> WorkspaceClient:
    # The SDK first requests the host's metadata, to complete its configuration.
    with mock.patch("databricks.sdk.config.get_host_metadata", return_value=HostMetadata("")):
        return WorkspaceClient(
            host=url or f"https://{_WORKSPACE}",
            token=KEY,
            auth_type="pat",
            workspace_id=int(_WORKSPACE_ID),
        )


def _firecrawl(url: str | None) -> Firecrawl:
    address = {} if url is None else {"api_url": url}
    return Firecrawl(api_key=KEY, max_retries=0, **address)


_SCRAPING = {"success": True, "status": "scraping", "completed": 1, "total": 2, "data": []}

CASES = [
    Case(
        provider="apify",
        params={"gracefully": "true"},
        cancel=lambda url, job: _apify(url).run(job).abort(gracefully=True),
        status=lambda url, job: _apify(url).run(job).get(),
        answer={
            "data": {
                "id": AWKWARD,
                "actId": "a",
                "userId": "u",
                "startedAt": "2026-01-01T00:00:00Z",
                "status": "ABORTING",
                "meta": {"origin": "API"},
                "stats": {},
                "options": {
                    "build": "latest",
                    "timeoutSecs": 1,
                    "memoryMbytes": 1024,
                    "diskMbytes": 1024,
                },
                "buildId": "b",
                "defaultKeyValueStoreId": "k",
                "defaultDatasetId": "d",
                "defaultRequestQueueId": "q",
            }
        },
    ),
    Case(
        provider="databricks-run",
        job_id=_RUN,
        params=_DATABRICKS,
        cancel=lambda url, job: _databricks(url).jobs.cancel_run(int(job)),
        status=lambda url, job: _databricks(url).jobs.get_run(int(job)),
        answer={},
    ),
    Case(
        provider="databricks-statement",
        params=_DATABRICKS,
        cancel=lambda url, job: _databricks(url).statement_execution.cancel_execution(job),
        status=lambda url, job: _databricks(url).statement_execution.get_statement(job),
        answer={},
    ),
    Case(
        provider="firecrawl-batch",
        cancel=lambda url, job: _firecrawl(url).cancel_batch_scrape(job),
        status=lambda url, job: _firecrawl(url).get_batch_scrape_status(job),
        answer=_SCRAPING,
    ),
    Case(
        provider="firecrawl-crawl",
        cancel=lambda url, job: _firecrawl(url).cancel_crawl(job),
        status=lambda url, job: _firecrawl(url).get_crawl_status(job),
        answer=_SCRAPING,
    ),
]
