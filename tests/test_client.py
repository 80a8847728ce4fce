"""The clients against the sandbox: calls, lifetime and warnings."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from jobcancel import (
    AsyncCanceller,
    Canceller,
    ConfigurationError,
    JobState,
    Outcome,
    UnknownProvider,
    acancel,
    api,
    astatus,
    cancel,
    get_adapter,
    status,
)
from jobcancel.sandbox import Fault
from jobcancel.transport import environment, httpcore

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox


PULSE_LEGACY = "'pulse-legacy' is deprecated; use 'pulse'"


@pytest.fixture
def configured(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, with the environment configured for it."""
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    return sandbox


def options(sandbox: Sandbox, provider: str) -> dict[str, Any]:
    return {"base_url": sandbox.base_urls[provider], "api_key": sandbox.api_keys[provider]}


@pytest.mark.parametrize("provider", ["pulse", "talonic"])
def test_a_submitted_job_is_cancelled_at_the_vendor(configured: Sandbox, provider: str) -> None:
    job_id = configured.submit(provider)
    assert Outcome.CANCELLED is cancel(provider, job_id).outcome
    assert JobState.CANCELLED is configured.job(provider, job_id).state
    assert JobState.CANCELLED is status(provider, job_id).state


@pytest.mark.anyio
async def test_a_submitted_job_is_cancelled_from_async_code(configured: Sandbox) -> None:
    job_id = configured.submit("talonic")
    assert JobState.PENDING is (await astatus("talonic", job_id)).state
    assert Outcome.CANCELLED is (await acancel("talonic", job_id)).outcome
    assert JobState.CANCELLED is configured.job("talonic", job_id).state


