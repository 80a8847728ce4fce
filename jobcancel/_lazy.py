"""Modules that are imported late, and names of a package that come when asked for (PEP 562).

The pytest plug-in is loaded into every test run of every environment that has jobcancel; whoever
does not use it should not wait for an HTTP library.

A signal handler may cancel a job at any moment, also while the main thread is in the middle of an
import. It would find that module half made, for Python lets a thread see what it is importing
itself. So whatever is imported late is imported in another thread: handlers run in the main one,
which only waits, and a handler that needs the same module waits as well.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jobcancel.threads import call_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A handler that interrupts an import of the application's own may have to go on without it.
_PATIENCE = 10.0

_loaded: dict[str, Any] = {}


def load(name: str) -> Any:  # noqa: ANN401 - a module
    """Import a module, whole at every moment for signal handlers, too.

    Args:
        name: its full name.
    """
    if name not in _loaded:
        is_main = threading.get_ident() == threading.main_thread().ident
        _loaded[name] = _imported_in_thread(name) if is_main else import_module(name)
    return _loaded[name]


def _imported_in_thread(name: str) -> Any:  # noqa: ANN401 - a module
    with suppress(TimeoutError):
        call_in_thread(lambda: import_module(name), _PATIENCE)
    return import_module(name)


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
        value = space[name] = getattr(load(f"{package}.{modules[name]}"), name)
        return value

    return get, lambda: sorted({*space, *modules})
