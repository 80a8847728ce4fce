"""Names of a package that are imported when they are first asked for (PEP 562).

The pytest plug-in is loaded into every test run of every environment that has jobcancel; whoever
does not use it should not wait for an HTTP library.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazily(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package whose names come when asked for.

    Args:
        package: its name.
        modules: public name -> the module of the package that has it.
    """
    space = sys.modules[package].__dict__

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = space[name] = getattr(import_module(f"{package}.{modules[name]}"), name)
        return value

    return get, lambda: sorted({*space, *modules})
