"""Generated parts of documentation pages, between two marks."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def _marks(name: str) -> tuple[str, str]:
    return f"% {name}: generated\n\n", f"\n% {name}: end\n"


def _part(page: str, name: str) -> re.Match[str]:
    begin, end = _marks(name)
    found = re.search(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", page, re.DOTALL)
    assert found is not None, f"the page has no part {name!r}"
    return found


def generated(page: str, name: str) -> str:
    """Return the generated part called `name`."""
    return _part(page, name)[0]


def with_generated(page: str, name: str, text: str) -> str:
    """Return the page with its generated part called `name` replaced."""
    part = _part(page, name)
    return page[: part.start()] + text + page[part.end() :]
