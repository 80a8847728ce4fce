"""Pulse's SDK and jobcancel, side by side against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from jobcancel import Outcome, cancel

pulse = pytest.importorskip("pulse", reason="pulse-python-sdk is a development dependency")

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox


def test_the_sdk_reads_a_job_cancelled_here_as_canceled(
    sandbox: Sandbox,
) -> None:
    base_url, key = sandbox.base_urls["pulse"], sandbox.api_keys["pulse"]
    with httpx.Client() as http_client:
        sdk = pulse.Pulse(api_key=key, base_url=base_url, httpx_client=http_client)
        job_id = sdk.extract(file_url="https://files.example/a.pdf", async_=True).job_id
        result = cancel("pulse", job_id, base_url=base_url, api_key=key)
        read = sdk.jobs.get_job(job_id=job_id)
    assert (Outcome.CANCELLED, "canceled") == (result.outcome, read.status)
