"""Invalid arguments are refused immediately, not when they are used."""

from __future__ import annotations

import errno
import socket
from typing import Any

import httpx
import pytest

from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState
from jobcancel.sandbox import CancelPolicy, Fault, Quota, Sandbox

NAN = float("nan")
HUGE = 10**400


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"host": None}, "host=None"),
        ({"port": 70_000}, "port=70000"),
        ({"port": 8123.0}, "port=8123.0"),
        ({"port": True}, "port=True"),
        ({"pending": -5}, "pending=-5"),
        ({"pending": NAN}, "pending=nan"),
        ({"running": "4"}, "running='4'"),
        ({"quotas": {"typo": Quota()}}, "no such key 'typo' here: .*tlnc_sandbox_key"),
        ({"quotas": {"tlnc_sandbox_key": 5}}, "expected a Quota"),
    ],
)
def test_invalid_sandbox_arguments_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Sandbox(**arguments)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"ends_as": "cancelled"}, "ends_as='cancelled': expected a final state, such as JobState"),
        ({"ends_as": JobState.RUNNING}, "expected a final state"),
        ({"ends_as": None}, "ends_as=None"),
        ({"after": -1}, "after=-1"),
        ({"after": NAN}, "after=nan"),
        ({"after": HUGE}, "after=1000"),
        ({"after": True}, "after=True"),
    ],
)
def test_invalid_cancel_policies_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        CancelPolicy(**arguments)


@pytest.mark.parametrize(
    ("provider", "arguments", "problem"),
    [
        ("nobody", {}, "no provider 'nobody'"),
        ("pulse", {"ends_as": "cancelled"}, "ends_as='cancelled'"),
        ("pulse", {"key": "tlnc_sandbox_key"}, "no such key"),
        ("pulse", {"pending": -1}, "pending=-1"),
        ("pulse", {"running": HUGE}, "running=1000"),
        ("pulse", {"on_cancel": JobState.FAILED}, "expected a CancelPolicy"),
        ("talonic", {"on_cancel": CancelPolicy(JobState.EXPIRED)}, "'talonic' has no word for it"),
    ],
)
def test_invalid_submissions_are_refused(
    sandbox: Sandbox, provider: str, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        sandbox.submit(provider, **arguments)


def test_an_expired_job_of_pulse_can_be_submitted(sandbox: Sandbox, pulse: httpx.Client) -> None:
    job_id = sandbox.submit("pulse", on_cancel=CancelPolicy(JobState.EXPIRED))
    pulse.delete(f"/job/{job_id}")
    assert pulse.get(f"/job/{job_id}").json()["status"] == "expired"


@pytest.mark.parametrize(
    "arguments",
    [
        {"per_second": 0},
        {"per_second": float("inf")},
        {"per_second": "1"},
        {"burst": 0},
        {"burst": None},
        {"burst": 1.5},
        {"per_day": -1},
        {"per_day": NAN},
    ],
)
def test_invalid_quotas_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        Quota(**arguments)


CIRCLE: dict[str, object] = {}
CIRCLE["a"] = CIRCLE


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"status": 99}, "status=99"),
        ({"status": 200.0}, "status=200.0"),
        ({"status": 500, "drop": True}, "mutually exclusive"),
        ({"body": "x"}, "require status"),
        ({"headers": {"a": "b"}}, "require status"),
        ({"chunks": list}, "require status"),
        ({"status": 200, "body": "x", "chunks": list}, "mutually exclusive"),
        ({"status": 204, "body": "x"}, "no body"),
        ({"status": 200, "body": [1]}, "expected a Mapping"),
        ({"status": 200, "body": {"a": object()}}, "as JSON"),
        ({"status": 200, "body": CIRCLE}, "as JSON"),
        ({"status": 200, "body": {"a": NAN}}, "as JSON"),
        ({"status": 200, "headers": [("a", "b")]}, "expected a Mapping"),
        ({"status": 200, "headers": {"a": 1}}, "cannot be sent"),
        ({"status": 200, "headers": {1: "a"}}, "cannot be sent"),
        ({"status": 200, "chunks": [b"x"]}, "chunks=.*expected a function"),
        ({"raw": b"x"}, "raw=.*expected a function"),
        ({"finish": JobState.RUNNING}, "final state"),
        ({"finish_after": "failed"}, "final state"),
        ({"stall": -1.0}, "stall=-1.0"),
        ({"stall": HUGE}, "stall=1000"),
        ({"stall": "1"}, "stall='1'"),
        ({"interval": NAN}, "interval=nan"),
    ],
)
def test_invalid_faults_are_refused(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Fault(**arguments)


def test_a_body_nested_too_deeply_is_refused() -> None:
    body: dict[str, object] = {}
    for _ in range(200_000):
        body = {"a": body}
    with pytest.raises(ConfigurationError, match="as JSON"):
        Fault(status=200, body=body)


@pytest.mark.parametrize(
    ("target", "options", "problem"),
    [
        (("nobody", "sandbox-pending"), {}, "no provider 'nobody'"),
        (("pulse", "nowhere"), {}, "no job 'nowhere' to end"),
        (("pulse", "sandbox-pending"), {"on": "submit"}, "on='submit'"),
        (("pulse", "sandbox-pending"), {"times": 0}, "times=0"),
        (("pulse", "sandbox-pending"), {"times": 1.5}, "times=1.5"),
        (("pulse", "sandbox-pending"), {"times": "1"}, "times='1'"),
    ],
)
def test_faults_with_invalid_targets_are_refused(
    sandbox: Sandbox, target: tuple[str, str], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        sandbox.fault(*target, Fault(finish=JobState.FAILED), **options)


def test_only_a_fault_can_be_injected(sandbox: Sandbox) -> None:
    fault: Any = "str"
    with pytest.raises(ConfigurationError, match="fault='str': expected a Fault"):
        sandbox.fault("pulse", "x", fault)


@pytest.mark.parametrize("field", ["finish", "finish_after"])
def test_talonic_cannot_end_a_job_as_expired(sandbox: Sandbox, field: str) -> None:
    ending: dict[str, Any] = {field: JobState.EXPIRED}
    with pytest.raises(ConfigurationError, match=f"{field}='expired': 'talonic' has no word"):
        sandbox.fault("talonic", sandbox.submit("talonic"), Fault(**ending))


@pytest.mark.skipif(not socket.has_ipv6, reason="this computer has no IPv6")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_loopback_is_accepted(host: str) -> None:
    with Sandbox(host=host) as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
        assert httpx.get(sandbox.url).status_code == 200


@pytest.mark.parametrize(("number", "advised"), [(errno.EADDRINUSE, True), (errno.EACCES, False)])
def test_another_port_is_suggested_only_when_this_one_is_in_use(
    monkeypatch: pytest.MonkeyPatch, number: int, advised: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ConfigurationError, match="cannot listen on port 80 of") as caught:
        Sandbox(port=80).__enter__()
    assert advised is ("choose another port" in str(caught.value))
