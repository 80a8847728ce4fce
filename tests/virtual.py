"""An event loop in virtual time, which skips waits, and simulated vendors."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from attrs import define, field

from jobcancel import AsyncCanceller
from jobcancel.retry import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Coroutine, Iterable

    from jobcancel.bulk.results import AsyncCancelResults

T = TypeVar("T")

HOST = "https://{}.example"
CANCELLED = {"message": "Job cancelled successfully"}


class _Selector(selectors.SelectSelector):
    """Advances the virtual time instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(None)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.now


def play(scene: Coroutine[Any, Any, T]) -> T:
    """Run a scene in virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(scene)


def now() -> float:
    """Return the virtual seconds since the scene began."""
    return asyncio.get_running_loop().time()


def reply(status_code: int, body: object = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status_code, json=body or {}, headers=named)


@define
class Vendors:
    """Simulated vendors; a function per vendor answers its requests.

    Attributes:
        sent: the vendor, method, job and time of each request.
        in_flight: the number of requests in flight, by vendor.
        most: the most requests in flight at once, over all vendors.
    """

    answers: dict[str, Callable[[str, str], Awaitable[httpx.Response]]]
    sent: list[tuple[str, str, str, float]] = field(factory=list)
    in_flight: dict[str, int] = field(factory=dict)
    most: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        vendor = request.url.host.partition(".")[0]
        job_id = request.url.path.removesuffix("/cancel").rpartition("/")[2]
        self.sent.append((vendor, request.method, job_id, now()))
        self.in_flight[vendor] = self.in_flight.get(vendor, 0) + 1
        self.most = max(self.most, sum(self.in_flight.values()))
        try:
            return await self.answers[vendor](request.method, job_id)
        finally:
            self.in_flight[vendor] -= 1

    def times(self, job_id: str) -> int:
        return sum(job_id == asked for _, _, asked, _ in self.sent)

    def run(
        self,
        jobs: Iterable[tuple[str, str]] | AsyncIterable[tuple[str, str]],
        *,
        client: dict[str, Any] | None = None,
        **settings: Any,
    ) -> AsyncCancelResults:
        """Start cancel_many with these vendors."""
        names = ("rate", "concurrency", "max_wait")
        limits = {name: settings.pop(name) for name in names if name in settings}
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(self), **(client or {}))
        canceller = AsyncCanceller(
            http_client=http_client,
            api_keys=dict.fromkeys(self.answers, "key"),
            base_urls={name: HOST.format(name) for name in self.answers},
            **settings,
        )
        canceller.clock = Clock(
            monotonic=now, wall=lambda: 1_790_000_000.0 + now(), random=lambda: 0.5
        )
        return canceller.cancel_many(jobs, **limits)


def after(seconds: float, status_code: int = 200, body: object = CANCELLED, **headers: str) -> Any:
    """Return a function that answers every request after so many seconds."""

    async def answer(_method: str, _job_id: str) -> httpx.Response:
        await asyncio.sleep(seconds)
        return reply(status_code, body, **headers)

    return answer
