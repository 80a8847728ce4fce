"""The checks before anything is sent, problems with lines, and broken files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from jobcancel import Canceller, ConfigurationError, registry
from jobcancel.cli import resume
from jobcancel.cli.jobs import Problems
from jobcancel.cli.options import _named_url, client
from jobcancel.cli.resume import read_results
from jobcancel.sandbox import Fault
from jobcancel.vendors.pulse import PULSE
from tests.cli.runs import plain, rows, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from jobcancel.sandbox import Sandbox
    from tests.cli.runs import Run

PENDING, FOREIGN = "sandbox-pending", "sandbox-foreign"
TALONIC = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


def write(file: Path, *lines: str) -> str:
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


@pytest.fixture
def mixed(file: Path) -> str:
    lines = ["provider,job_id", f"pulse,{PENDING}", f"talonic,{TALONIC}", "openai-batch,b"]
    return write(file, *lines, "openai-batch,c")


@pytest.fixture
def keyless(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, without the keys of two vendors."""
    for name in ("TALONIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name)
    return served


# Keys


def test_all_missing_keys_are_reported_before_sending(
    run: Run, keyless: Sandbox, mixed: str
) -> None:
    ran = run("cancel", "--from", mixed)
    assert (2, "", []) == (ran.returncode, ran.stdout, keyless.requests)
    assert ran.stderr == (
        "jobcancel: no API key for 'talonic': set TALONIC_API_KEY; no API key for 'openai-batch': "
        "set OPENAI_API_KEY. Nothing was sent; --skip-unconfigured leaves out 3 of the 4 jobs\n"
    )


@pytest.mark.usefixtures("keyless")
def test_jobs_without_a_key_can_be_left_out(run: Run, mixed: str) -> None:
    ran = run("cancel", "--skip-unconfigured", "--from", mixed)
    assert (0, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])
    assert ran.stderr.startswith("cancelled     1\nunconfigured  3\n1 of 1 jobs stopped in ")


@pytest.mark.usefixtures("keyless")
def test_stopped_jobs_need_no_key(run: Run, file: Path) -> None:
    path = write(file, "provider,job_id", f"pulse,{PENDING}", f"talonic,{TALONIC}")
    line = {"provider": "talonic", "job_id": TALONIC, "outcome": "cancelled"}
    done = write(file.with_name("done"), json.dumps(line))
    assert run("cancel", "--from", path, "--done", done).returncode == 0


def test_invalid_url_is_reported_with_the_missing_keys(
    run: Run, keyless: Sandbox, mixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_BASE_URL", "ftp://example.com")
    ran = run("cancel", "--from", mixed)
    assert (2, "", []) == (ran.returncode, ran.stdout, keyless.requests)
    assert ran.stderr.startswith("jobcancel: the base URL for 'pulse' is not an http or https URL")
    assert "; no API key for 'talonic': set TALONIC_API_KEY; no API key for" in ran.stderr
    assert "--skip-unconfigured" not in ran.stderr


def piped(*arguments: str, jobs: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobcancel", "cancel", "--from", "-", *arguments],
        input=jobs,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("keyless")
def test_jobs_of_a_pipe_without_a_key_are_reported_others_sent(mixed: str) -> None:
    with open(mixed) as jobs:  # noqa: PTH123 - a name
        ran = piped(jobs=jobs.read())
    assert (2, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])
    assert "standard input, line 3: no API key for 'talonic': set TALONIC_API_KEY\n" in ran.stderr
    assert "unconfigured  3\n1 of 1 jobs stopped in " in ran.stderr


@pytest.mark.usefixtures("keyless")
def test_jobs_of_a_pipe_without_a_key_can_be_left_out() -> None:
    ran = piped("--skip-unconfigured", "talonic", jobs=f"{TALONIC}\n")
    assert (0, "") == (ran.returncode, ran.stdout)
    assert ran.stderr.startswith("unconfigured  1\n0 of 0 jobs stopped in ")


@pytest.mark.usefixtures("keyless")
def test_pipe_is_not_read_without_the_key_of_its_provider() -> None:
    with started("cancel", "talonic", "--from", "-") as (process, output, errors):
        expected = (
            "jobcancel: no API key for 'talonic': set TALONIC_API_KEY or use --api-key-file\n"
        )
        assert errors.read() == expected
        assert (output.read(), process.wait()) == ("", 2)


def test_params_of_lines_are_not_required_at_the_start_of_a_pipe(served: Sandbox) -> None:
    served.submit("runpod", job_id="7")
    line = {"job_id": "7", "params": {"endpoint": "e"}}
    assert piped("runpod", jobs=json.dumps(line)).returncode == 0


@pytest.mark.usefixtures("served")
def test_pipe_without_jobs_is_an_error_without_summary() -> None:
    ran = piped("pulse", jobs="run,vendor\n1,pulse\n")
    assert (2, "") == (ran.returncode, ran.stdout)
    assert ran.stderr.startswith("jobcancel: the first line has no column 'job_id': 'run,vendor'")
    assert 1 == len(ran.stderr.splitlines())


# Hosts in lines


@pytest.mark.usefixtures("served")
def test_invalid_host_is_a_problem_of_its_line_only(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "key")
    lines = [f"databricks-run,{number},a_b/{number}" for number in range(2000)]
    path = write(file, "provider,job_id,host", *lines, f"pulse,{PENDING},")
    ran = run("cancel", "--from", path)
    assert (2, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])
    messages = [line for line in ran.stderr.splitlines() if line.startswith("jobcancel: ")]
    assert 4 == len(messages)
    assert messages[0].startswith(
        f"jobcancel: {path}, line 2: the param 'host' of 'databricks-run'"
    )
    assert messages[3].endswith("(and 1,997 more like this)")
    assert "malformed  2,000\n" in ran.stderr


