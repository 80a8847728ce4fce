"""Which packages each extra brings, and what to say when one of them is missing."""

from __future__ import annotations

from importlib import import_module

from jobcancel.errors import ConfigurationError

_BRINGS = {
    "cli": ("rich", "typer"),
    "sandbox": ("python_multipart", "starlette", "uvicorn"),
    "testing": ("vcr",),
}


def require(extra: str, what: str) -> None:
    """Import what an extra brings.

    Args:
        extra: its name, such as `"sandbox"`.
        what: what needs it, for the message.

    Raises:
        ConfigurationError: one of its packages is not installed; the message says which extra
            to install. That a package lacks something of its own is another matter, and
            surfaces.
    """
    for name in _BRINGS[extra]:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ConfigurationError(
                f"{what} needs the extra {extra!r}: pip install 'jobcancel[{extra}]'"
            ) from None
