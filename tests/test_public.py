"""The shape of the package: its names, its layers, what it imports and when."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import jobcancel

PACKAGE = Path(jobcancel.__file__).parent

# Lower layers come later; a module imports only what stands below it.
LAYERS = [
    {"__init__"},
    {"__main__"},
    {"cli"},
    {"testing"},
    {"shared"},
    {"client"},
    {"many"},
    {"items"},
    {"bulk"},
    {"lane"},
    {"pace"},
    {"prepare"},
    {"config"},
    {"registry"},
    {"drive"},
    {"transport"},
    {"backend"},
    {"limit"},
    {"over_aiohttp"},
    {"http"},
    {"log"},
    {"flow"},
    {"steps"},
    {"call"},
    {"providers"},
    {"retry"},
    {"declaration"},
    {"tables"},
    {"replies"},
    {"convert"},
    {"adapter"},
    {"routes"},
    {"paths"},
    {"secret"},
    {"sandbox"},
    {"models"},
    {"errors"},
    {"lazy"},
    {"_version"},
]


def layer(module: str) -> int:
    top = module.split(".", maxsplit=1)[0]
    return next(number for number, names in enumerate(LAYERS) if top in names)


def imports(path: Path) -> set[str]:
    """The jobcancel modules that a file imports, at its top or where it first needs them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "jobcancel":
            found |= {alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobcancel."):
            found.add(str(node.module).removeprefix("jobcancel."))
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = layer(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    lazy_from_models = {"convert"} if path.name == "models.py" else set()
    lazy_from_errors = {"models"} if path.name == "errors.py" else set()
    lazy_from_tables = {"declaration"} if path.name == "tables.py" else set()
    above = {
        module
        for module in imports(path) - lazy_from_models - lazy_from_errors - lazy_from_tables
        if layer(module) < own
    }
    assert set() == above


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_module_of_the_core_imports_httpx(path: Path) -> None:
    core = not {"cli", "sandbox", "testing"} & set(path.relative_to(PACKAGE).parts)
    tree = ast.parse(path.read_text())
    top = {
        alias.name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert (path.name == "transport.py") is ("httpx" in top) or not core


def test_the_public_names_are_sorted_and_there() -> None:
    assert sorted(jobcancel.__all__) == jobcancel.__all__
    assert all(hasattr(jobcancel, name) for name in jobcancel.__all__)


def test_the_function_providers_stays_a_function_when_a_provider_is_used() -> None:
    assert "pulse" == jobcancel.get_adapter("pulse").name
    assert {"pulse", "pulse-legacy", "talonic"} < set(jobcancel.providers())


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("jobcancel") == jobcancel.__version__


def test_importing_the_package_leaves_slow_modules_for_later() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import jobcancel, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    later = {
        "asyncio", "cattrs", "structlog", "typer", "starlette", "uvicorn", "pytest", "vcr",
        "jobcancel.providers.pulse", "jobcancel.providers.talonic", "jobcancel.convert",
    }  # fmt: skip
    assert set() == later & set(loaded)
