"""The SDK for compute and jobcancel send the same."""

from __future__ import annotations

from unittest import mock

import runpod
from runpod.endpoint.runner import Job, RunPodClient

from tests.parity import compare
from tests.parity.compare import KEY, Case, each, each_call, of_family
from tests.parity.differences import AWKWARD, allowed

_ENDPOINT = "endpoint-1"


def _job(url: str | None, job: str) -> Job:
    # Its address is a variable of the module, which ends with the version.
    with mock.patch.object(runpod, "endpoint_url_base", url or runpod.endpoint_url_base):
        return Job(_ENDPOINT, job, RunPodClient(KEY))


CASES = [
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


def test_every_provider_for_compute_is_compared_that_has_an_sdk() -> None:
    # Baseten's has no call for it.
    assert of_family("compute") == sorted(["baseten", *(case.provider for case in CASES)])
