"""Key callables: called once per call, one at a time, with the key hidden like any other."""

from __future__ import annotations

import asyncio
import functools
import threading
import traceback
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from attrs import define, field

from jobcancel import (
    AsyncCanceller,
    Canceller,
    ConfigurationError,
    MissingCredential,
    Outcome,
    acancel,
    acancel_many,
    astatus,
    cancel,
    cancel_many,
    config,
    status,
)
from jobcancel.keys import source_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.sandbox import Sandbox

KEY = "sk-very-secret-key"
JOB = "sandbox-pending"


@define
class Vault:
    """Returns keys; counts its calls and the most concurrent ones."""

    key: Any = KEY
    asked: int = 0
    inside: int = 0
    most: int = 0
    here: threading.Lock = field(factory=threading.Lock)

    def ask(self) -> Any:
        self.asked += 1
        return self.key

    def ask_slowly(self) -> Any:
        with self.here:
            self.asked += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        threading.Event().wait(0.01)
        with self.here:
            self.inside -= 1
        return self.key

    async def aask(self) -> Any:
        self.asked += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        self.inside -= 1
        return self.key


@pytest.fixture
def url(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PULSE_BASE_URL", sandbox.base_urls["pulse"])
    return sandbox.base_urls["pulse"]


@pytest.fixture
def vault(sandbox: Sandbox) -> Vault:
    return Vault(sandbox.api_keys["pulse"])


@pytest.mark.usefixtures("url")
def test_a_key_callable_is_called_once_per_call(vault: Vault) -> None:
    result = cancel("pulse", "sandbox-slow-to-stop", api_key=vault.ask, verify=True, deadline=0.2)
    assert (Outcome.CANCELLING, 1) == (result.outcome, vault.asked)
    assert status("pulse", JOB, api_key=vault.ask).state is not None
    with Canceller(api_keys={"pulse": vault.ask}) as canceller:
        assert 2 == vault.asked
        assert canceller.cancel("pulse", JOB).stopped
        assert canceller.status("pulse", JOB).state is not None
    assert 4 == vault.asked


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize("ask", ["ask", "aask"])
@pytest.mark.anyio
async def test_async_calls_accept_sync_and_async_callables(ask: str, vault: Vault) -> None:
    asking = getattr(vault, ask)
    assert (await acancel("pulse", JOB, api_key=asking)).stopped
    assert (await astatus("pulse", JOB, api_key=asking)).state is not None
    async with AsyncCanceller(api_keys={"pulse": asking}) as canceller:
        assert (await canceller.cancel("pulse", JOB)).stopped
        assert (await canceller.status("pulse", JOB, api_key="other")).state is None
    assert 3 == vault.asked


@pytest.mark.usefixtures("url")
def test_cancel_many_calls_the_callable_once_per_job(vault: Vault) -> None:
    jobs = [("pulse", JOB), ("pulse", "sandbox-processing"), ("pulse", "sandbox-unknown")]
    assert 3 == len(list(cancel_many(jobs, api_keys={"pulse": vault.ask})))
    assert 3 == vault.asked

    async def run() -> int:
        return len([each async for each in acancel_many(jobs, api_keys={"pulse": vault.aask})])

    assert 3 == asyncio.run(run())
    assert (6, 1) == (vault.asked, vault.most)


@pytest.mark.usefixtures("url")
def test_threads_call_the_callable_one_at_a_time(vault: Vault) -> None:
    calls: list[Callable[[], object]]
    with Canceller(api_keys={"pulse": vault.ask_slowly}) as canceller:
        calls = [
            lambda: canceller.cancel("pulse", JOB),
            lambda: cancel("pulse", JOB, api_key=vault.ask_slowly),
        ]
        threads = [threading.Thread(target=call) for call in calls * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (8, 1) == (vault.asked, vault.most)


@pytest.mark.usefixtures("url")
@pytest.mark.anyio
async def test_tasks_call_the_callable_one_at_a_time(vault: Vault) -> None:
    async with (
        AsyncCanceller(api_keys={"pulse": vault.aask}) as canceller,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(4):
            tasks.start_soon(canceller.cancel, "pulse", JOB)
            tasks.start_soon(functools.partial(acancel, "pulse", JOB, api_key=vault.aask))
    assert (8, 1) == (vault.asked, vault.most)


@pytest.mark.usefixtures("url")
def test_a_key_callable_may_cancel_a_job(vault: Vault) -> None:
    """As a signal handler may do while it interrupts the callable."""

    def ask() -> str:
        if vault.asked == 0:
            vault.asked = 1
            assert cancel("pulse", "sandbox-unknown", api_key=ask).outcome is Outcome.NOT_FOUND
        return str(vault.key)

    assert cancel("pulse", JOB, api_key=ask).stopped


@pytest.mark.parametrize("answer", [f" {KEY}\n", KEY])
def test_the_returned_key_is_stripped_and_sent(answer: str) -> None:
    sent: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["x-api-key"])
        return httpx.Response(401, json={"error": f"wrong key {KEY}"})

    client = httpx.Client(transport=httpx.MockTransport(reply))
    with Canceller(http_client=client, api_keys={"pulse": lambda: answer}) as canceller:
        result = canceller.cancel("pulse", "1")
    assert {KEY} == set(sent)
    assert KEY not in str(result.to_dict())


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ("", MissingCredential, "no API key for 'pulse'"),
        (" \n", MissingCredential, "no API key for 'pulse'"),
        (None, TypeError, "the callable for an API key must return a string, not NoneType"),
        (KEY.encode(), TypeError, "must return a string, not bytes"),
        (f"{KEY}\nmore", ConfigurationError, "has a line break"),
    ],
)
def test_an_invalid_returned_key_raises_without_showing_it(
    answer: object, error: type[Exception], message: str
) -> None:
    vault = Vault(answer)
    with pytest.raises(error, match=message) as caught:
        cancel("pulse", "1", api_key=vault.ask)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [f"{frame.locals}" for frame in shown.stack if "/jobcancel/" in frame.filename]
    assert ours != []
    assert not any(KEY in text for text in [*ours, str(caught.value)] if "Vault" not in text)