def test_cache_of_host_checks_is_bounded(
    run: Run, served: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcancel.cli.jobs._REMEMBERED", 2)
    for number in range(4):
        served.submit("runpod", job_id=f"{number}")
    lines = [f"runpod,{number},e{number % 3}" for number in range(4)]
    assert run("cancel", "--from", write(file, "provider,job_id,endpoint", *lines)).returncode == 0


# Columns


@pytest.mark.usefixtures("served")
def test_unknown_columns_are_ignored_with_one_warning(run: Run, file: Path) -> None:
    lines = [f"{PENDING},pulse,2026-01-01,,ACME", f"{TALONIC},talonic,2026-01-02,,"]
    path = write(file, "job_id,provider,created at,endpoint,customer", *lines)
    ran = run("cancel", "--from", path)
    assert (0, 2) == (ran.returncode, len(rows(ran.stdout)))
    assert ran.stderr.startswith(
        f"jobcancel: {path}: ignored columns: 'created at', 'customer'\ncancelled  2\n"
    )


@pytest.mark.usefixtures("served")
def test_param_of_another_provider_is_ignored(run: Run, served: Sandbox, file: Path) -> None:
    served.submit("runpod", job_id="7")
    path = write(file, "provider,job_id,endpoint", f"pulse,{PENDING},e", "runpod,7,e")
    ran = run("cancel", "--from", path)
    assert (0, True) == (ran.returncode, ran.stderr.startswith("cancelled  2\n"))


@pytest.mark.usefixtures("served")
def test_ignored_columns_of_a_pipe_are_reported_at_its_end() -> None:
    ran = piped("pulse", jobs=f"job_id,note\n{PENDING},x\n")
    assert ran.returncode == 0
    assert ran.stderr.startswith("jobcancel: standard input: ignored columns: 'note'\n")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "content",
    [
        f"run,vendor,job_id\n{PENDING},pulse,17\n",
        f"run;vendor\n{PENDING};pulse\n",
        f"run\tvendor\tnote\n{PENDING}\tpulse\t\n",
        json.dumps({"run": PENDING, "vendor": "pulse", "job_id": 17}),
    ],
)
def test_column_option_maps_names(run: Run, file: Path, content: str) -> None:
    file.write_text(content)
    names = ("--column", "job_id=run", "--column", "provider=vendor")
    ran = run("cancel", *names, "--from", str(file))
    assert (0, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])
    assert "ignored" not in ran.stderr


