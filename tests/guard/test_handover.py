"""How a job is handed to the supervisor, and how the supervisor cancels it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from attrs import evolve

from jobcancel import HttpAdapter, JobState, register, registry
from jobcancel.api import shared_client
from jobcancel.config import as_secret
from jobcancel.guard.handover import call_of, module_path, source_message
from jobcancel.guard.held import Source
from jobcancel.guard.rescue import rescue
from jobcancel.guard.supervisor import Task
from jobcancel.sandbox import Fault, Sandbox
from jobcancel.vendors.pulse import PULSE

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.adapter.protocol import Response
    from jobcancel.flow.call import Call

JOB = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the adapters that a test registers."""
    monkeypatch.setattr(registry, "_registered", {})


def call(provider: str = "pulse", job_id: str = JOB, key: Any = "key", **options: Any) -> Call:
    return shared_client.prepare(provider, job_id, api_key=as_secret(key), **options)


def handed_over(original: Call) -> dict[str, Any]:
    """Return what the supervisor reads."""
    message = source_message(Source(original, shared_client))
    assert b"\n" == message[-1:]
    assert 1 == message.count(b"\n")
    command, _, source = json.loads(message)
    assert command == "source"
    return dict(source)


def task(original: Call) -> Task:
    return Task(handed_over(original), original.job.job_id, dict(original.job.params))


def in_sandbox(sandbox: Sandbox, provider: str = "pulse", key: str = "", **options: Any) -> Task:
    """Return the task for a new job, which does not end by itself."""
    params = options.pop("params", None)
    key = key or sandbox.api_keys[provider]
    job_id = sandbox.submit(provider, pending=10_000, key=key, **options)
    return task(call(provider, job_id, key, base_url=sandbox.base_urls[provider], params=params))


def is_cancelled(sandbox: Sandbox, each: Task) -> bool:
    return sandbox.job(each.provider, each.job_id).state is JobState.CANCELLED


# The call in the supervisor


@pytest.mark.filterwarnings("ignore:provider 'pulse-legacy' is deprecated")
@pytest.mark.parametrize("provider", sorted(registry.BUILT_IN))
def test_the_call_is_the_same_in_the_supervisor(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = registry.get_adapter(provider)
    params = dict.fromkeys(adapter.params, "1234")
    original = call(provider, "1234", base_url="https://proxy.example/path", params=params)
    monkeypatch.setenv(adapter.url_env, "https://other.example")
    restored = call_of(handed_over(original), original.job.job_id, dict(original.job.params))
    assert original.adapter is restored.adapter
    assert original.job == restored.job
    assert original.endpoint == restored.endpoint
    assert original.policy.timeout == restored.policy.timeout


def test_plain_http_that_was_allowed_is_allowed_in_the_supervisor() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_client, "_allow_http", True)
        original = call(base_url="http://vendor.internal")
    assert "http://vendor.internal" == call_of(handed_over(original), JOB, None).endpoint.base_url


def test_the_setting_verify_is_handed_over() -> None:
    original = call(verify=True, timeout=3.0)
    restored = call_of(handed_over(original), JOB, None)
    assert (True, 3.0) == (restored.policy.verify, restored.policy.timeout)


# Keys


def test_a_callable_for_the_key_is_called_in_the_process_of_the_application() -> None:
    source = handed_over(call(key=lambda: "from the callable"))
    assert "from the callable" == call_of(source, JOB, None).endpoint.key.reveal()


async def ask() -> str:
    return "never"


def fail() -> str:
    raise OSError("the vault is sealed")


@pytest.mark.parametrize("key", [ask, fail])
def test_without_a_key_the_supervisor_uses_that_of_its_environment(
    key: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jobcancel")
    source = handed_over(call(key=key))
    assert ["event=jobcancel.guard.unsupervised"] == [
        each.getMessage().split()[0] for each in caplog.records
    ]
    monkeypatch.setenv("PULSE_API_KEY", "of the environment")
    assert "of the environment" == call_of(source, JOB, None).endpoint.key.reveal()


# Adapters that were registered at run time


LOCAL = evolve(PULSE, name="local", key_env="LOCAL_API_KEY", url_env="LOCAL_BASE_URL")


def hook(_: Response) -> None:
    return None


def break_down(_: Response) -> None:
    raise ZeroDivisionError


def test_an_adapter_of_this_process_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = evolve(LOCAL, outcome_hook=hook)
    register(adapter)
    source = handed_over(call("local"))
    monkeypatch.setattr(registry, "_registered", {})
    assert adapter == call_of(source, JOB, None).adapter


def test_its_module_is_found_under_jobcancel_run_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_adapters.py").write_text("def hook(_):\n    return None\n")
    monkeypatch.syspath_prepend(tmp_path)
    own_adapters = __import__("own_adapters")
    register(evolve(LOCAL, outcome_hook=own_adapters.hook))
    source = handed_over(call("local"))
    monkeypatch.delitem(sys.modules, "own_adapters")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path)])
    assert "local" == call_of(source, JOB, None).adapter.name


def in_main(kind: Any, module: str) -> Any:
    kind.__module__ = module
    return kind


