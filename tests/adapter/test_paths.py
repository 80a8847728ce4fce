"""Ids into URLs, and fields out of bodies."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel.adapter.body import pick
from jobcancel.adapter.routes import refuse_segment, segment


@given(st.text(alphabet=st.characters()))
def test_any_text_is_one_path_segment_that_decodes_to_itself_or_is_refused(text: str) -> None:
    if refuse_segment("job id", text) is None:
        url = httpx.URL(f"https://vendor.example/prefix/job/{segment(text)}")
        assert ["", "prefix", "job", text] == [
            unquote(part) for part in url.raw_path.decode().split("/")
        ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" \t", "is blank"),
        ("\u2003", "is blank"),
        (".", "is '.', which would change the path"),
        ("..", "is '..', which would change the path"),
        ("a\nb", "has a control character"),
        ("a\x00b", "has a control character"),
        ("a\x7f", "has a control character"),
        ("a\x85b", "has a control character"),
        ("\ud800", "lone surrogate"),
        ("x" * 7001, "is too long for a URL (7001 characters)"),
    ],
)
def test_what_cannot_be_a_path_segment_is_refused_with_the_reason(text: str, problem: str) -> None:
    refusal = refuse_segment("job id", text)
    assert refusal is not None
    assert problem in refusal


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("abc123-def456_~.9", "abc123-def456_~.9"),
        ("a/b", "a%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("50%", "50%25"),
        ("%2e%2e", "%252e%252e"),
        ("a b", "a%20b"),
        ("ü", "%C3%BC"),
        ("...", "..."),
        ("../x", "..%2Fx"),
    ],
)
def test_a_segment_is_percent_encoded(text: str, encoded: str) -> None:
    assert (None, encoded) == (refuse_segment("job id", text), segment(text))


def test_pick_takes_the_first_path_that_is_there() -> None:
    body = {"error": {"message": "no"}, "message": None, "text": "yes", "list": [1]}
    assert "no" == pick(body, ["message", "error.message", "text"])
    assert pick(body, ["error.message.more", "list.0", "nothing"]) is None
