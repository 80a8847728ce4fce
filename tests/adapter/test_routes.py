"""Where requests go: placeholders of every kind, queries, bodies."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel import ConfigurationError
from jobcancel.adapter.routes import Placeholder, Route, parse, refuse


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
def test_whatever_an_id_is_it_stays_one_segment(job_id: str) -> None:
    target = Route("POST", "/jobs/{id}/cancel").target({"id": job_id})
    head, segment, tail = target.rsplit("/", 2)
    assert ("/jobs", job_id, "cancel") == (head, unquote(segment), tail)
    assert target == urlsplit(f"http://x{target}").path


def test_a_query_field_whose_param_is_left_out_is_left_out() -> None:
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
def test_what_is_no_placeholder_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no placeholder|brace"):
        Route("DELETE", "/{id}", query={"x": template})


def test_a_template_is_text_and_placeholders() -> None:
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
        ("a b", ["header"], "characters that no header can have"),
        ("a\r\nb: c", ["header"], "has a control character"),
        ("", ["header"], "is empty"),
        ("\u00fc", ["header", "segment"], "characters that no header can have"),
    ],
)
def test_a_value_is_refused_by_the_kind_of_its_place(
    value: str, kinds: list[str], problem: str | None
) -> None:
    refused = refuse("job id", value, kinds)
    assert (problem is None) is (refused is None)
    assert (problem or "") in (refused or "")