@pytest.mark.parametrize(
    "make",
    [
        lambda: evolve(LOCAL, outcome_hook=lambda _: None),
        lambda: evolve(LOCAL, outcome_hook=in_main(lambda _: None, "__main__")),
        lambda: in_main(type("Own", (HttpAdapter,), {}), "__main__")(**fields()),
        lambda: in_main(type("Own", (HttpAdapter,), {}), "__mp_main__")(**fields()),
    ],
    ids=["a lambda", "a lambda of the program", "a class", "a class, by multiprocessing"],
)
def test_an_adapter_that_cannot_be_sent_is_reported(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make())
    original = call("local")
    with pytest.warns(RuntimeWarning, match="the adapter of 'local' cannot be sent") as caught:
        source = handed_over(original)
    assert __file__ == caught[0].filename
    monkeypatch.setattr(registry, "_registered", {})
    (line,) = rescue([Task(source, JOB, None)], 1.0)
    assert line.startswith(f"local {JOB} is not known to be stopped: UnknownProvider: no provider")


def fields() -> dict[str, Any]:
    names = [each.name for each in attrs.fields(HttpAdapter) if each.init]
    return {name: getattr(LOCAL, name) for name in names}


def test_the_path_of_modules_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "relative", "/absolute"])
    assert [str(tmp_path), str(tmp_path / "relative"), "/absolute"] == module_path()


def test_in_a_deleted_directory_it_is_what_can_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = tmp_path / "deleted"
    deleted.mkdir()
    monkeypatch.chdir(deleted)
    deleted.rmdir()
    monkeypatch.setattr(sys, "path", ["", "relative", "/absolute"])
    assert ["/absolute"] == module_path()


# The rescue


def test_jobs_are_cancelled(sandbox: Sandbox) -> None:
    tasks = [in_sandbox(sandbox) for _ in range(40)]
    tasks += [
        in_sandbox(sandbox, "talonic"),
        in_sandbox(sandbox, "runpod", params={"endpoint": "abc"}),
    ]
    assert [] == rescue(tasks, 20.0)
    assert all(is_cancelled(sandbox, each) for each in tasks)
    assert len(tasks) == len([each for each in sandbox.requests if each.method != "GET"])


def test_nothing_to_cancel_is_nothing_to_report() -> None:
    assert [] == rescue([], 1.0)


def test_a_job_that_was_added_twice_is_cancelled_once(sandbox: Sandbox) -> None:
    first = in_sandbox(sandbox)
    assert [] == rescue([first, first], 20.0)
    assert 1 == len(sandbox.requests)


def test_equal_ids_of_different_accounts_and_servers_are_all_cancelled(sandbox: Sandbox) -> None:
    with Sandbox() as other:
        tasks = [
            in_sandbox(sandbox, job_id="same"),
            in_sandbox(other, job_id="same"),
            in_sandbox(other, job_id="another"),
        ]
        tasks.append(Task({**tasks[1].source, "key": "of another account"}, "same", None))
        (line,) = rescue(tasks, 20.0)
        assert line.startswith("pulse same is not known to be stopped: unauthorized")
        assert is_cancelled(sandbox, tasks[0])
        assert is_cancelled(other, tasks[1])
        assert is_cancelled(other, tasks[2])


def test_one_line_says_what_may_not_be_stopped(sandbox: Sandbox) -> None:
    good = in_sandbox(sandbox)
    refused = Task({**good.source, "key": "wrong"}, "a\x1b[31m\nb", None)
    unreadable = Task({**good.source, "adapter": "no pickle", "path": []}, "c", None)
    lines = rescue([refused, unreadable, good], 20.0)
    assert is_cancelled(sandbox, good)
    assert ["pulse a [31m b", "pulse c"] == sorted(
        line.partition(" is not known to be stopped: ")[0] for line in lines
    )
    assert all(line.isprintable() for line in lines)


def test_a_vendor_that_does_not_answer_is_given_up_in_time(sandbox: Sandbox) -> None:
    tasks = [in_sandbox(sandbox) for _ in range(40)]
    for each in tasks:
        sandbox.fault("pulse", each.job_id, Fault(stall=60.0), times=None)
    lines = rescue(tasks, 1.0)
    assert sorted(each.job_id for each in tasks) == sorted(line.split()[1] for line in lines)


def test_without_time_every_job_is_reported(sandbox: Sandbox) -> None:
    lines = rescue([in_sandbox(sandbox) for _ in range(3)], 0.0)
    assert 3 == len(lines)


def test_a_hook_that_fails_costs_no_other_job(sandbox: Sandbox) -> None:
    register(evolve(LOCAL, outcome_hook=break_down))
    good, other = in_sandbox(sandbox), in_sandbox(sandbox)
    bad = task(call("local", other.job_id, base_url=sandbox.base_urls["pulse"]))
    (line,) = rescue([bad, good], 20.0)
    assert line.startswith(f"local {other.job_id} is not known to be stopped: unknown: ")
    assert "ZeroDivisionError" in line
    assert is_cancelled(sandbox, good)


def test_a_vendor_that_is_down_is_tried_again(sandbox: Sandbox) -> None:
    each = in_sandbox(sandbox)
    sandbox.fault("pulse", each.job_id, Fault(status=503), times=2)
    assert [] == rescue([each], 20.0)
    assert is_cancelled(sandbox, each)