async def ask_later() -> str:
    return KEY


@pytest.mark.parametrize("ask", [ask_later, functools.partial(ask_later)])
def test_a_sync_call_rejects_an_async_callable(ask: Any) -> None:
    with pytest.raises(TypeError, match="is async, which takes an async call such as acancel"):
        cancel("pulse", "1", api_key=ask)


def test_a_sync_call_rejects_any_awaitable() -> None:
    class Awaited:
        def __await__(self) -> Any: ...

    with pytest.raises(TypeError, match="is async"):
        cancel("pulse", "1", api_key=Awaited)  # type: ignore[arg-type]


def test_an_error_in_the_callable_is_raised() -> None:
    def ask() -> str:
        raise OSError("the vault is sealed")

    with pytest.raises(OSError, match="the vault is sealed"):
        cancel("pulse", "1", api_key=ask)
    # The next call calls it again.
    with pytest.raises(OSError, match="the vault is sealed"):
        cancel("pulse", "1", api_key=ask)


@pytest.mark.parametrize(
    "arguments", [{"job_id": 7}, {"timeout": -1}, {"base_url": "http://vendor.example"}]
)
def test_an_invalid_call_does_not_call_the_callable(arguments: dict[str, Any]) -> None:
    vault = Vault()
    with pytest.raises(ConfigurationError):
        cancel(**{"provider": "pulse", "job_id": "1", "api_key": vault.ask, **arguments})
    assert 0 == vault.asked


def test_only_the_callable_of_the_argument_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULSE_API_KEY", "of-the-environment")
    client, argument = Vault(), Vault("of-the-argument")
    with Canceller(api_keys={"pulse": client.ask}) as canceller:
        call = canceller.prepare("pulse", "1", api_key=config.as_secret(argument.ask))
        assert "of-the-argument" == config.with_key(call).endpoint.key.reveal()
    assert (0, 1) == (client.asked, argument.asked)


def test_one_callable_has_one_key_source() -> None:
    vault, other = Vault(), Vault()
    source = source_of(vault.ask)
    assert source is source_of(vault.ask)
    assert source is not source_of(other.ask)
    assert source is not source_of(vault.aask)


def test_the_repr_of_a_key_source_shows_no_key() -> None:
    secret: Any = config.as_secret(Vault().ask)
    assert "Secret('***')" == repr(secret)
    assert secret == config.as_secret(secret)
    assert secret != config.as_secret(KEY)
