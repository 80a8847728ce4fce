"""The SDKs for compute."""

from __future__ import annotations

from unittest import mock

import runpod
from baseten.client import InferenceClient
from runpod.endpoint.runner import Job, RunPodClient

from tests.parity.compare import KEY, Case, opened
from tests.parity.differences import AWKWARD

_ENDPOINT = "endpoint-1"
_MODEL = "abcd1234"


def _job(url: str | None, job: str) -> Job:
    # The SDK's base URL is a module variable, which ends with the version.
    with mock.patch.object(runpod, "endpoint_url_base", url or runpod.endpoint_url_base):
        return Job(_ENDPOINT, job, RunPodClient(KEY))


def _baseten(url: str | None) -> InferenceClient:
    if url is None:
        return InferenceClient(api_key=KEY, model_id=_MODEL)
    return InferenceClient(api_key=KEY, base_url_override=url)


CASES = [
    Case(
        provider="baseten",
        params={"model": _MODEL},
        cancel=opened(
            _baseten, lambda client, job: client.api.cancel_async_request(request_id=job)
        ),
        status=opened(
            _baseten, lambda client, job: client.api.get_async_request_status(request_id=job)
        ),
        answer={
            "request_id": AWKWARD,
            "canceled": True,
            "message": "m",
            "deployment_id": "d",
            "status": "QUEUED",
            "webhook_status": "PENDING",
            "created_at": "2026-01-01T00:00:00Z",
            "status_at": "2026-01-01T00:00:00Z",
            "errors": [],
        },
    ),
    Case(
        provider="runpod",
        path="/v2",
        params={"endpoint": _ENDPOINT},
        cancel=lambda url, job: _job(url, job).cancel(),
        status=lambda url, job: _job(url, job).status(),
        answer={"id": AWKWARD, "status": "IN_QUEUE"},
    ),
]
