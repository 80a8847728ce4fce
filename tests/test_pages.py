"""Replacing the generated parts of a documentation page."""

from __future__ import annotations

import pytest

from tests.pages import generated, with_generated

PAGE = "a - b\n\n% part: generated\n\n-\n% part: end\n\nc - d\n"


def test_only_the_generated_part_is_replaced() -> None:
    page = with_generated(PAGE, "part", "new - text")
    assert "a - b\n\n% part: generated\n\nnew - text\n% part: end\n\nc - d\n" == page
    assert "new - text" == generated(page, "part")


def test_a_missing_part_is_reported() -> None:
    with pytest.raises(AssertionError, match="no part 'other'"):
        generated(PAGE, "other")
