"""How long a new process takes to import a package, including the start of Python."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from benchmarks.measure import Row, compared, in_turn, timed

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS = 15
_PATIENCE = 60.0
# httpx imports these if they are installed, which takes longer than httpx itself. Neither httpx
# nor jobcancel installs them, so they are hidden here.
_ABSENT = ("trio", "click", "rich", "pygments")
_HIDE = f"import sys; sys.modules.update(dict.fromkeys({_ABSENT!r})); "
_CODE = {
    "import httpx": "import httpx",
    "from jobcancel import cancel": "from jobcancel import cancel",
    "import jobcancel": "import jobcancel",
    "import pulse; pulse.Pulse": "import pulse; pulse.Pulse",
    "nothing (Python alone)": "",
}


def imports(rounds: int | None) -> list[Row]:
    """Compare imports; the bytecode is kept, as for an installed package."""
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def run(code: str) -> Callable[[], float]:
            command = [sys.executable, "-c", _HIDE + code]

            def start() -> None:
                subprocess.run(command, env=environment, check=True, timeout=_PATIENCE)  # noqa: S603 - ours

            return lambda: timed(start)

        contestants = {name: run(code) for name, code in _CODE.items()}
        in_turn(contestants, 1)  # compile
        times = in_turn(contestants, rounds or _ROUNDS)
    return compared("import", times, unit="ms", scale=1e3)
