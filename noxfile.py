"""What must hold before a change lands, in parts: `nox --list` shows them, `.ci/run` runs them all.

uv makes an environment for each session. `nox -s tests-3.12 -- tests/flow` passes arguments to
pytest.
"""

from __future__ import annotations

from pathlib import Path

import nox

ROOT = Path(__file__).parent
ORCHESTRATORS = ("airflow", "dagster", "prefect", "temporal")
PYTHONS = nox.project.python_versions(nox.project.load_toml(ROOT / "pyproject.toml"))

DEATHS, PROCESSES = "tests/faults/test_deaths.py", "tests/processes"

nox.needs_version = ">=2026"
nox.options.default_venv_backend = "uv"
nox.options.sessions = [
    "lint",
    "typing",
    "coverage",
    "faults",
    "docs",
    "demo",
    "build",
    "lowest",
    "parity",
]


def install(session: nox.Session, *groups: str, resolution: str = "highest") -> None:
    """Install the library with all extras, and the dependency groups."""
    options = [f"--group={group}" for group in groups]
    session.install(f"--resolution={resolution}", "--editable", ".[all]", *options)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the format, the code, the spelling and the workflows."""
    session.install("--group=lint")
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")
    session.run("codespell")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types, and what a type checker infers for users of the library."""
    install(session, "tests", "typing", "pyright")
    session.run("mypy")
    session.run("pyright", "tests/typing")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the short suite and `tests/processes` under coverage, which must be complete."""
    install(session, "tests", "frameworks")
    session.env["COVERAGE_FILE"] = str(ROOT / ".coverage")
    session.run("coverage", "erase")
    # This variable has coverage start itself in every Python process.
    session.env["COVERAGE_PROCESS_START"] = str(ROOT / "pyproject.toml")
    session.run("pytest")
    session.run("pytest", PROCESSES)
    del session.env["COVERAGE_PROCESS_START"]
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--fail-under=100")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the short suite, `tests/processes` and the deaths on each Python."""
    install(session, "tests", "frameworks")
    session.run("pytest", *session.posargs)
    if not session.posargs:
        session.run("pytest", PROCESSES, DEATHS)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the short suite with the lowest versions of the dependencies."""
    install(session, "tests", "frameworks", resolution="lowest-direct")
    session.run("python", "-m", "tests.lowest")
    session.run("pytest", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Run the long suite: each situation at each provider, many jobs, random runs, deaths."""
    install(session, "tests", "frameworks")
    session.run("pytest", *(session.posargs or ["tests/faults"]))


@nox.session
def parity(session: nox.Session) -> None:
    """Compare the requests with those of the vendors' SDKs."""
    install(session, "tests", "parity")
    session.run("pytest", *(session.posargs or ["tests/parity"]))


@nox.session
@nox.parametrize("name", [nox.param(name, id=name) for name in ORCHESTRATORS])
def orchestrators(session: nox.Session, name: str) -> None:
    """Run the examples on the page about a workflow orchestrator, against its own library."""
    install(session, "tests", name)
    # In one process, which starts Prefect's server once.
    tests = session.posargs or [f"tests/orchestrators/test_{name}.py"]
    session.run("pytest", "--numprocesses=0", *tests)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation."""
    install(session, "docs")
    built = session.posargs or ["docs/_build/html"]
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-q", "-b", "html", "docs", *built)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo with the two extras that it needs."""
    session.install("--editable", ".[cli,sandbox]")
    session.run("jobcancel", "demo")


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Build what is published, and check it."""
    session.run(".ci/build")