def test_arguments_take_precedence_over_the_environment(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")
    result = cancel("pulse", job_id, **options(sandbox, "pulse"), timeout=5, deadline=10)
    assert Outcome.CANCELLED is result.outcome


def test_verify_reports_the_final_state(configured: Sandbox) -> None:
    job_id = configured.submit("pulse")
    result = cancel("pulse", job_id, verify=True)
    assert (Outcome.CANCELLED, JobState.CANCELLED, True) == (
        result.outcome,
        result.state,
        result.verified,
    )


def test_client_settings_are_the_defaults_of_its_calls(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")
    with Canceller(
        api_keys=sandbox.api_keys, base_urls=sandbox.base_urls, verify=True
    ) as canceller:
        assert JobState.PENDING is canceller.status("pulse", job_id).state
        assert canceller.cancel("pulse", job_id).verified


# Deprecation


def test_pulse_legacy_warns_once_per_call_at_the_callers_line(configured: Sandbox) -> None:
    job_id = configured.submit("pulse")
    with pytest.warns(DeprecationWarning, match=PULSE_LEGACY) as seen:
        cancel("pulse-legacy", job_id)
    assert [__file__] == [warning.filename for warning in seen]
    with pytest.warns(DeprecationWarning, match=PULSE_LEGACY) as seen:
        status("pulse-legacy", job_id)
    assert [__file__] == [warning.filename for warning in seen]


@pytest.mark.usefixtures("configured")
def test_a_client_method_warns_at_the_callers_line() -> None:
    with Canceller() as canceller, pytest.warns(DeprecationWarning, match=PULSE_LEGACY) as seen:
        canceller.status("pulse-legacy", "unknown")
    assert [__file__] == [warning.filename for warning in seen]


@pytest.mark.anyio
async def test_an_async_call_warns_at_the_callers_line(configured: Sandbox) -> None:
    job_id = configured.submit("pulse")
    with pytest.warns(DeprecationWarning, match=PULSE_LEGACY) as seen:
        await acancel("pulse-legacy", job_id)
    assert [__file__] == [warning.filename for warning in seen]


# Lifetime


def test_a_closed_client_raises() -> None:
    canceller = Canceller(api_keys={"pulse": "k"})
    canceller.close()
    canceller.close()
    with pytest.raises(ConfigurationError, match="this Canceller is closed; make a new one"):
        canceller.cancel("pulse", "1")
    with pytest.raises(ConfigurationError, match="this Canceller is closed; make a new one"):
        canceller.cancel_many([])


@pytest.mark.anyio
async def test_a_closed_async_client_raises() -> None:
    canceller = AsyncCanceller(api_keys={"pulse": "k"})
    await canceller.aclose()
    with pytest.raises(ConfigurationError, match="this AsyncCanceller is closed"):
        await canceller.status("pulse", "1")
    with pytest.raises(ConfigurationError, match="this AsyncCanceller is closed"):
        canceller.cancel_many([])


def test_a_run_of_a_closed_client_opens_nothing() -> None:
    async def run() -> dict[int, object]:
        canceller = AsyncCanceller(api_keys={"pulse": "k"})
        results = canceller.cancel_many([])
        await canceller.aclose()
        with pytest.raises(ConfigurationError, match="this AsyncCanceller is closed"):
            await anext(results)
        return dict(canceller._own)

    assert {} == asyncio.run(run())


def test_an_unclosed_client_warns(sandbox: Sandbox) -> None:
    canceller = Canceller()
    canceller.status("pulse", "1", **options(sandbox, "pulse"))
    http_client = canceller.http()
    with pytest.warns(ResourceWarning, match="unclosed Canceller; use it in a `with`"):
        del canceller
    http_client.close()


def test_an_unused_client_needs_no_closing() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Canceller()
        gc.collect()
    assert [] == seen


def test_an_invalid_http_client_is_rejected() -> None:
    with pytest.raises(TypeError, match="http_client must be a client of httpx or httpx2"):
        Canceller(http_client="https")  # type: ignore[arg-type]
    with (
        httpx.Client() as sync,
        pytest.raises(TypeError, match=r"needs an httpx\.AsyncClient as http_client"),
    ):
        AsyncCanceller(http_client=sync)  # type: ignore[arg-type]


def test_threads_share_one_client_and_get_their_own_results(sandbox: Sandbox) -> None:
    job_ids = [sandbox.submit("talonic") for _ in range(64)]
    with (
        Canceller(api_keys=sandbox.api_keys, base_urls=sandbox.base_urls) as canceller,
        ThreadPoolExecutor(32) as pool,
    ):
        results = list(pool.map(lambda job_id: canceller.cancel("talonic", job_id), job_ids))
    assert [(job_id, Outcome.CANCELLED) for job_id in job_ids] == [
        (result.body["id"] if result.body else None, result.outcome) for result in results
    ]


def test_two_concurrent_first_calls_create_one_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both_are_here = threading.Barrier(2)

    def slow() -> httpcore.Client:
        both_are_here.wait(5)
        return httpcore.Client()

    canceller = Canceller()
    monkeypatch.setattr(canceller, "_new_http_client", slow)
    with canceller, ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: canceller.http(), range(2))
        assert first is second


@pytest.mark.usefixtures("configured")
def test_module_level_calls_share_one_client() -> None:
    for _ in range(2):
        status("pulse", "unknown")
    assert [os.getpid()] == list(api.shared_client._own)


@pytest.mark.anyio
@pytest.mark.usefixtures("configured")
async def test_async_module_level_calls_share_one_client_per_loop() -> None:
    await astatus("pulse", "unknown")
    warm = await api.loop_client()
    await acancel("pulse", "unknown")
    assert warm is await api.loop_client()


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_loops_client_is_closed_when_the_loop_ends(backend: str) -> None:
    async def run() -> AsyncCanceller:
        await astatus("pulse", "unknown")
        return await api.loop_client()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        used = anyio.run(run, backend=backend)
        gc.collect()
    assert used._closed


def wait_for_a_request(sandbox: Sandbox) -> None:
    until = time.monotonic() + 10
    while not sandbox.requests and time.monotonic() < until:
        time.sleep(0.01)


def test_cancelling_a_task_leaves_the_client_usable(configured: Sandbox) -> None:
    job_id = configured.submit("pulse")
    configured.fault("pulse", job_id, Fault(stall=30.0))

    async def run() -> Outcome:
        async with AsyncCanceller() as canceller:
            task = asyncio.create_task(canceller.cancel("pulse", job_id))
            await anyio.to_thread.run_sync(wait_for_a_request, configured)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return (await canceller.cancel("pulse", job_id)).outcome

    assert Outcome.CANCELLED is asyncio.run(run())


def test_an_async_client_raises_in_another_event_loop(sandbox: Sandbox) -> None:
    canceller = AsyncCanceller(api_keys=sandbox.api_keys, base_urls=sandbox.base_urls)

    async def use() -> None:
        await canceller.status("pulse", "unknown")

    async def use_once_more() -> None:
        with pytest.raises(ConfigurationError, match="used in another event loop"):
            await canceller.status("pulse", "unknown")

    async def use_and_disconnect() -> None:
        await use()
        await canceller.http().aclose()

    asyncio.run(use_and_disconnect())
    asyncio.run(use_once_more())
    asyncio.run(canceller.aclose())


def test_a_misspelled_setting_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="apikeys"):
        Canceller(apikeys={})  # type: ignore[call-arg]


