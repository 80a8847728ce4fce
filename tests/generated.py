"""Generates parts of the documentation from the code.

`python -m tests.generated` rewrites them; `test_docs` checks them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from jobcancel import errors
from jobcancel.cli.app import app
from tests.guard import deaths
from tests.pages import DOCS, with_generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def error_tree() -> str:
    """Return the tree of the errors from the docstring of their module."""
    _, _, tree = (errors.__doc__ or "").partition("\n\n")
    return f"```text\n{tree.strip()}\n```\n"


def options() -> str:
    """Return tables of the options of every command."""
    command: Any = get_command(app)
    return "\n".join(_table(name, each) for name, each in command.commands.items())


def _table(name: str, command: Any) -> str:
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows(command))
    about, _, _ = command.help.partition("\n")
    return f"### jobcancel {name}\n\n{about}\n{_HEAD if rows else ''}{rows}"


_HEAD = "\n| | what it is | default |\n|---|---|---|\n"


def _rows(command: Any) -> Iterator[tuple[str, str, str]]:
    for each in command.params:
        if each.hidden:
            continue
        is_named = each.param_type_name == "option"
        words = [each.opts[0]] if is_named else []
        if not (is_named and each.is_flag):
            words.append(each.metavar or each.opts[0].lstrip("-").upper())
        default = "" if each.default in {None, False} else f"{each.default}".removesuffix(".0")
        # Outside code, two hyphens become a dash.
        about = re.sub(r"(?<!\S)--[\w-]+", r"`\g<0>`", each.help)
        yield f"`{' '.join(words)}`", about, default


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("cli.md", "options"): options,
    ("errors.md", "errors"): error_tree,
    ("guard.md", "deaths"): deaths.tables,
}
"""Page and part -> what makes it."""


def main() -> None:
    """Rewrite every part."""
    for (page, name), make in PARTS.items():
        path = DOCS / page
        path.write_text(with_generated(path.read_text(), name, make()))


if __name__ == "__main__":
    main()
