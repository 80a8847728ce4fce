"""The entry point of the command line; it imports with the core dependencies alone.

The commands are in `app`.
"""

from __future__ import annotations

import io
import sys
from importlib import import_module

from jobcancel.cli.streams import complain
from jobcancel.errors import ConfigurationError, JobCancelError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit statuses: some jobs are not stopped, a usage error, and 128 + SIGINT as in shells."""

_EXTRAS = {
    "cli": ("rich", "typer"),
    "sandbox": ("python_multipart", "starlette", "uvicorn"),
    "testing": ("vcr",),
}
"""Extra -> the packages that it installs."""


def main() -> None:
    """Run the command line on `sys.argv`; it ends with `SystemExit`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A vendor's text that the terminal cannot encode must not raise.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        require("cli", "the command line")
        from jobcancel.cli.app import app

        app(prog_name="jobcancel")
    except JobCancelError as error:
        complain(str(error))
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def require(extra: str, what: str) -> None:
    """Check that an extra is installed.

    Args:
        extra: its name, such as `"sandbox"`.
        what: what needs it, for the message.

    Raises:
        ConfigurationError: one of its packages is not installed; the message names the extra to
            install.
        ModuleNotFoundError: one of its packages is installed, but lacks a dependency.
    """
    for name in _EXTRAS[extra]:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ConfigurationError(
                f"{what} needs the extra {extra!r}: pip install 'jobcancel[{extra}]'"
            ) from None
