"""Usage errors: one clear message, and exit status 2."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from jobcancel import __version__
from tests.cli.runs import plain, rows

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox
    from tests.cli.runs import Run

JOB = "sandbox-pending"
KEY = "sandbox-pulse-key"


def test_version(run: Run) -> None:
    ran = run("--version")
    assert (ran.returncode, ran.stdout) == (0, f"jobcancel {__version__}\n")


def test_closed_stdout_is_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run("--version").returncode == 0


@pytest.mark.usefixtures("served")
def test_closed_stderr_does_not_stop_a_deprecated_provider(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert run("cancel", "pulse-legacy", JOB).returncode == 0


@pytest.mark.parametrize("command", [[], ["-h"], ["cancel", "--help"], ["demo", "-h"]])
def test_help_goes_to_stdout(run: Run, command: list[str]) -> None:
    assert "Usage: jobcancel" in run(*command).stdout


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cancel", "plse", JOB], "jobcancel: no provider 'plse'; did you mean 'pulse'?"),
        (["status", "pulse", JOB, "--timeout", "0"], "jobcancel: timeout must be more than 0"),
        (["cancel", "pulse", JOB, "--deadline", "nan"], "jobcancel: deadline must be more than 0"),
        (["cancel", "pulse", JOB, "--base-url", "ftp://x"], "jobcancel: the base URL for 'pulse'"),
        (["cancel", "pulse", JOB, "--param", "a=b"], "jobcancel: 'pulse' has no param 'a'"),
        (["cancel", "pulse", JOB, "--param", "a"], "'a' is not of the form name=value"),
        (["cancel", "pulse", JOB, "--param", "=b"], "'=b' is not of the form name=value"),
        (["status", "pulse", JOB, *["--param", "a=b"] * 2], "'a' is given twice"),
        (["cancel", "pulse"], "Missing JOB_ID (or use --from FILE)"),
        (["cancel", "pulse", JOB, "--timeout", "soon"], "--timeout"),
        (["providers", "nobody"], "jobcancel: no provider 'nobody'"),
        (["sandbox", "--pulse-burst", "3"], "--pulse-burst: it needs --pulse-rate"),
        (["sandbox", "--pulse-rate", "0"], "jobcancel: per_second=0.0: expected a number above 0"),
        (["sandbox", "--host", "8.8.8.8"], "jobcancel: host='8.8.8.8': the sandbox listens on"),
    ],
)
def test_invalid_arguments_are_reported(run: Run, arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in plain(ran.stderr)
    assert "Traceback" not in ran.stderr


def test_port_in_use_is_reported(run: Run, sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    ran = run("sandbox", "--port", port)
    assert ran.returncode == 2
    assert f"jobcancel: cannot listen on port {port}" in ran.stderr


def test_missing_key_error_names_the_option(run: Run) -> None:
    ran = run("cancel", "pulse", JOB)
    expected = "jobcancel: no API key for 'pulse': set PULSE_API_KEY or use --api-key-file\n"
    assert (ran.returncode, ran.stderr) == (2, expected)


@pytest.mark.parametrize("command", ["cancel", "status"])
def test_key_on_the_command_line_is_refused_and_not_printed(run: Run, command: str) -> None:
    ran = run(command, "pulse", JOB, "--api-key", "hunter2hunter2")
    assert ran.returncode == 2
    assert "--api-key-file" in plain(ran.stderr)
    assert "hunter2" not in ran.stdout + ran.stderr


def test_help_does_not_list_api_key(run: Run) -> None:
    assert "--api-key " not in run("cancel", "--help").stdout


@pytest.mark.parametrize("content", [KEY.encode(), f"\ufeff{KEY}\r\n".encode()])
def test_the_key_is_read_from_a_file(
    run: Run, sandbox: Sandbox, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    url = sandbox.base_urls["pulse"]
    ran = run("cancel", "pulse", JOB, "--api-key-file", str(file), "--base-url", url)
    assert (ran.returncode, rows(ran.stdout)[0][2]) == (0, "cancelled")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (b" \n", "it is empty"),
        (b"\xff\xfe", "it is not a UTF-8 text file"),
    ],
)
def test_file_without_key_is_an_error(
    run: Run, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    ran = run("status", "pulse", JOB, "--api-key-file", str(file))
    assert ran.returncode == 2
    assert ran.stderr == f"jobcancel: no API key from {str(file)!r}: {problem}\n"


@pytest.mark.parametrize(
    ("package", "command", "needs"),
    [
        ("typer", ["--version"], "the command line needs the extra 'cli'"),
        ("rich", ["cancel", "pulse", JOB], "the command line needs the extra 'cli'"),
        ("starlette", ["sandbox"], "'jobcancel sandbox' needs the extra 'sandbox'"),
        ("uvicorn", ["demo"], "'jobcancel demo' needs the extra 'sandbox'"),
        ("python_multipart", ["demo"], "'jobcancel demo' needs the extra 'sandbox'"),
    ],
)
def test_missing_extra_of_a_command_is_reported(
    run: Run, monkeypatch: pytest.MonkeyPatch, package: str, command: list[str], needs: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ran = run(*command)
    extra = needs.rpartition(" ")[2].strip("'")
    assert ran.returncode == 2
    assert ran.stderr == f"jobcancel: {needs}: pip install 'jobcancel[{extra}]'\n"


@pytest.fixture
def other_typer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The source of a package that is imported instead of typer."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "typer", raising=False)
    return tmp_path / "typer.py"


def test_broken_dependency_of_an_extra_raises(run: Run, other_typer: Path) -> None:
    other_typer.write_text("import something_of_its_own")
    with pytest.raises(ModuleNotFoundError, match="something_of_its_own"):
        run("--version")


def test_interrupt_during_imports_is_status_130(run: Run, other_typer: Path) -> None:
    other_typer.write_text("raise KeyboardInterrupt")
    assert run("--version").returncode == 130