@pytest.mark.parametrize(
    "content", ["job_id,queue\n7,e\n", '{"job_id": "7", "queue": "e", "params": {}}']
)
def test_column_option_maps_params(run: Run, served: Sandbox, file: Path, content: str) -> None:
    served.submit("runpod", job_id="7")
    file.write_text(content)
    ran = run("cancel", "runpod", "--json", "--column", "endpoint=queue", "--from", str(file))
    assert (0, {"endpoint": "e"}) == (ran.returncode, json.loads(ran.stdout)["params"])


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("lines", "columns", "message"),
    [
        (["run,vendor", "a,pulse"], [], "no column 'job_id': 'run,vendor'; name the column of"),
        (["run,vendor", "a,pulse"], ["job_id=id"], "no column 'id': 'run,vendor'; name the"),
        (["a"], ["job_id=id"], "the first line has no column 'id': 'a'; name the column"),
        (["job_id,b", "a,b"], ["provider=c"], "the file has no column 'c', only job_id, b"),
        (["job_id"], ["job_id"], "'job_id' is not of the form NAME=COLUMN, such as job_id=run"),
        (["job_id"], ["=run"], "'=run' is not of the form"),
        (["job_id"], ["job_id=a", "job_id=b"], "'job_id=b': given twice"),
        (["job_id"], ["job_id=a", "provider=a"], "'provider=a': given twice"),
        (['{"job": "a"}'], ["job_id=run"], "line 1: no value for 'run'"),
        (["job_id,endpont", "a,b"], [], "line 2: no column 'endpont'; did you mean 'endpoint'?"),
    ],
)
def test_invalid_column_option_is_reported(
    run: Run, file: Path, lines: list[str], columns: list[str], message: str
) -> None:
    options = [option for column in columns for option in ("--column", column)]
    ran = run("cancel", "runpod", *options, "--from", write(file, *lines))
    assert (2, "") == (ran.returncode, ran.stdout)
    assert message in plain(ran.stderr)


# Problems


@pytest.mark.usefixtures("served")
def test_equal_problems_are_reported_three_times_and_counted(run: Run, file: Path) -> None:
    lines = [f'{{"job_id": {number}}}' for number in range(2000)]
    ran = run("cancel", "pulse", "--from", write(file, *lines, '{"job_id": "sandbox-pending"}'))
    messages = ran.stderr.splitlines()
    problem = "job_id must be a string, not {}; pass the vendor's id as text"
    assert [
        *(f"jobcancel: {file}, line {n + 1}: {problem.format(n)}" for n in range(3)),
        f"jobcancel: {file}, line 1: {problem.format(0)} (and 1,997 more like this)",
        "cancelled      1",
        "malformed  2,000",
    ] == messages[:6]
    assert ran.returncode == 2


@pytest.mark.usefixtures("served")
def test_first_kinds_of_problems_are_reported(run: Run, file: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [f'{{"job_id": "x", "provider": "{each * 9}"}}' for each in letters]
    more = [f"{{{each * 9}" for each in letters]
    path = write(file, '{"job_id": "", "provider": "pulse"}', *lines, *more)
    messages = [
        line for line in run("cancel", "--from", path).stderr.splitlines() if "line" in line
    ]
    assert f"jobcancel: {path}, line 2: no provider 'aaaaaaaaa'." == messages[1]
    assert messages[-1].endswith("(and 23 more like this)")
    assert 9 == len(messages)


def test_long_particulars_do_not_make_another_kind() -> None:
    messages: list[str] = []
    problems = Problems("f", messages.append)
    for line in range(1, 2001):
        problems.add(line, f"the param 'host' is {'x' * line!r}, which is none of {'y, ' * 200}")
    problems.report_counts()
    assert 4 == len(messages)
    assert messages[-1].endswith("... (and 1,997 more like this)")


def test_number_of_kinds_is_bounded() -> None:
    messages: list[str] = []
    problems = Problems("f", messages.append)
    for line, letter in enumerate("abcdefghijklmnopqrstuvwxyz", 1):
        problems.add(line, f"problem {letter}")
    problems.report_counts()
    assert 21 == len(messages)
    assert "f, line 21: problem u (and 6 more with other problems)" == messages[-1]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from importlib.metadata import EntryPoint

    point = EntryPoint("broken", "tests.no_such_module:ADAPTER", registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (point,))
    return []


@pytest.mark.usefixtures("served", "broken")
def test_broken_plug_in_is_a_problem_of_its_lines_only(run: Run, file: Path) -> None:
    lines = ["provider,job_id", "broken,a", "broken,b", f"pulse,{PENDING}"]
    ran = run("cancel", "--from", write(file, *lines))
    assert (2, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])
    assert "line 3: plug-in 'broken' of " in ran.stderr


