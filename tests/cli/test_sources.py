"""The file formats of `--from`, and malformed lines."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from jobcancel import ConfigurationError, Job, registry
from jobcancel.adapter import Route
from jobcancel.cli import sources
from jobcancel.cli.sources import Malformed, Source
from jobcancel.vendors.pulse import PULSE

if TYPE_CHECKING:
    from jobcancel import HttpAdapter

ROOMY: HttpAdapter = evolve(
    PULSE,
    name="roomy",
    cancel=Route("DELETE", "/{room}/{id}"),
    params={"room": "the id of the room"},
)
LONG = sources._LONGEST_LINE


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {"roomy": ROOMY})


def read(
    content: bytes | str,
    provider: str | None = "pulse",
    params: dict[str, str] | None = None,
    columns: dict[str, str] | None = None,
) -> list[Job | Malformed]:
    raw = content.encode() if isinstance(content, str) else content
    return list(Source(provider, params or {}, columns or {}).read(BytesIO(raw)))


def problem(content: bytes | str, provider: str | None = "pulse") -> str:
    """Return the problem of the last line."""
    last = read(content, provider)[-1]
    assert isinstance(last, Malformed)
    return last.problem


def test_plain_ids_are_one_per_line() -> None:
    assert [Job("pulse", "a"), Job("pulse", "b c")] == read("a\nb c\n")


def test_ndjson_has_provider_id_and_params() -> None:
    lines = [{"provider": "roomy", "job_id": "a", "params": {"room": "1"}}, {"job_id": "b"}]
    content = "\n".join(map(json.dumps, lines))
    assert [Job("roomy", "a", {"room": "1"}), Job("pulse", "b")] == read(content)


def test_json_output_can_be_read_as_jobs() -> None:
    line = {"provider": "pulse", "job_id": "a", "outcome": "unknown", "params": None}
    assert [Job("pulse", "a")] == read(json.dumps(line), None)


def test_csv_columns_are_found_by_name() -> None:
    content = 'room, job_id,provider\n1,"a,b",roomy\n,c,pulse\n,d,\n'
    expected = [Job("roomy", "a,b", {"room": "1"}), Job("pulse", "c"), Job("pulse", "d")]
    assert expected == read(content)


def test_ignored_columns_may_have_the_same_name() -> None:
    assert [Job("pulse", "a")] == read("job_id,note,note,\na,b,c,d\n")


def test_csv_may_have_ids_only() -> None:
    assert [Job("pulse", "a")] == read("job_id\na\n")


def test_default_params_apply_to_lines_without_them() -> None:
    content = "job_id,room\na,1\nb,\n"
    expected = [Job("roomy", "a", {"room": "1"}), Job("roomy", "b", {"room": "9"})]
    assert expected == read(content, "roomy", {"room": "9"})


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa\r\n\r\n  b\r\n", b"\n \t\na\nb"])
def test_byte_order_marks_line_ends_and_blank_lines_are_ignored(content: bytes) -> None:
    assert [Job("pulse", "a"), Job("pulse", "b")] == read(content)


def test_lines_are_numbered_as_an_editor_does() -> None:
    content = '\n{"job_id": "a"}\n\n{]\n'
    assert [Job("pulse", "a"), Malformed(4, problem(content))] == read(content)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_empty_file_has_no_jobs(content: bytes) -> None:
    assert [] == read(content, None)


@pytest.mark.parametrize("provider", [None, "pulse"])
def test_csv_without_ids_is_not_plain_ids(provider: str | None) -> None:
    message = "the first line has no column 'job_id': 'id,provider'; name the column of the job IDs"
    with pytest.raises(ConfigurationError, match=message):
        read("id,provider\nx,pulse\n", provider)


def test_other_json_fields_are_ignored() -> None:
    line = {"provider": "pulse", "job_id": "a", "user": 7, "parameters": None}
    assert [Job("pulse", "a")] == read(json.dumps(line), None)


def test_plain_ids_without_provider_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="pass PROVIDER"):
        read("a\nb\n", None)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\n\xff\n", "not UTF-8: invalid start byte"),
        ('{"job_id": "a"}\n[1]', "not a JSON object"),
        ('{"job_id": "a"}\n{"job_id"}', "not JSON: Expecting ':' delimiter, at column 10"),
        ('{"a":' + "[" * 100_000, "JSON with too deep nesting or too long a number"),
        ('{"a": ' + "9" * 5000 + "}", "JSON with too deep nesting or too long a number"),
        ("{}", "no value for 'job_id'"),
        ('{"job_id": ""}', "no value for 'job_id'"),
        ('{"jobid": "a"}', "no field 'jobid'; did you mean 'job_id'?"),
        ('{"job_id": "a", "param": {}}', "no field 'param'; did you mean 'params'?"),
        ('{"job_id": 7}', "job_id must be a string, not 7; pass the vendor's id as text"),
        ('{"job_id": "a", "provider": []}', "provider must be a string such as 'pulse', not []"),
        ('{"job_id": "a", "params": [1]}', "params must map strings to strings, not [1]"),
        ('{"job_id": "a", "params": {"b": "c"}}', "'pulse' has no param 'b'; it has none"),
        ('{"job_id": "a", "provider": "roomy"}', "'roomy' needs the param 'room': the id of the"),
        ('{"job_id": "a", "provider": "plse"}', "no provider 'plse'; did you mean 'pulse'?"),
        ('job_id\n"a', "not CSV: unexpected end of data"),
        ("provider,job_id\npulse,a,b", "3 cells where the header has 2"),
        ("provider,job_id\npulse", "1 cell where the header has 2"),
        ("provider,job_id\npulse,", "no value for 'job_id'"),
        ("job_id,job_id\na,b", "the header names a column twice: job_id"),
        ("a" * LONG, "longer than 1,048,576 bytes"),
        (" " * LONG + "a\n", "longer than 1,048,576 bytes"),
    ],
)
def test_malformed_line_is_reported(content: bytes | str, expected: str) -> None:
    assert problem(content).startswith(expected)


@pytest.mark.parametrize("content", ['{"job_id": "a"}', "job_id,provider\na,"])
def test_line_without_provider_is_reported(content: str) -> None:
    expected = "no provider; name it on the line, or pass PROVIDER for all"
    assert expected == problem(content, None)


def test_unclosed_quote_ends_with_its_line() -> None:
    found = read('job_id\n"a\nb\n')
    assert [Malformed(2, "not CSV: unexpected end of data"), Job("pulse", "b")] == found


def test_too_long_line_does_not_hide_the_next() -> None:
    found = read("a" * (3 * LONG) + "\nb\n")
    assert [Malformed(1, "longer than 1,048,576 bytes"), Job("pulse", "b")] == found


def test_longest_line_is_read() -> None:
    assert [Job("pulse", "a" * (LONG - 1)), Job("pulse", "b")] == read("a" * (LONG - 1) + "\nb\n")


def test_lines_are_read_one_at_a_time() -> None:
    file = BytesIO(b"a\nb\nc\n")
    assert Job("pulse", "a") == next(Source("pulse").read(file))
    assert file.tell() == 2


WHOLE = [b'{"provider": "pulse", "job_id": "a"}', b"provider,job_id\n", b"job_id\n"]
PARTS = [b"\n", b"\r\n", b"\xef\xbb\xbf", b"job_id", b",", b'"', b"{", b"pulse", b"\xff", b"\x00"]
PIECES = st.sampled_from([*WHOLE, *PARTS, b" ", b"a", b"}"])


@given(st.binary(max_size=200) | st.lists(PIECES, max_size=30).map(b"".join))
@example(b"job_id\n\n")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_any_bytes_are_jobs_or_problems(content: bytes) -> None:
    lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    try:
        found = read(content)
    except ConfigurationError:  # the first line looks like the header of a CSV without ids
        assert any(delimiter in lines[0] for delimiter in (b",", b";", b"\t"))
        return
    header = len(lines) - len(found)
    assert header == 0 or (header == 1 and b"job_id" in lines[0])
    numbers = [each.line for each in found if isinstance(each, Malformed)]
    assert sorted(set(numbers)) == numbers
