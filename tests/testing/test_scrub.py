"""Private values are removed from recordings, in every encoding."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jobcancel.testing.cassette.scrub import Scrubber
from tests.test_patterns import MOST_GROWTH, growth
from tests.test_spellings import KEY, SPELLED

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = 'sk/"é😀\\'


def scrubber(*values: str) -> Scrubber:
    return Scrubber({v: f"<{n}>" for n, v in enumerate(values)}, {v: v for v in values})


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        json.dumps(SECRET)[1:-1].upper().replace("SK", "sk").replace("\\U", "\\u"),
        json.dumps(json.dumps(SECRET))[3:-3],
        json.dumps(json.dumps(json.dumps(SECRET)))[7:-7],
        quote(SECRET, safe=""),
        quote(SECRET, safe="/").lower(),
        "".join(f"\\u{ord(each):04x}" for each in "sk/") + json.dumps(SECRET[3:])[1:-1],
    ],
)
def test_a_value_is_found_in_every_form(written: str) -> None:
    scrub = scrubber(SECRET)
    assert "a<0>b<0>" == scrub.text(f"a{written}b{written}")
    assert {SECRET: 2} == scrub.counts


@given(st.text(min_size=6), st.integers(0, 3))
def test_a_value_is_found_in_json_within_json(value: str, depth: int) -> None:
    # The last backslash of a value is ambiguous: it may belong to the quote.
    assume(not value.endswith("\\"))
    text = value
    for _ in range(depth):
        text = json.dumps({"x": text})
    text = scrubber(value).text(text)
    for _ in range(depth):
        text = json.loads(text)["x"]
    assert "<0>" == text


def test_longer_value_is_found_first() -> None:
    assert "<1> <0>" == scrubber("abc", "abcdef").text("abcdef abc")


def test_placeholder_is_written_unchanged() -> None:
    assert r"\1\g" == Scrubber({"a": r"\1\g"}, {"a": "a"}).text("a")


def test_binary_bytes_are_kept() -> None:
    assert b"\xff<0>\xfe" == scrubber("key").content(b"\xffkey\xfe")


@pytest.mark.parametrize(
    "name",
    [
        "Cookie", "Set-Cookie", "openai-organization", "openai-project", "x-account-id", "cf-ray",
        "x-amz-security-token", "x-org-id", "x-goog-user-project", "cf-connecting-ip", "via",
        "x-forwarded-for", "x_tenant_id", "anthropic-organization-id", "x-csrf-token",
        "user-agent", "etag", "x-whatever-a-vendor-thinks-of", "x-served-by", "report-to", "server",
        "location", "x-ratelimit-account-name-of-the-user", "ratelimits", "x-customer-ratelimit-x",
    ],
)  # fmt: skip
def test_identifying_headers_are_left_out(name: str) -> None:
    scrub = scrubber()
    assert {} == scrub.headers({name: ["a", "b"]})
    assert {f"the header {name.lower()!r}": 2} == scrub.counts


@pytest.mark.parametrize(
    "name",
    [
        "retry-after", "Retry-After-Ms", "x-ratelimit-remaining-tokens", "date", "Content-Type",
        "x-ratelimit-limit-project", "x-ratelimit-limit-requests", "ratelimit-reset", "ratelimit",
        "anthropic-ratelimit-requests-reset", "content-length", "x-should-retry", "accept",
    ],
)  # fmt: skip
def test_headers_that_adapters_read_are_kept(name: str) -> None:
    scrub = scrubber()
    assert {name: ["a"]} == scrub.headers({name: ["a"]})
    assert {} == scrub.counts


def test_headers_that_an_adapter_declares_are_kept() -> None:
    scrub = Scrubber({}, {}, kept=frozenset({"anthropic-version"}))
    assert {"Anthropic-Version": ["1"]} == scrub.headers({"Anthropic-Version": ["1"], "x": ["2"]})


@pytest.mark.parametrize(
    ("value", "scrubbed"),
    [
        ("sk-1", "<api-key>"),
        ("Bearer sk-1", "Bearer <api-key>"),
        ("Bearer sk-1, Basic YQ==", None),
        ("Signature keyId=1 sig=2 sk-1", None),
        ("Basic YQ==", None),
    ],
)
def test_only_the_scheme_of_a_credential_is_kept(value: str, scrubbed: str | None) -> None:
    scrub = Scrubber({"sk-1": "<api-key>"}, {"sk-1": "the API key"})
    left = {} if scrubbed is None else {"authorization": [scrubbed]}
    assert left == scrub.headers({"authorization": [value]})


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("GZIP ", gzip.compress), ("x-gzip", gzip.compress),
     ("deflate", zlib.compress)],
)  # fmt: skip
def test_a_compressed_body_is_stored_plain(encoding: str, compress: type) -> None:
    headers = {"Content-Encoding": [encoding], "content-length": ["99"], "date": ["x"]}
    replied = scrubber("key").reply(headers, compress(b'{"a": "a key"}'))
    assert ({"content-length": ["14"], "date": ["x"]}, b'{"a": "a <0>"}') == replied


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"key"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"key", mtime=0), mtime=0)),
        ("gzip", b"key"),
        ("gzip", gzip.compress(b"key", mtime=0)[:-3]),
        ("gzip", gzip.compress(b"", mtime=0) + b"key"),
        ("gzip", gzip.compress(bytes(17 * 2**20), mtime=0)),
    ],
)
def test_body_that_cannot_be_decompressed_is_left_out(encoding: str, body: bytes) -> None:
    scrub = scrubber("key")
    headers = {"content-encoding": [encoding], "content-length": ["3"]}
    assert ({**headers, "content-length": ["0"]}, b"") == scrub.reply(headers, body)
    assert {"a body that cannot be decompressed": 1} == scrub.counts


def test_reply_without_length_gets_none() -> None:
    assert ({"date": ["x"]}, b"<0>") == scrubber("key").reply({"date": ["x"]}, b"key")


def test_repr_of_scrubber_has_no_values() -> None:
    assert "Scrubber(counts=Counter())" == repr(scrubber("key"))


@pytest.mark.parametrize("spell", SPELLED.values(), ids=SPELLED)
def test_a_value_is_found_in_every_spelling(spell: Callable[[str], str]) -> None:
    assert "x <0> y" == scrubber(KEY).text(f"x {spell(KEY)} y")


@pytest.mark.parametrize("value", [KEY, "a\\b", "\\\\\\\\", '"\\"', "\n\t", "\\u0041", "/"])
def test_backslashes_take_no_more_time_than_other_bytes(value: str) -> None:
    scrub = scrubber(value)
    for pump in ("\\", "\\u", "\\u00", "\\x", '\\"', "%", "&#", "a\\", "\\\\n"):
        assert MOST_GROWTH > growth(scrub.text, pump * 10, "", "!")
