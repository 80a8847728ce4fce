"""The SDKs for media."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest import mock

import fal_client
import higgsfield_client
import runwayml
from replicate.client import Client as Replicate

from tests.parity.compare import KEY, Case, opened
from tests.parity.differences import AWKWARD

if TYPE_CHECKING:
    from collections.abc import Iterator

_APP = "fal-ai/flux"


def _replicate(url: str | None) -> Replicate:
    return Replicate(api_token=KEY, base_url=url)


@contextlib.contextmanager
def _fal(url: str | None) -> Iterator[fal_client.SyncClient]:
    # The SDK's base URL is a constant. The SDK retries only failed requests.
    kept = fal_client.client.QUEUE_URL_FORMAT
    with mock.patch.object(fal_client.client, "QUEUE_URL_FORMAT", f"{url}/" if url else kept):
        yield fal_client.SyncClient(key=KEY)


@contextlib.contextmanager
def _higgsfield(url: str | None) -> Iterator[higgsfield_client.SyncClient]:
    # Likewise: its argument base_url is for other calls.
    module = higgsfield_client.http.client
    with mock.patch.object(module, "BASE_URL", url or module.BASE_URL):
        yield higgsfield_client.SyncClient(api_key=KEY)


def _runway(url: str | None) -> runwayml.RunwayML:
    return runwayml.RunwayML(api_key=KEY, base_url=url, max_retries=0)


CASES = [
    Case(
        provider="fal",
        params={"app": _APP},
        cancel=opened(_fal, lambda client, job: client.cancel(_APP, job)),
        status=opened(_fal, lambda client, job: client.status(_APP, job)),
        answer={"status": "IN_QUEUE", "queue_position": 1},
    ),
    Case(
        provider="higgsfield",
        cancel=opened(_higgsfield, lambda client, job: client.cancel(job)),
        status=opened(_higgsfield, lambda client, job: client.status(job)),
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
        params={"force": "yes"},  # otherwise the task's status is read before the cancel
        cancel=lambda url, job: _runway(url).tasks.delete(job),
        status=lambda url, job: _runway(url).tasks.retrieve(job),
    ),
]
