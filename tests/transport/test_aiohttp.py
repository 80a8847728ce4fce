"""The aiohttp transport: when it is used, and that it sends the same requests as httpx, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiohttp import ClientSession, ClientTimeout
from yarl import URL

from jobcancel import AsyncCanceller, CancelResult, Outcome
from jobcancel.transport import aiohttp as over_aiohttp
from jobcancel.transport import pool
from jobcancel.transport.aiohttp import Prepared, Session
from tests.wire import Wire, answer, raw

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-very-secret-key"
NOT_FOUND = answer("404 Not Found")
RUNNING = answer(body=b'{"job_id": "1", "status": "processing"}')


def cancel(wire: Wire, provider: str = "pulse", *job_ids: str) -> list[CancelResult]:
    async def run() -> list[CancelResult]:
        async with AsyncCanceller(
            api_keys={provider: KEY}, base_urls={provider: wire.url + "/at"}
        ) as canceller:
            return [await canceller.cancel(provider, job_id) for job_id in job_ids or ("1",)]

    return anyio.run(run)


def session_of(backend: str = "asyncio") -> object:
    async def run() -> object:
        clients = pool.ClientPool()
        session = clients._session
        await clients.aclose()
        return session

    return anyio.run(run, backend=backend)


def test_aiohttp_is_used_where_it_is_installed() -> None:
    assert isinstance(session_of(), Session)


def _chosen(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("JOBCANCEL_TRANSPORT", "httpx")


def _behind_a_proxy(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("https_proxy", "http://127.0.0.1:9")


def _too_old(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(over_aiohttp, "IS_NEW_ENOUGH", False)


def _without_a_way_to_send_once(patch: pytest.MonkeyPatch) -> None:
    made = ClientSession.__init__

    def other(self: ClientSession, *arguments: Any, **options: Any) -> None:
        made(self, *arguments, **options)
        del self._retry_connection

    patch.setattr(ClientSession, "__init__", other)


def _not_installed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pool, "find_spec", lambda _: None)


@pytest.mark.parametrize(
    "why", [_chosen, _behind_a_proxy, _too_old, _without_a_way_to_send_once, _not_installed]
)
def test_httpx_is_used_otherwise(
    why: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    why(monkeypatch)
    assert session_of() is None


def test_trio_uses_httpx() -> None:
    assert session_of("trio") is None


@pytest.mark.parametrize("provider", ["pulse", "talonic"])
@pytest.mark.parametrize("job_id", ["1", "a b/ü:1", "%2e%2e", "a%2Fb", "x;y=1,2@z", "~'!*()"])
def test_both_transports_send_the_same_request(
    provider: str, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(by: str) -> set[str]:
        monkeypatch.setenv("JOBCANCEL_TRANSPORT", by)
        with Wire([NOT_FOUND]) as wire:
            cancel(wire, provider, job_id)
            here = wire.url.removeprefix("http://")
        lines = wire.requests[0].decode().replace(here, "here").split("\r\n")
        # Some clients state defaults: HTTP/1.1 keeps connections; no body has the length 0.
        left_out = ("connection: keep-alive", "content-length: 0", "idempotency-key: ")
        return {line.lower() for line in lines if not line.lower().startswith(left_out)}

    assert sent("httpx") == sent("aiohttp")


def test_a_delete_with_a_lost_reply_is_not_resent_by_the_transport() -> None:
    """aiohttp itself would resend it if the server closed the reused connection."""
    with Wire([NOT_FOUND, raw(), RUNNING, NOT_FOUND, NOT_FOUND]) as wire:
        first, second = cancel(wire, "pulse", "0", "1")
    methods = [request.split(b" ")[0] for request in wire.requests]
    assert [b"DELETE", b"DELETE", b"GET", b"DELETE", b"GET"] == methods
    assert (Outcome.NOT_FOUND, 1) == (first.outcome, first.attempts)
    assert (Outcome.UNKNOWN, 2) == (second.outcome, second.attempts)


def test_the_repr_of_a_request_omits_its_headers() -> None:
    request = Prepared("GET", URL("http://x/"), {"x-api-key": KEY}, None, ClientTimeout())
    assert KEY not in repr(request)
