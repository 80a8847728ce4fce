"""Scripts: responses to requests in order, with simulated time."""

from __future__ import annotations

import time
from typing import Any

import anyio
import httpx
import pytest

from jobcancel import (
    Canceller,
    CancelResult,
    ConfigurationError,
    Outcome,
    acancel,
    acancel_many,
    cancel,
    cancel_many,
    registry,
    status,
)
from jobcancel.testing import Script, ScriptError, lost_reply, reply, scripted, unreachable
from tests.wire import Wire, answer

SUCCESS = {"job_id": "1", "message": "Job cancelled successfully"}
CANCELED = {"job_id": "1", "status": "canceled"}


def cancel_sync(script: Script, **settings: Any) -> CancelResult:
    with script.canceller(**settings) as canceller:
        return canceller.cancel("pulse", "1")


def cancel_async(script: Script, backend: str = "asyncio", **settings: Any) -> CancelResult:
    async def run() -> CancelResult:
        async with script.async_canceller(**settings) as canceller:
            return await canceller.cancel("pulse", "1")

    return anyio.run(run, backend=backend)


def cancel_trio(script: Script, **settings: Any) -> CancelResult:
    return cancel_async(script, "trio", **settings)


def cancel_anywhere(script: Script, **settings: Any) -> CancelResult:
    with script:
        return cancel("pulse", "1", **settings)


def acancel_anywhere(script: Script, **settings: Any) -> CancelResult:
    async def run() -> CancelResult:
        with script:
            return await acancel("pulse", "1", **settings)

    return anyio.run(run)


EVERY_WAY = pytest.mark.parametrize(
    "play", [cancel_sync, cancel_async, cancel_trio, cancel_anywhere, acancel_anywhere]
)


def sent(script: Script) -> list[str]:
    return [str(request) for request in script.requests]


@EVERY_WAY
def test_steps_are_played_in_order_without_waiting(play: Any) -> None:
    script = scripted(
        reply(429, headers={"retry-after": "2000"}),
        unreachable(),
        lost_reply(),
        reply(200, CANCELED, after=0.3),
    )
    began = time.monotonic()
    result = play(script, deadline=3000.0)
    assert (Outcome.CANCELLED, 3, 2000.8) == (result.outcome, result.attempts, result.elapsed)
    assert ["DELETE /job/1"] * 3 + ["GET /job/1"] == sent(script)
    assert ([2000.0, 0.5], ()) == (script.waits, script.unused)
    assert time.monotonic() - began < 1000


@EVERY_WAY
def test_late_reply_is_lost(play: Any) -> None:
    script = scripted(reply(200, SUCCESS, after=6), lost_reply(after=6), reply(200, CANCELED))
    result = play(script, timeout=5.0, deadline=60.0)
    assert Outcome.CANCELLED is result.outcome
    assert 5.0 + 5.0 < result.elapsed < 60.0


@EVERY_WAY
def test_late_connection_is_not_made(play: Any) -> None:
    script = scripted(unreachable(after=6), reply(404))
    result = play(script, timeout=5.0)
    assert (Outcome.NOT_FOUND, ["DELETE /job/1"] * 2) == (result.outcome, sent(script))


@EVERY_WAY
def test_request_without_step_is_an_error(play: Any) -> None:
    message = r"no step for GET /job/1: all were played; requests so far: DELETE /job/1$"
    with pytest.raises(ScriptError, match=message):
        play(scripted(lost_reply()))


@EVERY_WAY
def test_settings_are_passed_to_the_client(play: Any) -> None:
    script = scripted(reply(200, SUCCESS), reply(200, {"status": "completed"}))
    assert Outcome.ALREADY_TERMINAL is play(script, verify=True).outcome


def test_error_lists_steps_that_are_left() -> None:
    script = scripted(reply(200, SUCCESS), reply(404), lost_reply(), unreachable())
    cancel_sync(script)
    assert ["reply(404)", "lost_reply()", "unreachable()"] == [str(s) for s in script.unused]
    message = r"^not played: reply\(404\), lost_reply\(\), unreachable\(\); .*: DELETE /job/1$"
    with pytest.raises(ScriptError, match=message):
        script.finish()


def test_with_statement_checks_that_no_step_is_left() -> None:
    with pytest.raises(ScriptError, match=r"reply\(404\); requests so far: none$"):  # noqa: SIM117 - the end of the inner one raises
        with scripted(reply(404)):
            pass