@pytest.mark.usefixtures("served")
def test_read_error_is_reported(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobcancel.cli.sources import Source

    def fails(*_: object) -> Iterator[object]:
        raise OSError(5, "Input/output error")
        yield

    monkeypatch.setattr(Source, "read", fails)
    ran = run("cancel", "pulse", "--from", write(file, PENDING))
    assert (2, f"jobcancel: cannot read {file}: Input/output error\n") == (
        ran.returncode,
        ran.stderr,
    )


@pytest.mark.usefixtures("served")
def test_read_error_while_sending_keeps_the_results_so_far(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobcancel.cli.sources import Source

    usual, times = Source.read, iter([0, 1])

    def fails(source: Source, content: BinaryIO) -> Iterator[object]:
        yield from usual(source, content)
        if next(times) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Source, "read", fails)
    ran = run("cancel", "pulse", "--from", write(file, PENDING))
    assert (2, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])
    assert ran.stderr.startswith("cancelled  1\nfailed: 1 of 1 jobs stopped in ")
    assert ran.stderr.endswith(f"jobcancel: cannot read {file}: Input/output error\n")


# Files that are too large, cut off, or full


def test_endless_key_file_is_an_error(run: Run) -> None:
    ran = run("cancel", "pulse", "a", "--api-key-file", "/dev/zero")
    assert ran.returncode == 2
    assert ran.stderr == (
        "jobcancel: no API key from '/dev/zero': it is longer than 65,536 characters\n"
    )


@pytest.mark.usefixtures("served")
def test_endless_done_file_is_an_error(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "_LARGEST", 1 << 24)
    ran = run("cancel", "pulse", "--from", write(file, PENDING), "--done", "/dev/zero")
    assert (2, "") == (ran.returncode, ran.stdout)
    assert ran.stderr == (
        "jobcancel: '/dev/zero' is larger than 16 MiB, the most that --done reads; leave out the "
        "bodies of its results: jq -c 'del(.body)'\n"
    )


def test_too_large_done_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "_LARGEST", 1 << 20)
    path = tmp_path / "done"
    path.write_text((json.dumps({"body": "x" * 1000}) + "\n") * 1100)
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        read_results([str(path)])


@pytest.mark.usefixtures("served")
def test_too_long_line_of_done_file_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "done"
    path.write_text(json.dumps({"body": "x" * (5 << 20)}) + "\n{}\n")
    read_results([str(path)])
    assert "ignored 2 lines" in capsys.readouterr().err


