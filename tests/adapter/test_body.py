"""JSON bodies: parsed within limits, and fields picked and typed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel.adapter.body import Fields, pick
from tests.hand import reply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = [
    "state", "message", "code", "request_id", "job_id", "retry_after", "done",
    "total",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_fields_of_any_type_are_read_without_raising(fields: dict[str, Any]) -> None:
    read = Fields(**fields)
    assert all(isinstance(value, str) for value in (read.state, read.code) if value is not None)


def test_fields_of_the_wrong_type_count_as_missing() -> None:
    wrong = {name: [1] for name in FIELDS}
    assert Fields() == Fields(**wrong)


def test_numbers_are_valid_codes_and_ids_but_not_states_or_messages() -> None:
    fields = {"state": 404, "message": 1, "code": 404, "request_id": 7, "job_id": 12}
    assert Fields(code="404", request_id="7", job_id="12") == Fields(**fields)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (1.5, 1.5),
        ("1.5s", 1.5),
        ("Your rate limit resets in ~30s.", 30.0),
        ("in 2s, or 5s", 2.0),
        ("30", None),
        ("a30s", None),
        ("30sec", None),
        (-1, None),
        (True, None),
    ],
)
def test_a_wait_is_a_number_or_a_duration_in_seconds(wait: object, seconds: float | None) -> None:
    assert seconds == Fields(retry_after=wait).retry_after


def test_counts_are_whole_numbers_from_zero() -> None:
    read = Fields(done=0, total=-1)
    assert (0, None) == (read.done, read.total)
    assert Fields() == Fields(done=True, total=1.5)


def test_pick_returns_the_first_path_that_has_a_value() -> None:
    body = {"error": {"message": "no"}, "message": None, "text": "yes", "list": [1]}
    assert "no" == pick(body, ["message", "error.message", "text"])
    assert pick(body, ["error.message.more", "list.0", "nothing"]) is None


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 65 + b"[]" + b"}" * 65, b'{"a": NaN}', b'{"a": -Infinity}'],
)
def test_deeply_nested_or_invalid_json_is_not_parsed(body: bytes) -> None:
    assert reply(200, body).body is None


def test_moderately_nested_json_is_parsed() -> None:
    assert reply(200, b'{"a":' * 60 + b"[]" + b"}" * 60).body is not None
