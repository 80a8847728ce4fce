"""The SDKs for media and jobcancel send the same."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest import mock

import fal_client
import higgsfield_client
import runwayml
from replicate.client import Client as Replicate

from tests.parity import compare
from tests.parity.compare import KEY, Case, each, each_call, of_family
from tests.parity.differences import AWKWARD, allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

_APP = "fal-ai/flux"


def _replicate(url: str | None) -> Replicate:
    return Replicate(api_token=KEY, base_url=url)


@contextlib.contextmanager
def _fal(url: str | None) -> Iterator[fal_client.SyncClient]:
    # Its address is a constant. It repeats only what failed.
    kept = fal_client.client.QUEUE_URL_FORMAT
    with mock.patch.object(fal_client.client, "QUEUE_URL_FORMAT", f"{url}/" if url else kept):
        yield fal_client.SyncClient(key=KEY)


def _cancel_fal(url: str | None, job: str) -> None:
    with _fal(url) as client:
        client.cancel(_APP, job)


def _read_fal(url: str | None, job: str) -> None:
    with _fal(url) as client:
        client.status(_APP, job)


@contextlib.contextmanager
def _higgsfield(url: str | None) -> Iterator[higgsfield_client.SyncClient]:
    # Likewise: its argument base_url is for other calls.
    module = higgsfield_client.http.client
    with mock.patch.object(module, "BASE_URL", url or module.BASE_URL):
        yield higgsfield_client.SyncClient(api_key=KEY)


def _cancel_higgsfield(url: str | None, job: str) -> None:
    with _higgsfield(url) as client:
        client.cancel(job)


def _read_higgsfield(url: str | None, job: str) -> None:
    with _higgsfield(url) as client:
        client.status(job)


def _runway(url: str | None) -> runwayml.RunwayML:
    return runwayml.RunwayML(api_key=KEY, base_url=url, max_retries=0)


CASES = [
    Case(
        provider="fal",
        params={"app": _APP},
        cancel=_cancel_fal,
        status=_read_fal,
        answer={"status": "IN_QUEUE", "queue_position": 1},
    ),
    Case(
        provider="higgsfield",
        cancel=_cancel_higgsfield,
        status=_read_higgsfield,
        answer={"request_id": AWKWARD, "status": "queued"},
    ),
    Case(
        provider="replicate",
        cancel=lambda url, job: _replicate(url).predictions.cancel(job),
        status=lambda url, job: _replicate(url).predictions.get(job),
        answer={
            "id": AWKWARD,
            "model": "m",
            "version": "v",
            "status": "canceled",
            "input": {},
            "output": None,
            "logs": "",
            "error": None,
            "metrics": {},
            "created_at": "2024-04-22T00:00:00Z",
            "started_at": None,
            "completed_at": None,
            "urls": {},
        },
    ),
    Case(
        provider="runway",
        params={"force": "yes"},  # else the task is read before the cancel
        cancel=lambda url, job: _runway(url).tasks.delete(job),
        status=lambda url, job: _runway(url).tasks.retrieve(job),
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


def test_every_provider_for_media_is_compared() -> None:
    assert of_family("media") == sorted(case.provider for case in CASES)
