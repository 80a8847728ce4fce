"""The sdist and the wheel: their contents, and the wheel in a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from jobcancel.testing import cassettes

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("COVERAGE", "PYTHONPATH"))
}


def run(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        env={**CLEAN, **env},
        cwd=tempfile.gettempdir(),  # for Python looks for packages where it is started, first
        capture_output=True,
        text=True,
        check=False,
    )


def build(folder: Path, *options: str) -> Path:
    built = run(uv.find_uv_bin(), "build", *options, "--out-dir", folder, ROOT)
    assert 0 == built.returncode, built.stderr
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel built from it."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


def environment_with(requirement: str, folder: Path) -> Path:
    """Return the interpreter of a new environment with only this requirement."""
    made = run(uv.find_uv_bin(), "venv", "--python", sys.executable, folder / "venv")
    assert 0 == made.returncode, made.stderr
    python = folder / "venv" / "bin" / "python"
    installed = run(uv.find_uv_bin(), "pip", "install", "--python", python, requirement)
    assert 0 == installed.returncode, installed.stderr
    return python


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and its four dependencies."""
    return environment_with(str(wheel), tmp_path_factory.mktemp("environment"))


def files_in(folder: str, packed_as: str) -> set[str]:
    """Return the files of the source tree by their names in the wheel, without caches."""
    root = ROOT / folder
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {f"{packed_as}/{file.as_posix()}" for file in files if "__pycache__" not in file.parts}


def test_the_wheel_contains_the_package_and_recordings_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    package = files_in("jobcancel", "jobcancel")
    recordings = files_in("cassettes", "jobcancel/testing/cassette/recorded")
    assert package | recordings == {name for name in names if ".dist-info/" not in name}
    assert "jobcancel/py.typed" in package


def test_the_sdist_contains_the_listed_files_and_no_caches(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = [Path(name).parts[1:] for name in sdist.getnames()]
    listed = {"jobcancel", "tests", "cassettes", "docs", "conftest.py"}
    listed |= {"README.md", "CHANGELOG.md", "LICENSE"}
    packaging = {"pyproject.toml", "PKG-INFO", ".gitignore"}
    assert listed | packaging == {first for first, *_ in names}
    caches = {"__pycache__", "_build", ".venv", ".pytest_cache", "uv.lock"}
    assert [] == [name for name in names if caches & set(name) or name[-1].endswith(".pyc")]


def test_the_wheel_is_the_same_from_the_sdist_and_the_source_tree(
    wheel: Path, tmp_path: Path
) -> None:
    (again,) = build(tmp_path, "--wheel").glob("*.whl")
    assert (wheel.name, wheel.read_bytes()) == (again.name, again.read_bytes())


def test_the_core_cancels_a_job_with_only_its_four_dependencies(
    python: Path, sandbox: Sandbox
) -> None:
    job_id = sandbox.submit("pulse")
    code = f"from jobcancel import cancel; print(cancel('pulse', {job_id!r}).outcome)"
    done = run(python, "-W", "error", "-c", code, **sandbox.environ)
    assert ("cancelled\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("command", "extra"), [(["--version"], "cli"), (["demo"], "cli"), (["sandbox"], "cli")]
)
def test_a_command_without_its_extra_names_the_extra_to_install(
    python: Path, command: list[str], extra: str
) -> None:
    done = run(python.parent / "jobcancel", *command)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"pip install 'jobcancel[{extra}]'" in done.stderr


def test_an_applications_tests_pass_with_the_wheel_and_no_network(
    wheel: Path, tmp_path: Path
) -> None:
    python = environment_with(f"jobcancel[testing] @ {wheel.as_uri()}", tmp_path)
    application = tmp_path / "application"
    shutil.copytree(Path(__file__).parent / "application", application)
    done = run(python, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", application)
    assert (0, True) == (done.returncode, "4 passed" in done.stdout), done.stdout + done.stderr
    code = "from jobcancel.testing import cassettes; print(__import__('jobcancel').__file__)"
    where, *names = run(python, "-c", f"{code}; print(*cassettes(), sep='\\n')").stdout.splitlines()
    assert (True, list(cassettes())) == (where.startswith(str(tmp_path)), names)
