"""Routes: path segments, placeholders of every kind, queries and bodies."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel import ConfigurationError
from jobcancel.adapter.routes import (
    Placeholder,
    Route,
    parse,
    refuse,
    refuse_segment,
    segment,
)


@pytest.mark.parametrize(
    ("path", "values", "target"),
    [
        ("/v1/jobs/{id}/cancel", {"id": "a b/ü:1"}, "/v1/jobs/a%20b%2F%C3%BC%3A1/cancel"),
        ("/v2/batches/{id}:cancel", {"id": "x:y"}, "/v2/batches/x%3Ay:cancel"),
        ("/v2/{endpoint}/cancel/{id}", {"id": "1", "endpoint": "e/f"}, "/v2/e%2Ff/cancel/1"),
        (
            "/{app:path}/requests/{id}",
            {"id": "1", "app": "fal-ai/fl ux"},
            "/fal-ai/fl%20ux/requests/1",
        ),
        ("/runs/{id:int}", {"id": "007"}, "/runs/007"),
    ],
)
def test_a_path_is_filled(path: str, values: dict[str, str], target: str) -> None:
    assert target == Route("POST", path).target(values)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_id_stays_one_path_segment(job_id: str) -> None:
    target = Route("POST", "/jobs/{id}/cancel").target({"id": job_id})
    head, segment, tail = target.rsplit("/", 2)
    assert ("/jobs", job_id, "cancel") == (head, unquote(segment), tail)
    assert target == urlsplit(f"http://x{target}").path


def test_a_query_field_whose_param_is_missing_is_omitted() -> None:
    route = Route("GET", "/{id}", query={"run_id": "{id}", "project": "p-{project}", "v": "a b"})
    assert "/1?run_id=1&v=a%20b" == route.target({"id": "1"})
    assert "/1?run_id=1&project=p-%26&v=a%20b" == route.target({"id": "1", "project": "&"})
    assert "/1" == Route("GET", "/{id}", query={"p": "{p}"}).target({"id": "1"})


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (None, None),
        ({}, b"{}"),
        ({"run_id": "{id:int}", "why": "job {id}"}, b'{"run_id": 7, "why": "job 7"}'),
    ],
)
def test_a_body_is_filled(body: dict[str, str] | None, content: bytes | None) -> None:
    assert content == Route("POST", "/cancel", body=body).content({"id": "7"})


@pytest.mark.parametrize(
    "template", ["/job/{id", "/job/id}", "/{{id}}", "{}", "{Id}", "{id:float}"]
)
def test_an_invalid_placeholder_is_rejected(template: str) -> None:
    with pytest.raises(ConfigurationError, match=r"not a placeholder|brace"):
        Route("DELETE", "/{id}", query={"x": template})


def test_a_template_is_parsed_into_text_and_placeholders() -> None:
    assert ("/", Placeholder("app", "path"), ":x") == parse("/{app:path}:x")
    assert () == parse("")


@pytest.mark.parametrize(
    ("value", "kinds", "problem"),
    [
        ("1", ["int"], None),
        ("1" * 21, ["int"], "is not a whole number"),
        ("-1", ["int"], "is not a whole number"),
        ("\u0661", ["int"], "is not a whole number"),
        ("a/b", ["path"], None),
        ("a/../b", ["path"], "would change the path"),
        ("a//b", ["path"], "is empty"),
        ("a/b", ["segment"], None),
        ("", [], "is empty"),
        ("org_7", ["header"], None),
        ("a b", ["header"], "characters that are not allowed in a header"),
        ("a\r\nb: c", ["header"], "contains a control character"),
        ("", ["header"], "is empty"),
        ("\u00fc", ["header", "segment"], "characters that are not allowed in a header"),
    ],
)
def test_a_value_is_checked_against_the_kind_of_its_placeholder(
    value: str, kinds: list[str], problem: str | None
) -> None:
    refused = refuse("job id", value, kinds)
    assert (problem is None) is (refused is None)
    assert (problem or "") in (refused or "")


@given(st.text(alphabet=st.characters()))
def test_any_accepted_text_is_one_path_segment_that_decodes_to_itself(text: str) -> None:
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
        ("a\nb", "contains a control character"),
        ("a\x00b", "contains a control character"),
        ("a\x7f", "contains a control character"),
        ("a\x85b", "contains a control character"),
        ("\ud800", "lone surrogate"),
        ("x" * 7001, "is too long for a URL (7001 characters)"),
    ],
)
def test_an_invalid_path_segment_is_rejected_with_a_reason(text: str, problem: str) -> None:
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
