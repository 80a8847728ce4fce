"""The SDKs for compute and jobcancel send the same."""

from __future__ import annotations

from unittest import mock

import runpod
from baseten.client import InferenceClient
from runpod.endpoint.runner import Job, RunPodClient

from tests.parity import compare
from tests.parity.compare import KEY, Case, each, each_call, of_family
from tests.parity.differences import AWKWARD, allowed

_ENDPOINT = "endpoint-1"
_MODEL = "abcd1234"


def _job(url: str | None, job: str) -> Job:
    # Its address is a variable of the module, which ends with the version.
    with mock.patch.object(runpod, "endpoint_url_base", url or runpod.endpoint_url_base):
        return Job(_ENDPOINT, job, RunPodClient(KEY))


def _baseten(url: str | None) -> InferenceClient:
    if url is None:
        return InferenceClient(api_key=KEY, model_id=_MODEL)
    return InferenceClient(api_key=KEY, base_url_override=url)


def _cancel_baseten(url: str | None, job: str) -> None:
    with _baseten(url) as client:
        client.api.cancel_async_request(request_id=job)


def _read_baseten(url: str | None, job: str) -> None:
    with _baseten(url) as client:
        client.api.get_async_request_status(request_id=job)


CASES = [
    Case(
        provider="baseten",
        params={"model": _MODEL},
        cancel=_cancel_baseten,
        status=_read_baseten,
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


@each(CASES)
@each_call
def test_both_send_the_same_to_a_given_address(case: Case, call: str) -> None:
    assert allowed(case.provider, call) == compare.over_loopback(case, call)


@each(CASES)
@each_call
def test_both_send_the_same_to_the_vendors_own_address(case: Case, call: str) -> None:
    assert allowed(case.provider, call) == compare.by_default(case, call)


def test_every_provider_for_compute_is_compared() -> None:
    assert of_family("compute") == sorted(case.provider for case in CASES)
