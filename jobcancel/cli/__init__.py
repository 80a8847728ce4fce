"""The command line's way in and out: what is not installed, and what is wrong, in one line.

It imports with the core dependencies alone. The commands are in `app`.
"""

from __future__ import annotations

import io
import sys

from jobcancel.cli.extras import require
from jobcancel.cli.words import complain
from jobcancel.errors import JobCancelError

_USAGE, _INTERRUPTED = 2, 130
"""Exit statuses: as for a usage error, and as shells have it for SIGINT (128 + 2)."""


def main() -> None:
    """Run the command line on `sys.argv`; it ends with `SystemExit`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a vendor says may not be in the terminal's encoding, and must not stop us.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        require("cli", "the command line")
        from jobcancel.cli.app import app

        app(prog_name="jobcancel")
    except JobCancelError as error:
        complain(str(error))
        sys.exit(_USAGE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
