"""The block of a guard: what is cancelled when it is left, and what the caller sees."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import pytest

import jobcancel
from jobcancel import (
    AsyncCanceller,
    Canceller,
    ConfigurationError,
    MissingCredential,
    UnknownProvider,
    guard,
)
from jobcancel.errors import WrongType
from jobcancel.guard import Guard, process
from jobcancel.guard.link import link
from jobcancel.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from jobcancel.sandbox import Sandbox


class Death(Exception):
    """What the block is left by."""


@pytest.fixture(autouse=True)
def configured(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Configure the sandbox as every vendor; no guard is left at the end."""
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)
    yield
    left = [*process._guards]
    for each in left:
        each.close()
    assert [] == left
    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def cancels(sandbox: Sandbox) -> list[str]:
    """Return the jobs that were asked to be cancelled; those of earlier tests do not exist."""
    return [
        each.path.rsplit("/", 1)[-1]
        for each in sandbox.requests
        if each.method == "DELETE" and each.status != 404
    ]


def quiet(**settings: Any) -> Guard:
    return guard(supervise="no", **settings)


def test_an_exception_cancels_the_job_and_goes_on(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")
    with pytest.raises(Death) as caught, guard("pulse", job_id) as held:
        raise Death
    assert ["cancelled"] == [result.outcome for result in held.results]
    assert [job_id] == cancels(sandbox)
    assert not hasattr(caught.value, "__notes__")


def test_a_required_supervisor_is_there(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 2)  # the tests may run in a container
    with guard(supervise="required") as held:
        held.add("pulse", sandbox.submit("pulse"))
        assert link.covers(held.held()[0])


def test_a_normal_end_sends_nothing(sandbox: Sandbox) -> None:
    with guard("pulse", sandbox.submit("pulse")) as held:
        pass
    assert ([], []) == (held.results, cancels(sandbox))


def test_always_cancels_at_a_normal_end_what_was_not_released(sandbox: Sandbox) -> None:
    kept, left = sandbox.submit("pulse"), sandbox.submit("pulse")
    with quiet(always=True) as held:
        held.add("pulse", kept)
        held.add("pulse", left)
        held.release("pulse", kept)
    assert [left] == cancels(sandbox)


@pytest.mark.parametrize("method", ["done", "release"])
def test_a_released_job_is_not_cancelled(sandbox: Sandbox, method: str) -> None:
    first, second = sandbox.submit("pulse"), sandbox.submit("pulse")
    with pytest.raises(Death), quiet() as held:
        held.add("pulse", first)
        held.add("pulse", second)
        getattr(held, method)("pulse", first)
        getattr(held, method)("pulse", "one that is not held")
        raise Death
    assert [second] == cancels(sandbox)


def test_release_without_arguments_releases_all_jobs(sandbox: Sandbox) -> None:
    with pytest.raises(Death), guard("pulse", sandbox.submit("pulse")) as held:
        held.add("pulse", sandbox.submit("pulse"))
        held.release()
        raise Death
    assert [] == cancels(sandbox)


def test_jobs_that_differ_in_their_params_are_released_one_by_one() -> None:
    with quiet() as held:
        for host in ("a", "b"):
            params = {"host": f"adb-{host}.azuredatabricks.net"}
            held.add("databricks-run", "7", params=params, api_key="key-of-tests")
        held.done("databricks-run", "7", params={"host": "adb-a.azuredatabricks.net"})
        assert ["adb-b.azuredatabricks.net"] == [it.job.params["host"] for it in held.held()]
        held.done("databricks-run", "7", params={"host": "adb-b.azuredatabricks.net"})
        assert [] == held.held()


def test_jobs_with_equal_ids_at_different_accounts_are_both_cancelled(sandbox: Sandbox) -> None:
    other = "sandbox-openai-other-key"
    sandbox.submit("openai-batch", job_id="batch_1")
    with pytest.raises(Death), quiet() as held:
        held.add("openai-batch", "batch_1")
        held.add("openai-batch", "batch_1", api_key=other)
        raise Death
    assert ["cancelling", "not-found"] == sorted(result.outcome for result in held.results)


def test_a_guard_without_a_block_is_closed(sandbox: Sandbox) -> None:
    held = guard("pulse", sandbox.submit("pulse"))
    held.close()
    assert ([], []) == (held.held(), cancels(sandbox))


def test_a_guard_may_be_used_again(sandbox: Sandbox) -> None:
    held = quiet()
    for _ in range(2):
        with pytest.raises(Death), held:
            held.add("pulse", sandbox.submit("pulse"))
            raise Death
    assert ["cancelled"] * 2 == [result.outcome for result in held.results]


def test_two_hundred_jobs_are_cancelled_at_once(sandbox: Sandbox) -> None:
    jobs = [sandbox.submit("pulse") for _ in range(200)]
    with pytest.raises(Death), quiet() as held:
        for job_id in jobs:
            held.add("pulse", job_id)
        raise Death
    assert sorted(jobs) == sorted(cancels(sandbox))
    assert {"cancelled"} == {result.outcome for result in held.results}


def test_a_job_that_may_run_on_is_in_a_note(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")
    sandbox.fault("pulse", job_id, Fault(stall=30.0), times=None)
    with pytest.raises(Death) as caught, quiet(grace=0.5) as held:
        held.add("pulse", job_id)
        raise Death
    (note,) = caught.value.__notes__
    assert note.startswith(
        f"jobcancel: guard left 1 job(s) not known to be stopped: pulse {job_id}"
    )
    assert ["unknown"] == [result.outcome for result in held.results]


def test_a_note_is_short() -> None:
    with pytest.raises(Death) as caught, quiet(grace=0.2) as held:
        for number in range(30):
            held.add("pulse", f"job-{number}", base_url="http://127.0.0.1:9")
        raise Death
    assert 21 == len(caught.value.__notes__[0].split("; "))
    assert caught.value.__notes__[0].endswith("; ...")


def test_a_job_left_at_a_normal_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with quiet(always=True, grace=0.2) as held:
        held.add("pulse", "x", base_url="http://127.0.0.1:9")
    assert [logging.WARNING] == [
        each.levelno for each in caplog.records if "guard.left_behind" in each.message
    ]


def test_a_callable_for_the_key_is_called_when_the_job_is_cancelled(sandbox: Sandbox) -> None:
    keys = iter(["a-key-that-has-expired", sandbox.api_keys["pulse"]])
    client = Canceller(api_keys={"pulse": lambda: next(keys)})
    with client, pytest.raises(Death), guard(client=client) as held:
        held.add("pulse", sandbox.submit("pulse"))  # the supervisor gets the first key
        raise Death
    assert ["cancelled"] == [result.outcome for result in held.results]


def test_an_async_callable_for_the_key_works_in_sync_code(sandbox: Sandbox) -> None:
    async def key() -> str:
        await anyio.lowlevel.checkpoint()
        return sandbox.api_keys["pulse"]

    with pytest.raises(Death), guard() as held:
        held.add("pulse", sandbox.submit("pulse"), api_key=key)
        raise Death
    assert ["cancelled"] == [result.outcome for result in held.results]


def test_a_callable_that_fails_is_the_reason_of_an_unknown_outcome(sandbox: Sandbox) -> None:
    def key() -> str:
        raise OSError("the vault is closed")

    with pytest.raises(Death) as caught, guard() as held:
        held.add("pulse", sandbox.submit("pulse"), api_key=key)
        raise Death
    assert "the cancel failed: OSError: the vault is closed" in caught.value.__notes__[0]


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_closed_or_async_client_still_cancels(sandbox: Sandbox, library: str) -> None:
    closed = Canceller()
    closed.close()

    async def use() -> list[str]:
        client = AsyncCanceller()
        async with client:
            with pytest.raises(Death), quiet(client=client) as held:
                held.add("pulse", sandbox.submit("pulse"))
                raise Death
            with pytest.raises(Death):
                async with quiet(client=client) as also:
                    also.add("pulse", sandbox.submit("pulse"))
                    raise Death
        held.results += also.results
        with Canceller() as sync, pytest.raises(Death):
            async with quiet(client=sync) as also:
                also.add("pulse", sandbox.submit("pulse"))
                raise Death
        return [str(result.outcome) for result in [*held.results, *also.results]]

    assert ["cancelled"] * 3 == anyio.run(use, backend=library)
    with pytest.raises(ConfigurationError, match="is closed"):
        quiet(client=closed).add("pulse", "x")


def test_a_client_that_is_closed_in_the_block_does_not_keep_its_jobs(sandbox: Sandbox) -> None:
    client = Canceller()
    with pytest.raises(Death), quiet(client=client) as held:
        held.add("pulse", sandbox.submit("pulse"))
        client.close()
        raise Death
    assert ["cancelled"] == [result.outcome for result in held.results]


# Bad input


def test_bad_input_is_an_error_when_the_job_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    held = quiet()
    with pytest.raises(UnknownProvider, match="did you mean 'pulse'"):
        held.add("pulze", "x")
    with pytest.raises(ConfigurationError, match="'pulse' has no job ' '"):
        held.add("pulse", " ")
    with pytest.raises(WrongType, match="job_id must be a string"):
        held.add("pulse", 7)  # type: ignore[arg-type]
    with pytest.raises(WrongType, match="provider must be a string"):
        held.add([], "x")  # type: ignore[arg-type]
    monkeypatch.delenv("PULSE_API_KEY")
    held = quiet()
    with pytest.raises(MissingCredential, match="PULSE_API_KEY"):
        held.add("pulse", "x")
    assert [] == held.held()


def test_an_id_that_cannot_exist_is_an_error_after_others_were_added() -> None:
    with quiet() as held:
        held.add("pulse", "x")
        with pytest.raises(ConfigurationError, match=r"has no job '\.\.'"):
            held.add("pulse", "..")
        with pytest.raises(WrongType, match="job_id must be a string"):
            held.add("pulse", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"provider": "pulse"}, ConfigurationError, "needs both provider and job_id"),
        ({"api_key": "some-key"}, ConfigurationError, "pass everything about other jobs to add"),
        ({"supervise": "maybe"}, ConfigurationError, "supervise must be one of"),
        ({"client": "pulse"}, WrongType, "client must be a Canceller"),
        ({"always": 1}, WrongType, "always must be True or False"),
        ({"grace": 0}, ConfigurationError, "more than 0"),
        ({"grace": "10s"}, WrongType, "a number of seconds"),
    ],
)
def test_bad_settings_are_errors(settings: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        guard(**settings)


def test_half_a_job_cannot_be_released() -> None:
    with quiet() as held, pytest.raises(ConfigurationError, match="needs both"):
        held.done("pulse")


# Interrupts


@pytest.fixture
def slow(sandbox: Sandbox) -> str:
    """A job whose vendor takes half a second to answer."""
    job_id = sandbox.submit("pulse")
    sandbox.fault("pulse", job_id, Fault(stall=0.5))
    return job_id


@pytest.fixture
def interrupt(sandbox: Sandbox) -> Iterator[Callable[[int], None]]:
    """Returns what sends SIGINT to this process, once the cancel has arrived at the vendor."""
    received = []

    def handle(*_: object) -> None:
        received.append(1)
        raise KeyboardInterrupt

    def send(times: int) -> None:
        while not cancels(sandbox):
            time.sleep(0.001)
        for number in range(times):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            while len(received) <= number:
                time.sleep(0.001)

    usual = signal.signal(signal.SIGINT, handle)
    yield lambda times: threading.Thread(target=send, args=[times], daemon=True).start()
    signal.signal(signal.SIGINT, usual)


def test_ctrl_c_during_the_cleanup_is_raised_after_it(
    slow: str, interrupt: Callable[[int], None]
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, quiet() as held:
        held.add("pulse", slow)
        interrupt(1)
        raise Death
    assert isinstance(caught.value.__context__, Death)
    assert ["cancelled"] == [result.outcome for result in held.results]


def test_the_second_ctrl_c_does_not_end_the_cleanup_of_the_first(
    slow: str, interrupt: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt, match="first"), quiet() as held:
        held.add("pulse", slow)
        interrupt(1)
        raise KeyboardInterrupt("first")
    assert ["cancelled"] == [result.outcome for result in held.results]
    assert "guard.interrupted" in caplog.text


def test_the_third_ctrl_c_ends_the_cleanup(
    sandbox: Sandbox, interrupt: Callable[[int], None]
) -> None:
    job_id = sandbox.submit("pulse")
    sandbox.fault("pulse", job_id, Fault(stall=30.0), times=None)
    with pytest.raises(KeyboardInterrupt) as caught, quiet(grace=30.0) as held:
        held.add("pulse", job_id)
        interrupt(2)
        raise KeyboardInterrupt("first")
    assert ["unknown"] == [result.outcome for result in held.results]
    assert "first" != str(caught.value)


# Async code


@pytest.mark.anyio
async def test_an_exception_in_async_code(sandbox: Sandbox) -> None:
    jobs = [sandbox.submit("pulse") for _ in range(40)]
    with pytest.raises(Death):
        async with quiet() as held:
            for job_id in jobs:
                held.add("pulse", job_id)
            raise Death
    assert sorted(jobs) == sorted(cancels(sandbox))


@pytest.mark.anyio
async def test_a_normal_end_in_async_code_sends_nothing(sandbox: Sandbox) -> None:
    async with guard("pulse", sandbox.submit("pulse")):
        pass
    assert [] == cancels(sandbox)


@pytest.mark.anyio
async def test_a_cancelled_scope_cancels_the_job(slow: str) -> None:
    with anyio.CancelScope() as scope:
        async with quiet() as held:
            held.add("pulse", slow)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert ["cancelled"] == [result.outcome for result in held.results]


@pytest.mark.anyio
async def test_a_vendor_that_never_answers_takes_the_grace(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")
    sandbox.fault("pulse", job_id, Fault(stall=30.0), times=None)
    with pytest.raises(Death) as caught:
        async with quiet(grace=0.3) as held:
            held.add("pulse", job_id)
            raise Death
    assert "(unknown: no co" in caught.value.__notes__[0]


@pytest.mark.anyio
async def test_a_callable_that_fails_in_async_code(sandbox: Sandbox) -> None:
    async def key() -> str:
        raise OSError("the vault is closed")

    with pytest.raises(Death) as caught:
        async with quiet() as held:
            held.add("pulse", sandbox.submit("pulse"), api_key=key)
            raise Death
    assert "OSError: the vault is closed" in caught.value.__notes__[0]


def test_an_async_key_in_a_sync_block_under_an_event_loop(sandbox: Sandbox) -> None:
    async def key() -> str:
        return sandbox.api_keys["pulse"]

    async def use() -> Guard:
        with pytest.raises(Death), guard() as held:
            held.add("pulse", sandbox.submit("pulse"), api_key=key)
            raise Death
        return held

    assert ["cancelled"] == [result.outcome for result in asyncio.run(use()).results]


def test_a_timeout_is_a_timeout(slow: str) -> None:
    async def use() -> Guard:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                async with quiet() as held:
                    held.add("pulse", slow)
                    await asyncio.sleep(30)
        return held

    assert ["cancelled"] == [result.outcome for result in asyncio.run(use()).results]


@pytest.mark.parametrize(("again", "outcome"), [(3, "cancelled"), (4, "unknown")])
def test_a_task_that_is_cancelled_again(sandbox: Sandbox, again: int, outcome: str) -> None:
    job_id = sandbox.submit("pulse")
    sandbox.fault("pulse", job_id, Fault(stall=0.5), times=None)

    async def use() -> Guard:
        held = quiet()

        async def work() -> None:
            async with held:
                held.add("pulse", job_id)
                await asyncio.sleep(30)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        for _ in range(1 + again):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        return held

    assert [outcome] == [result.outcome for result in asyncio.run(use()).results]


def test_a_cancellation_at_a_normal_end_is_raised_after_the_cleanup(slow: str) -> None:
    async def use() -> Guard:
        held = quiet(always=True)

        async def work() -> None:
            async with held:
                held.add("pulse", slow)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return held

    assert ["cancelled"] == [result.outcome for result in asyncio.run(use()).results]


def test_a_generator_that_is_closed_or_collected(sandbox: Sandbox) -> None:
    jobs = [sandbox.submit("pulse"), sandbox.submit("pulse")]

    def work(job_id: str) -> Generator[None]:
        with quiet() as held:
            held.add("pulse", job_id)
            yield

    closed, collected = map(work, jobs)
    next(closed)
    next(collected)
    closed.close()
    del collected
    gc.collect()
    assert jobs == cancels(sandbox)


def test_an_async_generator_that_is_closed(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")

    async def work() -> AsyncGenerator[None]:
        async with quiet() as held:
            held.add("pulse", job_id)
            yield

    async def use() -> None:
        generator = work()
        await anext(generator)
        await generator.aclose()

    asyncio.run(use())
    assert [job_id] == cancels(sandbox)


def test_an_event_loop_that_is_closed_with_a_pending_task(sandbox: Sandbox) -> None:
    job_id = sandbox.submit("pulse")

    async def work() -> None:
        async with quiet() as held:
            held.add("pulse", job_id)
            await asyncio.sleep(30)

    loop = asyncio.new_event_loop()
    coroutine = work()
    task = loop.create_task(coroutine)
    loop.run_until_complete(asyncio.sleep(0.01))
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    coroutine.close()
    assert [job_id] == cancels(sandbox)


def test_a_generator_that_is_collected_at_last_leaves_its_jobs_to_the_supervisor(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guard("pulse", sandbox.submit("pulse")) as held:

        def work() -> Generator[None]:
            with held:
                yield

        generator = work()
        next(generator)
        monkeypatch.setattr("sys.is_finalizing", lambda: True)
        generator.close()
        monkeypatch.undo()
        assert link.covers(held.held()[0])
    assert [] == cancels(sandbox)


# The package


def test_the_package_is_callable_and_is_what_the_library_exports() -> None:
    assert jobcancel.guard is guard
    assert guard.Guard is Guard  # type: ignore[attr-defined]
    assert isinstance(guard(supervise="no"), Guard)


# Fork


def test_a_forked_process_does_not_cancel_its_parents_jobs(sandbox: Sandbox) -> None:
    inherited, own = sandbox.submit("pulse"), sandbox.submit("pulse")
    with quiet() as held:
        held.add("pulse", inherited)
        if (child := os.fork()) == 0:
            try:
                with pytest.raises(Death), held:
                    held.add("pulse", own)
                    raise Death
            finally:
                os._exit(len(held.results))
        _, status = os.waitpid(child, 0)
        assert 1 == os.waitstatus_to_exitcode(status)
        assert [own] == cancels(sandbox)
        assert [inherited] == [each.job.job_id for each in held.held()]
