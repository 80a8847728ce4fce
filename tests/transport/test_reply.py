"""Malicious replies: bounded memory, redacted keys, and only small bodies kept."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jobcancel import Canceller, Outcome, get_adapter
from jobcancel.adapter import Reading, Response
from jobcancel.adapter.body import is_json, parse
from jobcancel.flow.call import reportable
from jobcancel.models import CancelResult, Job
from jobcancel.secret import Secret
from tests.test_spellings import SPELLED
from tests.wire import Wire, answer, raw

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-live-0123456789+/abc"
DONE = b'{"job_id": "1", "message": "Job cancelled successfully"}'
KIB, MIB = 1024, 1024 * 1024


def cancel(*replies: httpx.Response, **options: Any) -> CancelResult:
    """Cancel the job "1" at Pulse with these replies in order; the last one repeats."""
    left = list(replies)

    def reply(_: httpx.Request) -> httpx.Response:
        return left.pop(0) if len(left) > 1 else left[0]

    client = httpx.Client(transport=httpx.MockTransport(reply))
    with Canceller(api_keys={"pulse": KEY}, http_client=client, deadline=0.01) as canceller:
        return canceller.cancel("pulse", "1", **options)


# Structure


def body(part: str, size: int = 16 * MIB) -> bytes:
    """Return an object with one list of as many `part`s as fit into `size` bytes."""
    times = (size - 100) // (len(part) + 1)
    return b'{"a":[' + (part.encode() + b",") * (times - 1) + part.encode() + b"]}"


BOMBS = {
    "brackets": "[]",
    "nested brackets": "[[[0]]]",
    "braces": "{}",
    "objects": '{"":0}',
    "small numbers": "0",
    "numbers": "1.5",
    "texts": '"ab"',
    "texts of wide characters": '"\\ud83d\\ude00"',
    "null": "null",
}


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: b"[" * 16_000_000,
        lambda: b'{"":' * 3_000_000,
        *(partial(body, part) for part in BOMBS.values() if len(part) < 9),
    ],
)
def test_a_body_with_too_many_values_is_not_parsed(bomb: Callable[[], bytes]) -> None:
    content = bomb()
    assert parse(content) is None
    assert not is_json(content)


def test_a_body_with_too_many_values_is_unknown_with_a_reason() -> None:
    result = cancel(httpx.Response(200, content=body("[]")))
    assert (Outcome.UNKNOWN, None) == (result.outcome, result.body)
    assert "HTTP 200: the body may need more than 96 MiB of memory" in result.message


def test_one_wide_character_makes_a_string_too_large() -> None:
    assert parse(b'{"a":"' + b"x" * (15 * MIB) + b'"}') is not None
    assert parse(b'{"a":"' + b"x" * (15 * MIB) + "\N{GRINNING FACE}".encode() + b'"}') is None


@pytest.mark.parametrize(
    "part",
    [
        '{"x": 0.1234, "y": 0.5678, "w": 12.5, "text": "word"}',
        '"some words of a document, one after the other"',
        '"\\\\frac{a}{b} [1], \\"x\\": {y}"',
        "[0.1, 0.2, 0.3, 0.4]",
    ],
)
def test_a_result_of_five_megabytes_is_parsed(part: str) -> None:
    content = body(part, 5_000_000)
    assert json.loads(content) == parse(content)


def test_brackets_inside_strings_do_not_count() -> None:
    content = json.dumps({"a": "{[" * 2_000_000, "b": '\\"{' * 1_000_000}).encode()
    assert json.loads(content) == parse(content)


MEASURE = """
import pathlib, re, sys
import tests.transport.test_reply as here

def most():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search("VmHWM:[^0-9]*([0-9]+) kB", status)[1]) // 1024

here.cancel(here.httpx.Response(200, content=here.DONE))
before = most()
for file in pathlib.Path(sys.argv[1]).iterdir():
    stream = here.httpx.ByteStream(file.read_bytes())
    headers = {"content-encoding": "gzip"}
    result = here.cancel(here.httpx.Response(200, stream=stream, headers=headers))
    assert result.body is None
print(most() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak memory is read from Linux's /proc"
)
def test_compressed_bombs_use_bounded_memory(
    tmp_path: Path,
) -> None:
    for size in (16 * MIB, 2_000_000):
        for name, part in BOMBS.items():
            packed = gzip.compress(body(part, size), 6, mtime=0)
            assert len(packed) < 128 * KIB
            (tmp_path / f"{name} {size}").write_bytes(packed)
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    assert 10 * 16 >= int(ran.stdout)


# Kept bodies, redacted keys


def test_a_small_body_is_kept_and_a_large_one_is_not() -> None:
    small, large = ({**json.loads(DONE), "x": "y" * size} for size in (200 * KIB, 257 * KIB))
    assert small == cancel(httpx.Response(200, json=small)).body
    result = cancel(httpx.Response(200, json=large))
    assert (Outcome.CANCELLED, None) == (result.outcome, result.body)
    reading = Canceller(
        api_keys={"pulse": KEY},
        http_client=httpx.Client(
            transport=httpx.MockTransport(
                lambda _: httpx.Response(
                    200, json={"job_id": "1", "status": "completed", "result": "x" * 5 * MIB}
                )
            )
        ),
    ).status("pulse", "1")
    assert ("completed", None) == (reading.raw_state, reading.body)