def test_application_error_is_not_hidden_by_steps_that_are_left() -> None:
    with pytest.raises(ZeroDivisionError), scripted(reply(404)):
        raise ZeroDivisionError


def test_script_ends_with_its_with_statement() -> None:
    with scripted(reply(404)):
        assert Outcome.NOT_FOUND is cancel("pulse", "1").outcome
    with Wire([answer(body=b'{"job_id": "1", "status": "canceled"}')] * 2) as wire:
        result = cancel("pulse", "1", api_key="key", base_url=wire.url)
    assert (Outcome.CANCELLED, 1) == (result.outcome, len(wire.requests))


def test_requests_are_kept_without_the_key() -> None:
    with scripted(reply(403), reply(404)) as script:
        cancel("talonic", "a/b", api_key="a real key")
        status("pulse", "1")
    first, second = script.requests
    assert ("POST", "/v1/jobs/a%2Fb/cancel", b"") == (first.method, first.path, first.body)
    assert "application/json" == first.headers["accept"]
    assert not {"authorization", "x-api-key"} & {*first.headers, *second.headers}
    assert not [word for word in ("scripted-key", "a real key") if word in repr(script.requests)]


@pytest.mark.parametrize(
    ("body", "content", "kind"),
    [
        ({"a": 1}, b'{"a": 1}', "application/json"),
        (["a"], b'["a"]', "application/json"),
        ("a", b'"a"', "application/json"),
        (b"<html>", b"<html>", None),
        (b"", b"", None),
        (None, b"", None),
    ],
)
def test_body_is_json_unless_bytes(body: object, content: bytes, kind: str | None) -> None:
    step = reply(200, body)
    assert (content, kind) == (step.content, step.headers.get("content-type"))


def test_steps_can_be_reused_in_sync_and_async_clients() -> None:
    step = reply(404)
    script = scripted(step, step)
    assert cancel_sync(script).outcome is cancel_async(script).outcome


def test_script_ignores_proxies_and_urls_of_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("PULSE_BASE_URL", "http://127.0.0.1:1/prefix")
    for play in (cancel_sync, cancel_async, cancel_anywhere):
        script = scripted(reply(404))
        assert Outcome.NOT_FOUND is play(script).outcome
        assert ["DELETE /job/1"] == sent(script)


def test_script_ignores_params_of_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_1")
    with scripted(reply(200, {"id": "b", "status": "cancelling"})):
        assert {} == cancel("openai-batch", "b").params


def test_client_with_http_client_is_not_scripted() -> None:
    own = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(403, json={"error": "no"}))
    )
    with scripted(), own, Canceller(http_client=own) as canceller:
        assert Outcome.FORBIDDEN is canceller.cancel("pulse", "1").outcome


def test_cancel_many_is_refused_in_a_script() -> None:
    script = scripted()
    refused = pytest.raises(ConfigurationError, match="test it with the sandbox")
    with script, refused:
        cancel_many([("pulse", "1")])
    with script, refused:
        acancel_many([("pulse", "1")])
    with refused:
        script.async_canceller().cancel_many([("pulse", "1")])
    with pytest.raises(ConfigurationError, match="cancel_many is asynchronous"):
        script.canceller().cancel_many([("pulse", "1")])


def test_broken_plug_in_does_not_break_a_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib.metadata import EntryPoint

    point = EntryPoint(name="broken", value="no_such_module:x", group=registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (point,))
    assert Outcome.NOT_FOUND is cancel_sync(scripted(reply(404))).outcome


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: reply(199), "status_code must be 200 to 599, not 199"),
        (lambda: reply(True), "status_code must be 200 to 599, not True"),
        (
            lambda: reply("200"),  # type: ignore[arg-type]
            "status_code must be 200 to 599, not '200'",
        ),
        (lambda: reply(200, after=-1), "after must be 0 seconds or more, not -1"),
        (lambda: lost_reply(after=float("nan")), "after must be 0 seconds or more, not nan"),
        (
            lambda: unreachable(after="1"),  # type: ignore[arg-type]
            "after must be 0 seconds or more, not '1'",
        ),
        (lambda: unreachable(after=True), "after must be 0 seconds or more, not True"),
        (
            lambda: scripted(404),  # type: ignore[arg-type]
            r"a step must come from reply\(\) or its like, not 404",
        ),
    ],
)
def test_invalid_step_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        wrong()
