"""The structure of the package: public names, layers, and what is imported when."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import jobcancel
from jobcancel import testing

PACKAGE = Path(jobcancel.__file__).parent

# The top-level modules and packages. Each imports only those below it.
LAYERS = [
    "__init__",
    "__main__",
    "cli",
    "testing",
    "guard",
    "api",
    "client",
    "bulk",
    "config",
    "registry",
    "transport",
    "log",
    "flow",
    "address",
    "retry",
    "vendors",
    "adapter",
    "convert",
    "keys",
    "secret",
    "spellings",
    "sandbox",
    "models",
    "errors",
    "_lazy",
    "threads",
    "_version",
]
# Imported lazily, or for types only.
EXCEPTIONS = {("models", "convert"), ("errors", "models")}


def imports(path: Path) -> set[str]:
    """Return the top-level modules and packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "jobcancel":
            found |= {alias.name for alias in node.names if alias.name in LAYERS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobcancel."):
            found.add(str(node.module).split(".")[1])
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_the_layers_only(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    above = {
        name
        for name in imports(path) - {own}
        if LAYERS.index(name) < LAYERS.index(own) and (own, name) not in EXCEPTIONS
    }
    assert set() == above


def test_every_module_and_package_has_a_layer() -> None:
    found = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or list(path.glob("*.py"))
    }
    assert sorted(LAYERS) == sorted(found)
    assert len(LAYERS) <= 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_transport_imports_httpx(path: Path) -> None:
    core = not {"cli", "sandbox", "testing"} & set(path.relative_to(PACKAGE).parts)
    tree = ast.parse(path.read_text())
    top = {
        alias.name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert "httpx" not in top or path.parent.name == "transport" or not core


def test_the_public_names_are_sorted_and_exist() -> None:
    assert sorted(jobcancel.__all__) == jobcancel.__all__
    assert all(hasattr(jobcancel, name) for name in jobcancel.__all__)


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("jobcancel") == jobcancel.__version__


def loaded_by(statement: str) -> set[str]:
    """Return the modules that are loaded after a statement in a fresh interpreter."""
    return set(
        subprocess.run(
            [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )


def test_importing_the_package_loads_no_submodule_it_does_not_need() -> None:
    ours = {name for name in loaded_by("import jobcancel") if name.startswith("jobcancel")}
    names = ("_version", "_lazy", "threads")
    light = {"jobcancel", *(f"jobcancel.{name}" for name in names)}
    assert light == ours


def test_an_unused_pytest_plugin_imports_no_library() -> None:
    libraries = {"httpx", "attr", "attrs", "cattrs", "structlog", "anyio", "starlette", "vcr"}
    loaded = loaded_by("import jobcancel.testing.plugin") - loaded_by("import pytest")
    assert set() == libraries & loaded
    assert {"jobcancel.testing", "jobcancel.testing.plugin"} <= loaded


def test_importing_cancel_does_not_import_slow_modules() -> None:
    later = {
        "asyncio", "cattrs", "structlog", "typer", "starlette", "uvicorn", "pytest", "vcr",
        "jobcancel.vendors.pulse", "jobcancel.vendors.talonic", "jobcancel.convert",
    }  # fmt: skip
    assert set() == later & loaded_by("from jobcancel import cancel")


@pytest.mark.parametrize(
    "statements",
    [
        "from jobcancel import cancel; assert cancel is jobcancel.cancel",
        "import jobcancel.transport.pump; assert jobcancel.transport.pump.run",
        "from jobcancel import bulk; assert bulk.CancelResults",
        "import jobcancel.vendors.pulse; assert jobcancel.providers()",
        "from jobcancel import *; assert providers()",
        "assert set(jobcancel.__all__) <= set(dir(jobcancel)); assert not hasattr(jobcancel, 'x')",
    ],
)
def test_public_names_are_imported_on_access(statements: str) -> None:
    assert "jobcancel" in loaded_by(f"import jobcancel; {statements}")


def test_the_names_of_the_testing_kit_exist() -> None:
    assert sorted(testing.__all__) == testing.__all__
    assert all(hasattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError, match=r"'jobcancel.testing' has no attribute 'nothing'"):
        _ = testing.nothing  # type: ignore[attr-defined]


def test_a_vendors_module_is_imported_on_first_use() -> None:
    code = (
        "import sys; from jobcancel import cancel, get_adapter, providers;"
        "loaded = lambda: sorted(name[18:] for name in sys.modules"
        " if name.startswith('jobcancel.vendors.'));"
        "providers(); print(loaded()); get_adapter('fal'); print(loaded())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n['fal']\n" == ran.stdout
