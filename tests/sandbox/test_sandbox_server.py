"""Starting, stopping, inspecting and resetting the sandbox."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import pytest

import jobcancel.sandbox
from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState
from jobcancel.sandbox import SITUATIONS, Fault, Quota, Sandbox, startup_text


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


def test_the_environment_points_at_the_sandbox(sandbox: Sandbox) -> None:
    expected = {
        "PULSE_API_KEY": "sandbox-pulse-key",
        "PULSE_BASE_URL": f"{sandbox.url}/pulse",
        "TALONIC_API_KEY": "tlnc_sandbox_key",
        "TALONIC_BASE_URL": f"{sandbox.url}/talonic",
        "OPENAI_API_KEY": "sandbox-openai-key",
        "OPENAI_BASE_URL": f"{sandbox.url}/openai-batch/v1",
    }
    assert expected.items() <= sandbox.environ.items()


def test_both_pulse_providers_share_a_url_and_a_key(sandbox: Sandbox) -> None:
    assert sandbox.base_urls["pulse"] == sandbox.base_urls["pulse-legacy"]
    assert sandbox.api_keys["pulse"] == sandbox.api_keys["pulse-legacy"]


def test_a_host_that_others_can_reach_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="loopback only"):
        Sandbox(host="0.0.0.0")  # noqa: S104 - the point of the test


def test_a_port_in_use_is_named(sandbox: Sandbox) -> None:
    port = urlsplit(sandbox.url).port
    assert port
    with pytest.raises(ConfigurationError, match=rf"port {port} .* in use"):
        Sandbox(host="localhost", port=port).__enter__()


def test_a_sandbox_that_does_not_run_has_no_url() -> None:
    with pytest.raises(ConfigurationError, match="not running"):
        _ = Sandbox().url


def test_leaving_a_sandbox_that_never_ran_does_nothing() -> None:
    sandbox = Sandbox()
    sandbox.__exit__(None, None, None)
    with pytest.raises(ConfigurationError, match="not running"):
        _ = sandbox.url


def test_a_running_sandbox_cannot_be_started_again(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="already running"):
        sandbox.__enter__()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_does_not_start_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("uvicorn.Server.startup", fail)
    with pytest.raises(ConfigurationError, match="failed to start"):
        Sandbox().__enter__()


def test_a_sandbox_can_run_again_after_it_stopped() -> None:
    sandbox = Sandbox()
    for _ in range(2):
        with sandbox:
            assert httpx.get(sandbox.url).status_code == 200


def test_a_stopped_sandbox_refuses_connections() -> None:
    with Sandbox() as sandbox:
        url = sandbox.url
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_serve_forever_ends_with_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox()
    join = threading.Thread.join
    interrupts = iter([True])
    reached = []

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if next(interrupts, False):
            reached.append(httpx.get(sandbox.url).status_code)
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    sandbox.serve_forever()
    assert reached == [200]
    with pytest.raises(ConfigurationError):
        _ = sandbox.url


def test_serve_forever_uses_a_running_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox() as sandbox, monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "join", lambda _: None)
        sandbox.serve_forever()
        assert httpx.get(sandbox.url).status_code == 200


def test_a_malformed_request_is_not_logged(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(sandbox.url)
    with (
        caplog.at_level(logging.WARNING, "uvicorn"),
        socket.create_connection((address.hostname, address.port), timeout=10) as connection,
    ):
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
    assert caplog.records == []


def test_a_job_that_does_not_exist_raises(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="no job 'sandbox-unknown'"):
        sandbox.job("pulse", "sandbox-unknown")


def test_a_quota_per_day_has_no_rate() -> None:
    with Sandbox(quotas={"tlnc_sandbox_key": Quota(per_day=2)}) as sandbox:
        headers = {"authorization": "Bearer tlnc_sandbox_key"}
        url = f"{sandbox.base_urls['talonic']}/v1/jobs"
        assert [httpx.get(url, headers=headers).status_code for _ in range(3)] == [200, 200, 429]


def test_a_quota_per_second_has_no_daily_headers() -> None:
    with Sandbox(quotas={"tlnc_sandbox_key": Quota(per_second=1)}) as sandbox:
        headers = {"authorization": "Bearer tlnc_sandbox_key"}
        reply = httpx.get(f"{sandbox.base_urls['talonic']}/v1/jobs", headers=headers)
        assert "x-ratelimit-limit" not in reply.headers


def test_requests_are_recorded_as_sent(pulse: httpx.Client, sandbox: Sandbox) -> None:
    pulse.get("/job/a%2Fb?x=%20y")
    received = sandbox.requests[-1]
    assert (received.method, received.provider, received.status) == ("GET", "pulse", 404)
    assert received.path == "/pulse/job/a%2Fb?x=%20y"
    assert received.headers["x-api-key"] == "sandbox-pulse-key"


def test_a_request_with_an_unknown_path_is_recorded_and_explained(
    outside: httpx.Client, sandbox: Sandbox
) -> None:
    reply = outside.delete("/job/x")
    assert (reply.status_code, "/pulse" in reply.text) == (404, True)
    assert sandbox.requests[-1].provider is None


def test_only_the_last_thousand_requests_are_kept(pulse: httpx.Client, sandbox: Sandbox) -> None:
    for _ in range(1001):
        pulse.get("/job/x")
    assert len(sandbox.requests) == 1000


def test_a_key_is_shown_nowhere(
    pulse: httpx.Client, outside: httpx.Client, sandbox: Sandbox
) -> None:
    secret = "my-real-key"
    pulse.get("/job/x", headers={"x-api-key": secret, "authorization": secret, "x-odd": secret})
    assert secret not in repr(sandbox.requests)
    assert secret not in outside.get("/_sandbox/requests").text
    assert secret not in outside.get("/").text


@pytest.mark.parametrize("query", ["?api_key={}", "?a=b&token={}=", "?{}"])
def test_a_key_in_the_query_is_shown_nowhere(
    outside: httpx.Client, sandbox: Sandbox, query: str
) -> None:
    secret = "my-real-key"
    path = "/pulse/job/x" + query.format(secret)
    outside.get(path)
    assert sandbox.requests[-1].path == path
    assert secret not in repr(sandbox.requests)
    assert secret not in outside.get("/_sandbox/requests").text
    assert secret not in outside.get("/").text


def test_the_names_in_a_query_are_shown(outside: httpx.Client) -> None:
    outside.get("/talonic/v1/jobs?limit=2&status=failed")
    shown = outside.get("/_sandbox/requests").json()["requests"][-1]["path"]
    assert shown == "/talonic/v1/jobs?limit=***&status=***"


def test_requests_to_the_sandboxs_own_pages_are_not_recorded(
    outside: httpx.Client, sandbox: Sandbox
) -> None:
    for path in ("/", "/_sandbox/jobs", "/_sandbox/requests", "/favicon.ico"):
        outside.get(path)
    assert sandbox.requests == []


def test_an_answer_after_a_reset_is_not_recorded() -> None:
    from jobcancel.sandbox.journal import Journal

    journal = Journal()
    journal.answered(1, 200)
    assert journal.entries() == []


def test_the_page_shows_jobs_and_requests(
    pulse: httpx.Client, outside: httpx.Client, sandbox: Sandbox
) -> None:
    job_id = sandbox.submit("pulse")
    pulse.delete(f"/job/{job_id}")
    page = outside.get("/").text
    assert f"<code>{job_id}</code>" in page
    assert f"/pulse/job/{job_id}" in page
    assert f"PULSE_BASE_URL={sandbox.base_urls['pulse']}" in page


def test_the_page_lists_the_last_hundred_jobs(
    outside: httpx.Client, sandbox: Sandbox, clock: Clock
) -> None:
    ids = []
    for vendor in ("talonic", "pulse") * 51:
        ids.append(sandbox.submit(vendor))
        clock.advance(0.001)
    page = outside.get("/").text
    assert [False, False] + [True] * 100 == [f"<code>{job_id}</code>" in page for job_id in ids]


def test_the_oldest_of_too_many_jobs_is_deleted(
    pulse: httpx.Client, talonic: httpx.Client, sandbox: Sandbox
) -> None:
    first, second = sandbox.submit("pulse"), sandbox.submit("talonic")
    pulse.delete(f"/job/{first}")
    for _ in range(9_999):
        sandbox.submit("pulse")
    assert pulse.get(f"/job/{first}").status_code == 404
    assert talonic.get(f"/v1/jobs/{second}").status_code == 200
    assert pulse.get("/job/sandbox-completed").status_code == 200


def test_a_used_fault_leaves_nothing_behind(pulse: httpx.Client, sandbox: Sandbox) -> None:
    waiting = len(sandbox._world.faults._waiting)
    sandbox.fault("pulse", "nowhere", Fault(status=418), times=2)
    assert [pulse.get("/job/nowhere").status_code] == [404]
    assert [pulse.delete("/job/nowhere").status_code for _ in range(3)] == [418, 418, 404]
    assert waiting == len(sandbox._world.faults._waiting)


def test_the_page_escapes_what_it_shows(pulse: httpx.Client, outside: httpx.Client) -> None:
    pulse.get("/job/'<script>")
    pulse.get("/job/x?<script>")
    assert "<script>" not in outside.get("/").text


def test_the_page_shows_a_request_without_an_answer(
    pulse: httpx.Client, outside: httpx.Client
) -> None:
    with pytest.raises(httpx.TransportError):
        pulse.delete("/job/sandbox-lost-not-applied")
    assert "no answer" in outside.get("/").text


def test_the_reset_button_resets(
    pulse: httpx.Client, outside: httpx.Client, sandbox: Sandbox
) -> None:
    pulse.delete("/job/sandbox-pending")
    reply = outside.post("/_sandbox/reset")
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert sandbox.job("pulse", "sandbox-pending").state is JobState.PENDING
    assert sandbox.requests == []


def test_the_jobs_can_be_listed(outside: httpx.Client, sandbox: Sandbox) -> None:
    job_id = sandbox.submit("talonic")
    jobs = {job["job_id"]: job for job in outside.get("/_sandbox/jobs").json()["jobs"]}
    assert (jobs[job_id]["state"], jobs[job_id]["seeded"]) == ("pending", False)
    assert jobs["sandbox-completed"]["state"] == "succeeded"


@pytest.mark.parametrize("path", ["/", "/_sandbox/jobs"])
@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1.evil.test", ""])
def test_another_host_name_is_refused(outside: httpx.Client, path: str, host: str) -> None:
    assert outside.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:1", "[::1]"])
def test_loopback_host_names_are_accepted(outside: httpx.Client, host: str) -> None:
    assert outside.get("/", headers={"host": host}).status_code == 200


def crash() -> list[bytes]:
    raise ZeroDivisionError


def test_an_error_of_the_sandbox_is_logged_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own
    with Sandbox() as sandbox:
        sandbox.fault("pulse", "x", Fault(status=200, chunks=crash))
        url, key = sandbox.base_urls["pulse"], sandbox.api_keys["pulse"]
        httpx.delete(f"{url}/job/x", headers={"x-api-key": key})
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/pulse/extract", "/talonic/v1/jobs", "/_sandbox/faults"])
def test_a_client_that_disconnects_early_is_not_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    head = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n"
    with Sandbox() as sandbox:
        address = urlsplit(sandbox.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            request = f"POST {path} HTTP/1.1\r\n{head}expect: 100-continue\r\n\r\n"
            connection.sendall(request.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100")
    assert [entry.status for entry in sandbox.requests] == [None] * len(sandbox.requests)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_the_startup_text_fits_a_terminal(sandbox: Sandbox, columns: int) -> None:
    text = startup_text(sandbox, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert f"export TALONIC_BASE_URL={sandbox.base_urls['talonic']}" in text
    assert all(each.job_id in text for each in SITUATIONS if each.provider == "pulse")


def test_the_names_and_ids_of_situations_are_unique() -> None:
    assert len({(each.provider, each.name) for each in SITUATIONS}) == len(SITUATIONS)
    assert len({(each.provider, each.job_id) for each in SITUATIONS}) == len(SITUATIONS)


def test_the_situations_need_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jobcancel.sandbox.server", None)
    with pytest.raises(ImportError, match=r"install jobcancel\[sandbox\]"):
        _ = jobcancel.sandbox.Sandbox
    assert jobcancel.sandbox.SITUATIONS


def test_an_unknown_name_raises_attribute_error() -> None:
    name = "Nothing"
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        getattr(jobcancel.sandbox, name)


def test_every_public_name_exists() -> None:
    assert all(hasattr(jobcancel.sandbox, name) for name in jobcancel.sandbox.__all__)