@pytest.mark.parametrize("setting", ["api_keys", "base_urls"])
def test_a_setting_for_an_unknown_provider_is_rejected(setting: str) -> None:
    wrong: Any = {setting: {"plse": "https://vendor.example"}}
    for kind in (Canceller, AsyncCanceller):
        with pytest.raises(UnknownProvider, match="no provider 'plse'; did you mean 'pulse'"):
            kind(**wrong)


def test_base_urls_must_be_a_mapping() -> None:
    with pytest.raises(TypeError, match="base_urls must map providers to URLs"):
        Canceller(base_urls="https://vendor.example")  # type: ignore[arg-type]


def test_an_unusable_certificate_file_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    environment._tls_contexts.clear()
    with Canceller() as canceller, pytest.raises(ConfigurationError, match="check SSL_CERT_FILE"):
        canceller.cancel("pulse", "1", api_key="k")
    environment._tls_contexts.clear()


def test_a_signal_handler_may_cancel_a_job_during_a_call(configured: Sandbox) -> None:
    job_id, urgent = configured.submit("pulse"), configured.submit("pulse")
    configured.fault("pulse", job_id, Fault(stall=0.5))
    outcomes = []

    def handle(*_: object) -> None:
        outcomes.append(cancel("pulse", urgent).outcome)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        outcomes.append(cancel("pulse", job_id).outcome)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [Outcome.CANCELLED] * 2 == outcomes


AT_EXIT = """
import atexit
def at_exit():
    print(jobcancel.cancel("pulse", "unknown").outcome)
atexit.register(at_exit)
import jobcancel
jobcancel.cancel("pulse", "unknown")
"""


def test_an_exit_handler_may_cancel_a_job(sandbox: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT],
        env={**os.environ, **sandbox.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("not-found\n", "") == (done.stdout, done.stderr)


SILENT_EXIT = """
import asyncio, sys
from jobcancel import acancel, cancel
assert cancel("pulse", "unknown").outcome == "not-found"
assert asyncio.run(acancel("pulse", "unknown")).outcome == "not-found"
"""


def test_the_interpreter_exits_silently_with_an_open_shared_client(sandbox: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", SILENT_EXIT],
        env={**os.environ, **sandbox.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


FORKED = """
import os, sys
from jobcancel import cancel
cancel("pulse", "unknown")
child = os.fork()
outcome = cancel("pulse", "unknown").outcome
if child:
    sys.exit(os.waitpid(child, 0)[1] or outcome != "not-found")
os._exit(outcome != "not-found")
"""


def test_the_shared_client_survives_a_fork(sandbox: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env={**os.environ, **sandbox.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_pulse_has_no_params() -> None:
    assert {} == get_adapter("pulse").params