@contextmanager
def appending(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def append(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with appending(path) as output:
        return subprocess.run(
            [sys.executable, "-m", "jobcancel", "cancel", *arguments],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )


LINE = json.dumps({"provider": "pulse", "job_id": "a", "outcome": "cancelled"})


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("cut_off", ['{"provider": "pu', LINE])
@pytest.mark.parametrize("in_file", [True, False])
def test_output_starts_a_new_line_after_a_cut_off_one(
    file: Path, tmp_path: Path, cut_off: str, in_file: bool
) -> None:
    out = tmp_path / "out"
    out.write_text(f"{LINE}\n{cut_off}")
    path = write(file, PENDING)
    named = ("pulse", "--from", path, "--done", str(out)) if in_file else ("pulse", PENDING)
    ran = append(out, "--json", *named)
    lines = out.read_text().split("\n")
    assert (0, [LINE, cut_off]) == (ran.returncode, lines[:2])
    assert (PENDING, "") == (json.loads(lines[2])["job_id"], lines[3])


@pytest.mark.usefixtures("served")
def test_no_second_header_or_empty_line_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for job_id in (PENDING, FOREIGN):
        append(out, "pulse", job_id)
    assert ["job_id", PENDING, FOREIGN] == [
        line.split("\t")[1] for line in out.read_text().splitlines()
    ]


def test_output_that_cannot_be_read_counts_as_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobcancel.cli import streams

    path = tmp_path / "out"
    path.write_text("cut off")
    with appending(path) as descriptor:
        monkeypatch.setattr(streams, "stdout_file", lambda: descriptor)
        assert streams.stdout_is_cut_off([]) is True
        monkeypatch.setattr(streams, "stdout_path", lambda _: str(tmp_path / "not" / "there"))
        assert streams.stdout_is_cut_off([]) is False


def test_a_full_disk_ends_a_run_with_a_summary(served: Sandbox, file: Path) -> None:
    job_ids = [served.submit("pulse", pending=1000) for _ in range(20)]
    path = write(file, *job_ids)
    arguments = ("cancel", "pulse", "--json", "--from", path, "--concurrency", "1")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - no path to speak of
        ran = subprocess.run(
            [sys.executable, "-m", "jobcancel", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    messages = ran.stderr.splitlines()
    sent = sum(each.method == "DELETE" for each in served.requests)
    assert 1 == ran.returncode
    assert sent < 20
    assert [
        "jobcancel: the output cannot be written (No space left on device); stopping",
        f"cancelled  {sent}",
    ] == messages[:2]
    assert messages[2].startswith(f"output lost: {sent} of 20 jobs stopped in ")
    assert messages[2].endswith(f"; {20 - sent} not sent, {sent} not in the output")
    assert messages[3].startswith("jobcancel: to resume: ")
    assert 4 == len(messages)


@pytest.mark.parametrize("force_color", ["0", "1"])
def test_a_closed_pipe_ends_a_run_with_a_summary(
    served: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch, force_color: str
) -> None:
    if force_color == "1":
        monkeypatch.setenv("FORCE_COLOR", "1")
    served.fault("pulse", "sandbox-processing", Fault(stall=0.5))
    path = write(file, PENDING, "sandbox-processing", *map(str, range(100)))
    arguments = ("cancel", "pulse", "--from", path, "--concurrency", "1")
    with started(*arguments) as (process, output, errors):
        output.readline()
        output.readline()
        output.close()
        messages = plain(errors.read())
        assert process.wait() == 1
    assert "jobcancel: the output cannot be written (Broken pipe); stopping" in messages
    assert "output lost: 2 of 102 jobs stopped" in messages
    assert " not sent, " in messages
    assert " not in the output jobcancel: to resume: " in messages


@pytest.mark.usefixtures("served")
def test_full_disk_for_stderr_does_not_stop_the_run(file: Path) -> None:
    path = write(file, '{"job_id": 7}', json.dumps({"job_id": PENDING}))
    with open("/dev/full", "w") as full:  # noqa: PTH123 - likewise
        ran = subprocess.run(
            [sys.executable, "-m", "jobcancel", "cancel", "pulse", "--from", path],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
        )
    assert (2, [PENDING]) == (ran.returncode, [row[1] for row in rows(ran.stdout)])


@pytest.mark.parametrize(
    ("params", "environment", "expected"),
    [
        ({"host": "dbc-1.example.com"}, "", "https://dbc-1.example.com"),
        ({"host": "dbc-1.example.com"}, "http://127.0.0.1:1", "http://127.0.0.1:1"),
        ({}, "https://configured.example.com", "https://configured.example.com"),
    ],
)
def test_param_option_may_choose_any_host(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, str], environment: str, expected: str
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "key")
    monkeypatch.setenv("DATABRICKS_HOST", environment)
    settings = {"api_key_file": None, "base_url": None, "timeout": 1.0, "deadline": 1.0}
    with client(Canceller, "databricks-run", params=params, **settings) as canceller:  # type: ignore[arg-type]
        assert expected == canceller.prepare("databricks-run", "7", params=params).endpoint.base_url


def test_incomplete_host_is_not_used() -> None:
    params = {"shard": "its shard", "host": "its host"}
    url = "https://{shard}.{host}"
    adapter = evolve(PULSE, name="parts", default_url=url, params=params)
    assert _named_url(adapter, {"host": "example.com"}) is None
    assert _named_url(adapter, {"host": "a.com", "shard": "s"}) == "https://s.a.com"
