"""The shape of the package: its names, its layers, what it imports and when."""

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

# Lower layers come later; a module imports only what stands below it.
LAYERS = [
    {"__init__"},
    {"__main__"},
    {"cli"},
    {"testing"},
    {"shared"},
    {"client"},
    {"many"},
    {"background"},
    {"bulk"},
    {"items"},
    {"traffic"},
    {"shares"},
    {"lane"},
    {"pace"},
    {"prepare"},
    {"config"},
    {"registry"},
    {"drive"},
    {"transport"},
    {"backend"},
    {"over_aiohttp"},
    {"address"},
    {"http"},
    {"log"},
    {"flow"},
    {"reading"},
    {"steps"},
    {"call"},
    {"received"},
    {"providers"},
    {"retry"},
    {"declaration"},
    {"tables"},
    {"replies"},
    {"convert"},
    {"said"},
    {"adapter"},
    {"routes"},
    {"paths"},
    {"asked"},
    {"secret"},
    {"spellings"},
    {"bodies"},
    {"sandbox"},
    {"models"},
    {"errors"},
    {"lazy"},
    {"threads"},
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


def loaded_by(statement: str) -> set[str]:
    """The modules that are loaded after a statement in a fresh interpreter."""
    return set(
        subprocess.run(
            [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )


def test_importing_the_package_loads_nothing_but_the_names_of_its_names() -> None:
    ours = {name for name in loaded_by("import jobcancel") if name.startswith("jobcancel")}
    names = ("_version", "lazy", "providers", "threads")
    light = {"jobcancel", *(f"jobcancel.{name}" for name in names)}
    assert light == ours


def test_a_test_run_that_does_not_use_the_plug_in_loads_no_library_for_it() -> None:
    libraries = {"httpx", "attr", "attrs", "cattrs", "structlog", "anyio", "starlette", "vcr"}
    loaded = loaded_by("import jobcancel.testing.plugin") - loaded_by("import pytest")
    assert set() == libraries & loaded
    assert {"jobcancel.testing", "jobcancel.testing.plugin"} <= loaded


def test_a_cancel_leaves_slow_modules_for_later() -> None:
    later = {
        "asyncio", "cattrs", "structlog", "typer", "starlette", "uvicorn", "pytest", "vcr",
        "jobcancel.providers.pulse", "jobcancel.providers.talonic", "jobcancel.convert",
    }  # fmt: skip
    assert set() == later & loaded_by("from jobcancel import cancel")


@pytest.mark.parametrize(
    "statements",
    [
        "from jobcancel import cancel; assert cancel is jobcancel.cancel",
        "import jobcancel.drive; assert jobcancel.drive.run",
        "from jobcancel import many; assert many.CancelResults",
        "import jobcancel.providers.pulse; assert jobcancel.providers() and jobcancel.get_adapter",
        "from jobcancel import *; assert providers()",
        "assert set(jobcancel.__all__) <= set(dir(jobcancel)); assert not hasattr(jobcancel, 'x')",
        "assert jobcancel.providers is jobcancel.providers; assert callable(jobcancel.providers)",
    ],
)
def test_names_come_when_they_are_asked_for(statements: str) -> None:
    assert "jobcancel" in loaded_by(f"import jobcancel; {statements}")


def test_the_names_of_the_testing_kit_are_there() -> None:
    assert sorted(testing.__all__) == testing.__all__
    assert all(hasattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError, match=r"'jobcancel.testing' has no attribute 'nothing'"):
        _ = testing.nothing  # type: ignore[attr-defined]


def test_a_providers_module_is_imported_when_it_is_first_used_and_no_other() -> None:
    code = (
        "import sys; from jobcancel import cancel, get_adapter, providers;"
        "loaded = lambda: sorted(name[20:] for name in sys.modules"
        " if name.startswith('jobcancel.providers.'));"
        "providers(); print(loaded()); get_adapter('fal'); print(loaded())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n['fal']\n" == ran.stdout
