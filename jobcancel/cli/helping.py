"""How commands show their help: what an option takes is named, and no Python types are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's click is not public
        """Return the arguments and options."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """The program, whose commands are in it."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - likewise
        """Return the options that come before the command."""
        return _without_types(super().get_params(ctx))


def _without_types(params: Iterable[Any]) -> list[Any]:
    shown = [*params]
    for each in shown:
        if each.param_type_name == "argument":
            # The name of an argument says what it is; its type cannot be given in words.
            vars(each)["display_type_rich"] = lambda **_: None
        elif each.is_flag and each.metavar is None:
            each.metavar = ""
    return shown
