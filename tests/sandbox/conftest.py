"""A shared sandbox, reset for each test, and a clock to advance."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from attrs import define

from jobcancel.sandbox import Quota, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC: 6,400 seconds before midnight."""


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Saves the time to load certificates, which loopback does not need."""


@define
class Clock:
    now: float = BEGIN

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


QUOTAS = {
    "sandbox-pulse-other-key": Quota(per_second=0.5, burst=2),
    "tlnc_other_key": Quota(per_second=0.5, burst=2, per_day=3),
}


@pytest.fixture(scope="session")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def shared_sandbox(shared_clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(now=shared_clock, quotas=QUOTAS) as sandbox:
        yield sandbox


@pytest.fixture
def clock(shared_clock: Clock) -> Clock:
    shared_clock.now = BEGIN
    return shared_clock


@pytest.fixture
def sandbox(shared_sandbox: Sandbox, clock: Clock) -> Sandbox:  # noqa: ARG001 - the clock is put back first
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def pulse(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"x-api-key": sandbox.api_keys["pulse"]}
    with httpx.Client(
        base_url=sandbox.base_urls["pulse"], headers=headers, verify=NO_TLS
    ) as client:
        yield client


@pytest.fixture
def talonic(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {sandbox.api_keys['talonic']}"}
    with httpx.Client(
        base_url=sandbox.base_urls["talonic"], headers=headers, verify=NO_TLS
    ) as client:
        yield client


@pytest.fixture
def outside(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, verify=NO_TLS) as client:
        yield client
