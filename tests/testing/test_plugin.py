"""The pytest plug-in, as an application's tests use it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
from vcr.errors import CannotOverwriteExistingCassetteException

from jobcancel import (
    Canceller,
    CancelResult,
    ConfigurationError,
    JobState,
    Outcome,
    acancel,
    cancel,
)
from jobcancel.sandbox import Fault, Sandbox
from jobcancel.testing import Recording, cassettes
from jobcancel.testing.cassette import recording
from jobcancel.testing.cassette.replay import NetworkBlocked
from tests.wire import Wire, silence

if TYPE_CHECKING:
    from pathlib import Path

Play: TypeAlias = Callable[[str | os.PathLike[str]], Recording]

RATE_LIMITED = Fault(
    status=429,
    headers={"retry-after": "25"},
    body={"statusCode": 429, "code": "RATE_LIMITED", "message": "Too many requests"},
)

legacy_too = pytest.mark.filterwarnings("ignore:provider 'pulse-legacy':DeprecationWarning")


def acancel_asyncio(provider: str, job_id: str, **options: Any) -> CancelResult:
    return anyio.run(lambda: acancel(provider, job_id, **options))


def acancel_trio(provider: str, job_id: str, **options: Any) -> CancelResult:
    return anyio.run(lambda: acancel(provider, job_id, **options), backend="trio")


EVERY_WAY = pytest.mark.parametrize("call", [cancel, acancel_asyncio, acancel_trio])


# jobcancel_sandbox


def test_environment_points_at_sandbox(jobcancel_sandbox: Sandbox) -> None:
    job_id = jobcancel_sandbox.submit("pulse")
    assert Outcome.CANCELLED is cancel("pulse", job_id).outcome
    assert JobState.CANCELLED is jobcancel_sandbox.job("pulse", job_id).state
    assert jobcancel_sandbox.url + "/pulse" == os.environ["PULSE_BASE_URL"]


# jobcancel_cassette


@pytest.mark.parametrize("name", cassettes())
@legacy_too
@pytest.mark.usefixtures("jobcancel_no_wait")
def test_every_cassette_replays_to_its_outcome(name: str, jobcancel_cassette: Play) -> None:
    held = jobcancel_cassette(name)
    assert f"{held.provider}/{held.outcome}" == name
    assert held.outcome is cancel(held.provider, held.job_id, **held.options).outcome


@pytest.mark.parametrize("call", [acancel_asyncio, acancel_trio])
@pytest.mark.parametrize("outcome", [each for each in Outcome if f"apify/{each}" in cassettes()])
@pytest.mark.usefixtures("jobcancel_no_wait")
def test_a_cassette_is_replayed_to_async_code(
    outcome: Outcome, call: Any, jobcancel_cassette: Play
) -> None:
    held = jobcancel_cassette(f"apify/{outcome}")
    assert held.outcome is call(held.provider, held.job_id, **held.options).outcome


def test_cassette_ignores_keys_and_urls_of_environment(
    jobcancel_cassette: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PULSE_API_KEY", "a real one")
    held = jobcancel_cassette("pulse/cancelled")
    assert "a real one" != os.environ["PULSE_API_KEY"]
    assert Outcome.CANCELLED is cancel(held.provider, held.job_id).outcome


def test_cassette_ignores_params_of_environment(
    jobcancel_cassette: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_VERSION", "2099-01-01")
    held = jobcancel_cassette("azure-openai-batch/cancelling")
    assert Outcome.CANCELLING is cancel(held.provider, held.job_id, **held.options).outcome


@EVERY_WAY
def test_cassette_does_not_match_another_id_in_the_body(
    call: Any, jobcancel_cassette: Play
) -> None:
    held = jobcancel_cassette("databricks-run/cancelling")
    with pytest.raises(CannotOverwriteExistingCassetteException):
        call(held.provider, "12", **held.options)


def test_second_cassette_replaces_the_first(jobcancel_cassette: Play) -> None:
    for name in ("pulse/forbidden", "talonic/not-found", "pulse/cancelled"):
        held = jobcancel_cassette(name)
        assert held.outcome is cancel(held.provider, held.job_id).outcome


def test_network_is_blocked_outside_of_vcrpy(
    jobcancel_cassette: Play,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        jobcancel_cassette("pulse/cancelled")
        blocked = pytest.raises(
            NetworkBlocked, match=r"while the cassette 'pulse/cancelled' is replayed.*127\.0\.0\.1"
        )
        with blocked:
            socket.create_connection(("127.0.0.1", port))
        with socket.socket() as by_hand, blocked:
            by_hand.connect(("127.0.0.1", port))
        with socket.socket() as by_hand, blocked:
            by_hand.connect_ex(("127.0.0.1", port))
        with socket.socket(type=socket.SOCK_DGRAM) as datagram, blocked:
            datagram.sendto(b"", ("127.0.0.1", port))
        with blocked:
            asyncio.run(asyncio.open_connection("127.0.0.1", port))
        with pytest.raises(NetworkBlocked, match="localhost"):
            socket.getaddrinfo("localhost", port)


def test_local_sockets_still_work(jobcancel_cassette: Play, tmp_path: Path) -> None:
    jobcancel_cassette("pulse/cancelled")
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as client,
    ):
        server.bind(str(tmp_path / "socket"))
        server.listen()
        client.connect(str(tmp_path / "socket"))
        assert 0 == client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_network_works_after_the_test() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = socket.socket.connect, socket.getaddrinfo, os.environ.copy()
        generator = plugin_fixture("jobcancel_cassette")
        next(generator)("pulse/cancelled")
        generator.close()
        assert before == (socket.socket.connect, socket.getaddrinfo, os.environ.copy())
        socket.create_connection(server.getsockname()).close()


def plugin_fixture(name: str) -> Any:
    """Return the generator of a fixture."""
    from jobcancel.testing import plugin

    return getattr(plugin, name).__wrapped__()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "talonic/canceled",
            "no cassette 'talonic/canceled'; did you mean 'talonic/cancelled'? Known: talonic/",
        ),
        (
            "runpod/forbidden",
            "no cassette 'runpod/forbidden'. Known: runpod/already-term",
        ),
        ("fal/000000000000", "no cassette 'fal/000000000000'. Known: fal/already-terminal, "),
        ("zzz", "no cassette 'zzz'. Known: anthropic-batch/..., apify/..., "),
    ],
)
def test_missing_cassette_error_suggests_similar_names(
    name: str, message: str, jobcancel_cassette: Play
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        jobcancel_cassette(name)
    assert str(caught.value).startswith(message)


def test_own_cassette_is_found_by_path(jobcancel_cassette: Play, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(recording("talonic/cancelled").path.read_text())
    for path in (own, str(own)):
        held = jobcancel_cassette(path)
        assert Outcome.CANCELLED is cancel(held.provider, held.job_id).outcome
    with pytest.raises(ConfigurationError, match=r"nothing\.yaml': No such file or directory"):
        jobcancel_cassette(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    "text", ["interactions: []\nversion: 1\n", "[]", "}", "", "metadata: {outcome: 'x'}"]
)
def test_cassette_without_description_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yml").write_text(text)
    with pytest.raises(ConfigurationError, match="record it with 'jobcancel record'"):
        recording(tmp_path / "own.yml")


def test_missing_extra_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jobcancel.testing.cassette.replay", raising=False)
    monkeypatch.setitem(sys.modules, "vcr", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'jobcancel\[testing\]'"):
        next(plugin_fixture("jobcancel_cassette"))


def test_other_missing_modules_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jobcancel.testing.cassette.replay", None)
    with pytest.raises(ModuleNotFoundError, match=r"jobcancel\.testing\.cassette\.replay"):
        next(plugin_fixture("jobcancel_cassette"))


# jobcancel_no_wait


@EVERY_WAY
def test_retry_after_is_skipped(
    call: Any, jobcancel_sandbox: Sandbox, jobcancel_no_wait: list[float]
) -> None:
    job_id = jobcancel_sandbox.submit("pulse")
    jobcancel_sandbox.fault("pulse", job_id, RATE_LIMITED)
    began = time.monotonic()
    result = call("pulse", job_id)
    assert (Outcome.CANCELLED, [25.0]) == (result.outcome, jobcancel_no_wait)
    assert time.monotonic() - began < 20
    assert result.elapsed > 25


@EVERY_WAY
def test_skipped_wait_counts_for_the_deadline(
    call: Any, jobcancel_sandbox: Sandbox, jobcancel_no_wait: list[float]
) -> None:
    job_id = jobcancel_sandbox.submit("pulse")
    jobcancel_sandbox.fault("pulse", job_id, RATE_LIMITED, times=2)
    result = call("pulse", job_id)
    assert (Outcome.RATE_LIMITED, 25.0) == (result.outcome, result.retry_after)
    assert [25.0] == jobcancel_no_wait


def test_skipped_wait_does_not_count_for_other_calls(
    jobcancel_sandbox: Sandbox, jobcancel_no_wait: list[float]
) -> None:
    jobs = [jobcancel_sandbox.submit("pulse") for _ in range(8)]
    for job_id in jobs:
        jobcancel_sandbox.fault("pulse", job_id, RATE_LIMITED)

    async def together() -> list[CancelResult]:
        return await asyncio.gather(*(acancel("pulse", job_id) for job_id in jobs[:4]))

    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(lambda job_id: cancel("pulse", job_id), jobs[4:])]
    results += asyncio.run(together())
    assert [Outcome.CANCELLED] * 8 == [result.outcome for result in results]
    assert [25.0] * 8 == jobcancel_no_wait


def test_existing_client_does_not_wait(jobcancel_sandbox: Sandbox) -> None:
    job_id = jobcancel_sandbox.submit("pulse")
    jobcancel_sandbox.fault("pulse", job_id, RATE_LIMITED)
    with Canceller() as canceller, pytest.MonkeyPatch.context() as patch:
        from jobcancel.testing import plugin

        waits = plugin.jobcancel_no_wait.__wrapped__(patch)  # type: ignore[attr-defined]
        assert Outcome.CANCELLED is canceller.cancel("pulse", job_id).outcome
    assert [25.0] == waits


def test_timeouts_are_not_skipped(jobcancel_no_wait: list[float]) -> None:
    with Wire([silence]) as wire:
        result = cancel("pulse", "1", api_key="k", base_url=wire.url, timeout=0.1, deadline=0.1)
    assert (Outcome.UNKNOWN, []) == (result.outcome, jobcancel_no_wait)
    assert result.elapsed >= 0.1
