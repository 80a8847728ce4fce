"""`jobcancel new-adapter`: writes a project with an adapter for your own vendor."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from jobcancel import ConfigurationError
from jobcancel.registry import BUILT_IN

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST_NAME = 40


def write(name: str, into: Path) -> list[Path]:
    """Write the project and return its files.

    Args:
        name: the provider's name.
        into: the parent of the project's directory.

    Raises:
        ConfigurationError: the name is invalid, or the directory exists.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigurationError(
            f"{name!r} is not a valid provider name; use lower-case words separated by dashes, "
            "such as 'acme-batch'"
        )
    if name in BUILT_IN:
        raise ConfigurationError(f"{name!r} is built in; a plug-in cannot replace it")
    project = into / f"jobcancel-{name}"
    module = f"jobcancel_{name.replace('-', '_')}"
    words = name.split("-")
    values = {
        "name": name,
        "module": module,
        "constant": "_".join(words).upper(),
        "prefix": "_".join(words).upper(),
        "camel": "".join(map(str.capitalize, words)),
        "title": " ".join(map(str.capitalize, words)),
    }
    paths = {
        "pyproject.toml": project / "pyproject.toml",
        "README.md": project / "README.md",
        "adapter.py": project / f"{module}.py",
        "test_adapter.py": project / "tests" / f"test_{module.removeprefix('jobcancel_')}.py",
    }
    try:
        project.mkdir(parents=True)
        (project / "tests").mkdir()
        for template, path in paths.items():
            text = (files("jobcancel.cli.new_adapter") / f"{template}.txt").read_text("utf-8")
            path.write_text(Template(text).substitute(values), "utf-8")
    except FileExistsError:
        raise ConfigurationError(f"{project} already exists; nothing was written") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {error.filename}: {error.strerror}") from None
    return list(paths.values())
