"""Cancels the jobs of a caller that dies: by an exception, a signal, an exit or a kill.

The package itself is callable: `from jobcancel import guard` and `import jobcancel.guard` both
give what is called as `guard("pulse", job_id)`. START HERE: `block` has the context manager.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from jobcancel._lazy import lazily

if TYPE_CHECKING:
    from jobcancel.guard.block import Guard
    from jobcancel.guard.block import Guard as guard  # noqa: N813 - it is called
    from jobcancel.guard.process import install
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "Guard": "block",
            "install": "process",
        },
    )

    class _Guard(ModuleType):
        """The package, which makes a `Guard` when it is called."""

        def __call__(self, *args: object, **settings: object) -> Guard:
            return self.Guard(*args, **settings)

    # Python binds a package as an attribute of its parent whenever it is first imported, so a
    # function of the same name would be replaced by it.
    guard = sys.modules[__name__]
    guard.__class__ = _Guard

__all__ = ["Guard", "guard", "install"]
