"""Creating, lending and closing HTTP clients, and building requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from jobcancel import AsyncCanceller, CancelResult, ConfigurationError, Outcome
from jobcancel.transport import environment, httpcore, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-very-secret-key"


def test_waiting_for_a_free_connection_times_out() -> None:
    async def run() -> object:
        clients = pool.ClientPool()
        taken = [await clients.acquire(1.0) for _ in range(100)]
        nothing = await clients.acquire(0.01)
        for _ in taken:
            clients.release()
        again = await clients.acquire(1.0)
        await clients.aclose()
        return nothing, again is not None

    assert (None, True) == anyio.run(run)


def test_a_request_without_a_free_connection_was_not_sent() -> None:
    class Full(pool.ClientPool):
        async def acquire(self, seconds: float) -> None:
            return None

    async def run() -> CancelResult:
        async with AsyncCanceller(api_keys={"pulse": KEY}, deadline=0.01) as canceller:
            canceller._own[os.getpid()] = Full()
            return await canceller.cancel("pulse", "1")

    result = anyio.run(run)
    assert Outcome.UNKNOWN is result.outcome
    assert result.message.startswith("no connection was free within 0.01 seconds")


@pytest.fixture
def no_certificates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    environment._tls_contexts.clear()
    yield
    environment._tls_contexts.clear()


@pytest.mark.usefixtures("no_certificates")
@pytest.mark.parametrize("by", ["aiohttp", "httpx"])
def test_an_unusable_certificate_file_raises_on_every_call(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBCANCEL_TRANSPORT", by)

    async def run() -> None:
        async with AsyncCanceller(api_keys={"pulse": KEY}) as canceller:
            for _ in range(pool._MAX_CONNECTIONS + 1):
                with pytest.raises(ConfigurationError, match="check SSL_CERT_FILE"):
                    await canceller.cancel("pulse", "1")

    anyio.run(run)


# Requests are built without httpx, which takes longer.

ADDRESSES = [
    "https://api.vendor.example/job/a-1_b.c~d?x=1&y=a%20b,c",
    "http://127.0.0.1:8080/a/../b/./c",
    "https://vendor.example:443/",
    "https://VENDOR.example/%e4%zz/\u00e4?\u00f6#part",
    "https://b\u00fccher.example/a b",
    "http://[::1]:99/x'(y)",
    "https://vendor.example",
    "https://vendor.example?query",
    "https://user@vendor.example/x",
    "https://vendor.example/..",
    "https://vendor.example//x/.hidden",
]


@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize(
    ("method", "content"), [("DELETE", None), ("POST", None), ("POST", b"{}"), ("DELETE", b"{}")]
)
def test_a_request_is_what_httpx_would_send(
    url: str, method: str, content: bytes | None, client: httpcore.Client
) -> None:
    own = client.build_request(method, url, headers={"a": "b"}, content=content, timeout=1.0)
    usual = httpx.Request(method, url, headers={"a": "b"}, content=content)
    assert sorted(usual.headers.raw) == sorted(own.headers)
    assert usual.url.raw_path == own.target
    place = own.pool_key
    assert (usual.url.raw_scheme, usual.url.raw_host) == (place.scheme, place.host)
    assert usual.url.port == place.port


@pytest.mark.parametrize("url", ["ftp://vendor.example/", "vendor.example", "https://a:b:c/"])
def test_an_invalid_url_raises(url: str, client: httpcore.Client) -> None:
    with pytest.raises(client.errors.failures):
        client.build_request("GET", url, headers={}, content=None, timeout=1.0)


@pytest.fixture(scope="module")
def client() -> httpcore.Client:
    return httpcore.Client()
