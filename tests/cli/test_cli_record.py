"""`jobcancel record`: the cassette replays, and has no private values."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from attrs import evolve

from jobcancel import Canceller, Outcome, cancel, registry
from jobcancel.adapter import Route
from jobcancel.sandbox import Fault, Sandbox
from jobcancel.testing.cassette import recorder
from jobcancel.testing.cassette.replay import own_url
from jobcancel.vendors.pulse import PULSE
from tests.cli.runs import HEADER, plain
from tests.wire import Wire, answer, reset, silence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobcancel.testing import Recording
    from tests.cli.runs import Run

JOB, NOBODY = "sandbox-pending", "sandbox-unknown"
KEY = "sk-live-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own.yaml"


def test_recording_replays_to_the_same_outcome(
    run: Run, served: Sandbox, file: Path, jobcancel_cassette: Callable[[Path], Recording]
) -> None:
    ran = run("record", "pulse", JOB, "-o", str(file))
    line = f"pulse\t{JOB}\tcancelled\t-\tJob cancelled successfully\n"
    assert (0, HEADER + line) == (ran.returncode, ran.stdout)
    held = jobcancel_cassette(file)
    assert ("pulse", JOB, Outcome.CANCELLED, {}) == (
        held.provider,
        held.job_id,
        held.outcome,
        held.options,
    )
    assert Outcome.CANCELLED is cancel("pulse", JOB).outcome
    assert 1 == len(served.requests)


def test_cassette_has_source_and_date(run: Run, served: Sandbox, file: Path) -> None:
    run("record", "pulse", JOB, "-o", str(file))
    metadata = yaml.safe_load(file.read_text())["metadata"]
    assert served.url.removeprefix("http://") == metadata["recorded_from"]
    assert dt.datetime.now(dt.UTC).date().isoformat() == metadata["recorded_on"]
    assert f"https://api.runpulse.com/job/{JOB}" in file.read_text()


@pytest.mark.parametrize("given", [{}, {"resource": "ours"}])
def test_part_of_the_host_is_the_param_or_a_placeholder(
    given: dict[str, str],
    run: Run,
    served: Sandbox,
    file: Path,
    jobcancel_cassette: Callable[[Path], Recording],
) -> None:
    job_id = served.submit("azure-openai-batch")
    options = [f"--param={name}={value}" for name, value in given.items()]
    run("record", "azure-openai-batch", job_id, "-o", str(file), *options)
    host = given.get("resource", "resource")
    assert f"https://{host}.openai.azure.com/openai/batches/{job_id}/cancel" in file.read_text()
    for params in (given, {}):
        held = jobcancel_cassette(file)
        assert Outcome.CANCELLING is cancel(held.provider, job_id, params=params).outcome
    assert 1 == len(served.requests)


def test_scrubbed_part_of_the_host_is_nowhere(
    run: Run,
    served: Sandbox,
    file: Path,
    jobcancel_cassette: Callable[[Path], Recording],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = "dbc-a1b2345c-d6e7.a-region-with-a-long-name.cloud.databricks.com"
    job_id = served.submit("databricks-statement")
    monkeypatch.setenv("OUR_HOST", host)
    options = ("--param", f"host={host}", "--scrub-env", "OUR_HOST")
    ran = run("record", "databricks-statement", job_id, "-o", str(file), *options)
    assert (host in file.read_text(), ran.stderr.splitlines()[-1]) == (
        False,
        f"jobcancel: recorded in {file}, replies: 2",
    )
    held = jobcancel_cassette(file)
    assert {"host": "scrubbed-1"} == held.options["params"]
    assert held.outcome is cancel(held.provider, job_id, **held.options).outcome


def test_params_of_omitted_headers_are_scrubbed(
    run: Run, served: Sandbox, file: Path, jobcancel_cassette: Callable[[Path], Recording]
) -> None:
    job_id = served.submit("openai-batch")
    params = ("--param", "organization=org-7", "--param", "project=proj-8")
    run("record", "openai-batch", job_id, "-o", str(file), *params)
    text = file.read_text()
    assert (False, False) == ("org-7" in text, "proj-8" in text)
    held = jobcancel_cassette(file)
    assert held.outcome is cancel(held.provider, job_id, **held.options).outcome


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://secret.openai.azure.com", "resource.openai.azure.com"),
        ("https://secret.openai.azure.com:8443", "resource.openai.azure.com"),
        ("http://127.0.0.1:8765/azure", "127.0.0.1:8765"),
    ],
)
def test_recorded_host_has_no_part_of_the_customer(base_url: str, host: str) -> None:
    with Canceller(api_keys={"azure-openai-batch": KEY}) as canceller:
        call = canceller.prepare(
            "azure-openai-batch",
            "1",
            params=None,
            api_key=None,
            base_url=base_url,
            timeout=None,
            deadline=None,
        )
    assert host == recorder.host_of(call, own_url(call.adapter, call.job.params))


def test_replacements_are_reported(
    run: Run, served: Sandbox, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(
        status=200,
        headers={"set-cookie": "a=b", "openai-organization": "org-7"},
        body={"job_id": JOB, "message": "Job cancelled successfully", "for": "Ann of org-7"},
    )
    served.fault("pulse", JOB, fault)
    monkeypatch.setenv("OUR_ORG", " org-7\n")
    (tmp_path / "private").write_text("nowhere\n\n Ann \nAnn\n")
    scrub = ["--scrub-file", str(tmp_path / "private"), "--scrub-env", "OUR_ORG"]
    ran = run("record", "pulse", JOB, "-o", str(file), *scrub)
    assert [
        "jobcancel: replaced the address, times: 1",
        "jobcancel: replaced the API key, times: 1",
        "jobcancel: replaced value 1 to scrub, times: 2",
        "jobcancel: replaced value 3 to scrub, times: 1",
        "jobcancel: replaced the header 'set-cookie', times: 1",
        "jobcancel: replaced the header 'openai-organization', times: 1",
        "jobcancel: value 2 to scrub did not occur",
        f"jobcancel: recorded in {file}, replies: 1",
    ] == ran.stderr.splitlines()
    (held,) = yaml.safe_load(file.read_text())["interactions"]
    assert "scrubbed-3 of scrubbed-1" == json.loads(held["response"]["body"]["string"])["for"]
    assert 0 == ran.returncode


def test_cassette_has_no_encoding_of_the_key(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    escaped = "".join(f"\\u{ord(each):04X}" for each in KEY)
    said = f'{{"job_id": "1", "message": "{KEY}", "again": "{escaped}"}}'.encode()
    done = gzip.compress(b'{"job_id": "1", "status": "canceled", "by": "%s"}' % KEY.encode())
    headers = ("Content-Encoding: gzip", f"X-Seen-Key: {KEY}", f"Link: </?k={KEY}>")
    monkeypatch.setenv("PULSE_API_KEY", KEY)
    with Wire([answer(body=said), answer(body=done, headers=headers)]) as wire:
        ran = run("record", "pulse", "1", "-o", str(file), "--base-url", wire.url)
    text = file.read_text()
    assert (0, False, False) == (ran.returncode, KEY in text, "0073" in text)
    assert '"message": "<api-key>", "again": "<api-key>"' in text
    assert '"by": "<api-key>"' in text
    assert "content-encoding" not in text.lower()
    assert "replaced the API key, times: 7" in ran.stderr


@pytest.mark.usefixtures("served")
def test_cassette_with_scrubbed_id_replays(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_JOB", JOB)
    ran = run("record", "pulse", JOB, "-o", str(file), "--scrub-env", "OUR_JOB")
    assert (0, False) == (ran.returncode, JOB in file.read_text())
    assert "scrubbed-1" == yaml.safe_load(file.read_text())["metadata"]["job_id"]


@pytest.mark.usefixtures("served")
def test_options_that_a_replay_needs_are_kept(run: Run, file: Path) -> None:
    arguments = ("--verify", "--deadline", "0.5", "--json")
    ran = run("record", "pulse", "sandbox-slow-to-stop", "-o", str(file), *arguments)
    assert (1, "cancelling") == (ran.returncode, json.loads(ran.stdout)["outcome"])
    metadata = yaml.safe_load(file.read_text())["metadata"]
    assert {"verify": True, "deadline": 0.5} == metadata["options"]
    assert "does not replay" not in ran.stderr


def test_replay_may_read_the_status_more_often(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = b'{"job_id": "1", "message": "Job cancelled successfully"}'
    running = b'{"job_id": "1", "status": "processing"}'
    monkeypatch.setenv("PULSE_API_KEY", KEY)

    with Wire([answer(body=accepted), answer(body=running), silence]) as wire:
        arguments = ("--base-url", wire.url, "--verify", "--deadline", "0.5", "--timeout", "0.3")
        ran = run("record", "pulse", "1", "-o", str(file), *arguments)
    assert "does not replay" not in ran.stderr
    assert 3 == len(yaml.safe_load(file.read_text())["interactions"])


def test_lost_reply_cannot_be_recorded(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_API_KEY", KEY)
    canceled = answer(body=b'{"job_id": "1", "status": "canceled"}')
    with Wire([reset, canceled]) as wire:
        ran = run("record", "pulse", "1", "-o", str(file), "--base-url", wire.url)
    assert 1 == ran.returncode
    message = "does not replay to cancelled: it has no reply to DELETE /job/1; was one lost?"
    assert message in plain(ran.stderr)


@pytest.mark.usefixtures("served")
def test_nothing_is_recorded_without_a_reply(run: Run, file: Path) -> None:
    ran = run("record", "pulse", "..", "-o", str(file))
    assert (1, False) == (ran.returncode, file.exists())
    assert "jobcancel: nothing is recorded: there was no reply" in ran.stderr


@pytest.mark.usefixtures("served")
def test_scrubbed_value_that_a_replay_needs_is_reported(
    run: Run, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "private").write_text("successfully")
    scrub = ("--scrub-file", str(tmp_path / "private"))
    ran = run("record", "pulse", JOB, "-o", str(file), *scrub)
    assert 1 == ran.returncode
    assert "does not replay to cancelled: it" in plain(ran.stderr)


def test_params_are_kept_and_scrubbed(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = evolve(
        PULSE,
        name="ours",
        default_url=served.base_urls["pulse"],
        url_env="OURS_BASE_URL",
        params={"team": "the team"},
        cancel=Route("DELETE", "/job/{team}", query={"id": "{id}"}),
        status=None,
    )
    monkeypatch.setitem(registry._registered, "ours", ours)
    options = {"params": {"team": NOBODY}}
    with Canceller() as canceller:
        recorded = recorder.record(canceller, "ours", "1", options=options, scrub=[NOBODY])
    held = yaml.safe_load(recorded.text)["metadata"]
    assert ("not-found", None) == (recorded.result.outcome, recorded.problem)
    assert {"params": {"team": "scrubbed-1"}} == held["options"]
    assert {"the API key": 1, "value 1 to scrub": 2} == recorded.replaced


def test_endless_replay_is_reported(
    run: Run, served: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MOST_READS", 0)
    assert 1 == run("record", "pulse", JOB, "-o", str(file)).returncode
    assert [JOB] == [each.path.rpartition("/")[2] for each in served.requests]


def test_existing_file_is_not_overwritten(run: Run, served: Sandbox, file: Path) -> None:
    file.write_text("mine")
    ran = run("record", "pulse", JOB, "-o", str(file))
    assert (2, "mine", []) == (ran.returncode, file.read_text(), served.requests)
    assert "exists; use --force to overwrite it" in ran.stderr
    assert 0 == run("record", "pulse", JOB, "-o", str(file), "--force").returncode
    assert "mine" != file.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "{dir}"], "is a directory; give the name of a file in it"),
        (["-o", "{dir}/no/x.yaml"], "no'; make it first"),
        (["-o", "{dir}/x.yaml", "--scrub", "x"], "private values are not taken from the command"),
        (["-o", "{dir}/x.yaml", "--scrub-env", "NOT_SET"], "NOT_SET: it is not set, or is empty"),
        (["-o", "{dir}/x.yaml", "--scrub-file", "{dir}/no"], "No such file or directory"),
        (["-o", "{dir}/x.yaml", "--scrub-file", "{dir}"], "Is a directory"),
        (["-o", "{dir}/x.yaml", "--scrub-file", "{dir}/empty"], "it is empty"),
        (["-o", "{dir}/x.yaml", "--scrub-file", "{dir}/binary"], "it is not a UTF-8 text file"),
        (["-o", "{dir}/x.yaml", "--scrub-file", "{dir}/long"], "it is longer than 1,048,576"),
        (
            ["-o", "{dir}/x.yaml", "--scrub-file", "-", "--scrub-file", "-"],
            "standard input can be read once",
        ),
        (
            ["-o", "{dir}/x.yaml", "--scrub-file", "-", "--api-key-file", "-"],
            "standard input can be read once",
        ),
        (["-o", "{dir}/x.yaml", "--api-key", "x"], "a key is not taken from the command line"),
        ([], "--output"),
    ],
)
def test_invalid_record_arguments_are_reported_before_sending(
    run: Run, served: Sandbox, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "long").write_bytes(b"x" * ((1 << 20) + 1))
    ran = run("record", "pulse", JOB, *(each.format(dir=tmp_path) for each in arguments))
    assert (2, []) == (ran.returncode, served.requests)
    assert message in plain(ran.stderr)


def test_missing_extra_is_reported(
    run: Run, served: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vcr", None)
    ran = run("record", "pulse", JOB, "-o", str(file))
    assert (2, []) == (ran.returncode, served.requests)
    assert "'jobcancel record' needs the extra 'testing': pip install" in plain(ran.stderr)


def test_record_reports_missing_key(run: Run, file: Path) -> None:
    ran = run("record", "pulse", JOB, "-o", str(file))
    assert (2, False) == (ran.returncode, file.exists())
    assert "no API key for 'pulse': set PULSE_API_KEY or use --api-key-file" in ran.stderr


@pytest.mark.usefixtures("served")
def test_write_error_is_reported_after_the_result(run: Run) -> None:
    ran = run("record", "pulse", JOB, "-o", "/dev/full", "--force")
    assert (2, True) == (ran.returncode, f"\npulse\t{JOB}\tcancelled" in ran.stdout)
    assert "cannot be written to '/dev/full': No space left on device" in ran.stderr


def test_values_to_scrub_are_read_from_stdin(served: Sandbox, file: Path) -> None:
    command = [sys.executable, "-m", "jobcancel", "record", "pulse", JOB, "-o", str(file)]
    environment = {
        **os.environ,
        "PULSE_BASE_URL": served.base_urls["pulse"],
        "PULSE_API_KEY": served.api_keys["pulse"],
    }
    subprocess.run(
        [*command, "--scrub-file", "-"], input=f"{JOB}\n", env=environment, text=True, check=True
    )
    assert JOB not in file.read_text()


def test_key_of_a_callable_is_scrubbed(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BASE_URL", served.base_urls["pulse"])
    keys = iter([f"sk-live-of-one-call-only-{number}" for number in range(9)])
    with Canceller(api_keys={"pulse": lambda: next(keys)}) as canceller:
        recorded = recorder.record(canceller, "pulse", JOB, options={})
    assert "unauthorized" == recorded.result.outcome
    assert "sk-live" not in recorded.text


def test_headers_are_kept_by_allow_list(run: Run, served: Sandbox, file: Path) -> None:
    job_id = served.submit("anthropic-batch")
    fault = Fault(
        status=429, headers={"x-who-knows": "Ann", "retry-after": "0", "server": "of-our-region"}
    )
    served.fault("anthropic-batch", job_id, fault)
    run("record", "anthropic-batch", job_id, "-o", str(file))
    first = yaml.safe_load(file.read_text())["interactions"][0]
    sent = {"accept", "accept-encoding", "anthropic-version", "content-length", "x-api-key"}
    assert sent == set(first["request"]["headers"])
    kept = {name.lower() for name in first["response"]["headers"]}
    assert {"content-length", "retry-after"} <= kept
    assert not kept & {"x-who-knows", "server"}