@pytest.mark.parametrize(
    "large",
    [
        {"a": "x" * (257 * KIB)},
        {"a": [0] * (200 * KIB)},
        {"a": {str(number): number for number in range(100_000)}},
        {"x" * (257 * KIB): 1},
        {"a": [["x" * 1000] * 100] * 100},
    ],
)
def test_no_result_keeps_a_large_body(large: dict[str, object]) -> None:
    assert CancelResult(provider="p", job_id="1", outcome=Outcome.UNKNOWN, body=large).body is None
    made = {"provider": "p", "job_id": "1", "outcome": "unknown", "body": large}
    assert CancelResult.from_dict(made).body is None


@pytest.mark.parametrize("spell", SPELLED.values(), ids=SPELLED)
@pytest.mark.parametrize("padding", [0, 300 * KIB])
@pytest.mark.parametrize("status_code", [200, 401])
def test_a_key_is_redacted_in_every_spelling(
    spell: Callable[[str], str], padding: int, status_code: int
) -> None:
    spelled = spell(KEY)
    content = (
        f'{{"job_id": "2", "error": {{"code": {json.dumps(spelled)}, "message": "{spelled}"}}, '
        f'"request_id": "{spelled}", "padding": "{"x" * padding}"}}'
    )
    headers = {"x-request-id": spelled, "x-other": spelled}
    result = cancel(httpx.Response(status_code, content=content.encode(), headers=headers))
    shown = json.dumps(result.to_dict(), ensure_ascii=False) + repr(result)
    assert spelled.rstrip("=") not in shown
    assert KEY not in shown


@pytest.mark.parametrize("length", range(450, 501, 7))
def test_a_key_at_the_end_of_a_truncated_message_is_redacted(length: int) -> None:
    body = {"message": "." * length + KEY, "x": "y" * 300 * KIB}
    result = cancel(httpx.Response(404, json=body))
    assert KEY[:4] not in result.message
    assert result.message.startswith("." * length)


def test_a_large_empty_reply_has_an_empty_reading() -> None:
    response = Response(status_code=200, content=b" " * 300 * KIB)
    assert Reading() == reportable(Reading(body={}), response, Secret(KEY))


def test_a_key_in_binary_data_is_redacted() -> None:
    content = b"\xff" + b64encode(KEY.encode()) + b"\xfe"
    assert b"\xff[redacted]\xfe" == Secret(KEY).redact_bytes(content)


# Numbers


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400 + ".0", "1E+400"])
@pytest.mark.parametrize(
    "written", ['"retry_after": {0}', '"error": {{"details": [{{"a": {0}}}]}}']
)
def test_a_result_has_no_number_that_json_cannot_encode(number: str, written: str) -> None:
    content = DONE[:-1] + b", " + written.format(number).encode() + b"}"
    result = cancel(httpx.Response(200, content=content))
    assert Outcome.CANCELLED is result.outcome
    assert json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_make_a_body_invalid(word: str) -> None:
    assert parse(f'{{"a": {word}}}'.encode()) is None


def test_nan_and_infinity_in_the_body_of_a_result_become_none() -> None:
    body = {"a": [float("inf"), {"b": float("nan"), "c": 1.5}], "d": "x"}
    result = CancelResult(provider="p", job_id="1", outcome=Outcome.UNKNOWN, body=body)
    assert {"a": [None, {"b": None, "c": 1.5}], "d": "x"} == result.body


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_json_must_be_utf_8(encoding: str) -> None:
    assert parse('{"a": 1}'.encode(encoding)) is None
    assert {"a": 1} == parse(b"\xef\xbb\xbf" + b'{"a": 1}')


# Headers


@pytest.mark.parametrize("headers", [[("x-a", "b")] * 201, [("x-a", "b" * 70_000)]])
def test_too_many_or_too_large_headers_are_inconclusive(headers: list[tuple[str, str]]) -> None:
    result = cancel(httpx.Response(200, headers=headers, content=DONE))
    assert (Outcome.UNKNOWN, None) == (result.outcome, result.body)
    assert "more than 200 headers, or more than 64 KiB of them" in result.message


def test_a_body_in_one_byte_chunks_is_read() -> None:
    parts = b"".join(b"1\r\n%c\r\n" % byte for byte in DONE) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with Wire([raw(head + parts)]) as wire, Canceller(api_keys={"pulse": KEY}) as canceller:
        assert Outcome.CANCELLED is canceller.cancel("pulse", "1", base_url=wire.url).outcome
    with Wire([answer(body=DONE)]) as wire, Canceller(api_keys={"pulse": KEY}) as canceller:
        assert Outcome.CANCELLED is canceller.cancel("pulse", "1", base_url=wire.url).outcome


def test_overflowing_numbers_do_not_break_the_readers() -> None:
    adapter, job = get_adapter("pulse"), Job("pulse", "1")
    response = Response(status_code=200, content=b'{"message": 1e999, "job_id": 1e999}')
    assert adapter.read_cancel(job, response).outcome is None
