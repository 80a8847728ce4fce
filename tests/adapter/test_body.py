"""Vendors' bodies, whatever their shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel.adapter.body import Fields

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


def test_numbers_are_codes_and_ids_but_never_states_or_messages() -> None:
    fields = {"state": 404, "message": 1, "code": 404, "request_id": 7, "job_id": 12}
    assert Fields(code="404", request_id="7", job_id="12") == Fields(**fields)


@pytest.mark.parametrize(
    ("told", "seconds"),
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
def test_a_wait_is_a_number_or_a_duration_in_seconds(told: object, seconds: float | None) -> None:
    assert seconds == Fields(retry_after=told).retry_after


def test_counts_are_whole_numbers_from_zero() -> None:
    read = Fields(done=0, total=-1)
    assert (0, None) == (read.done, read.total)
    assert Fields() == Fields(done=True, total=1.5)
