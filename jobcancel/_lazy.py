"""Lazy imports: of modules, and of the public names of a package (PEP 562).

pytest loads the plug-in into every test run of every environment that has jobcancel. Test runs
that do not use it should not pay for importing an HTTP library.

A signal handler may cancel a job at any moment, even while the main thread is importing a module.
The handler would get that module partially initialized, because Python does not block a thread on
its own imports. Lazy imports therefore run in another thread. Handlers run in the main thread,
which only waits for the import; a handler that needs the same module waits as well.
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

# Seconds. A handler may interrupt one of the application's own imports and wait for it in vain.
_PATIENCE = 10.0

_loaded: dict[str, Any] = {}


def load(name: str) -> Any:  # noqa: ANN401 - a module
    """Import a module so that no signal handler gets it partially initialized.

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
    """Return the `__getattr__` and the `__dir__` of a package with lazily imported names.

    Args:
        package: the package's name.
        modules: public name -> the module of the package that defines it.
    """
    namespace = sys.modules[package].__dict__

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = namespace[name] = getattr(load(f"{package}.{modules[name]}"), name)
        return value

    return get, lambda: sorted({*namespace, *modules})
