"""The generated parts of the documentation are what the code says today."""

from __future__ import annotations

import runpy

from tests.pages import DOCS


def test_the_drawing_of_the_steps_is_current() -> None:
    draw = runpy.run_path(str(DOCS / "draw_steps.py"))
    assert draw["drawing"]() == (DOCS / "steps.svg").read_text()
