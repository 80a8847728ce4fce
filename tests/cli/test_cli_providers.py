"""`jobcancel providers`: the list, and the description of one provider."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest
from attrs import evolve, frozen

from jobcancel import Adapter, HttpAdapter, Job, JobState, Outcome, registry
from jobcancel.adapter import Param, Route
from jobcancel.cli import describe as describing
from jobcancel.cli.describe import describe
from jobcancel.vendors.azure_openai import AZURE_OPENAI_BATCH
from jobcancel.vendors.talonic import TALONIC
from tests.cli.runs import ESCAPE, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jobcancel.adapter import Endpoint, Reading, Request, Response
    from tests.cli.runs import Run


@frozen
class OwnCode:
    """An adapter with its own code."""

    name: str = "owncode"
    title: str = "Own Code"
    docs: str = "nowhere"
    deprecated: str | None = None
    default_url: str = "https://owncode.example"
    key_env: str = "OWNCODE_API_KEY"
    url_env: str = "OWNCODE_BASE_URL"
    other_key_envs: tuple[str, ...] = ()
    credentials_of: str | None = None
    params: Mapping[str, Param] = {"room": Param("the id of the room")}
    destroys_finished: bool = True

    def refuse(self, job: Job) -> str | None:
        raise AssertionError("a list of providers asks no adapter for more than its facts")

    def must_read_first(self, job: Job) -> bool:
        raise AssertionError("a list of providers asks no adapter for more than its facts")

    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        raise AssertionError("a list of providers asks no adapter for more than its facts")

    def status_request(self, job: Job, endpoint: Endpoint) -> Request | None:
        raise AssertionError("a list of providers asks no adapter for more than its facts")

    def read_cancel(self, job: Job, response: Response) -> Reading:
        raise AssertionError("a list of providers asks no adapter for more than its facts")

    def read_status(self, job: Job, response: Response) -> Reading:
        raise AssertionError("a list of providers asks no adapter for more than its facts")


HEADER = "name\tfamily\ttitle\tkey_env\turl_env\tdefault_url\tcancel\tnote"
PULSE = ("PULSE_API_KEY", "PULSE_BASE_URL", "https://api.runpulse.com")
BLIND: HttpAdapter = evolve(
    TALONIC,
    name="blind",
    notes="",
    status=None,
    retry_statuses=frozenset({429}),
    replies={429: Outcome.RATE_LIMITED, "GONE": Outcome.NOT_FOUND, (409, "BUSY"): Outcome.INVALID},
)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters: list[Adapter] = [OwnCode(), BLIND]
    monkeypatch.setattr(registry, "_registered", {each.name: each for each in adapters})


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", "no.such:thing", registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (point,))


def facts(ran: str) -> dict[str, str]:
    """Parse the TSV of one provider: subject -> fact."""
    header, *lines = ran.splitlines()
    assert header == "section\tsubject\tfact"
    return {line.split("\t")[1]: line.split("\t")[2] for line in lines}


def test_a_pipe_gets_providers_as_tsv_with_a_header(run: Run) -> None:
    ran = run("providers")
    header, *lines = ran.stdout.splitlines()
    assert (0, HEADER) == (ran.returncode, header)
    listed = [line.split("\t") for line in lines]
    assert {len(HEADER.split("\t"))} == {len(cells) for cells in listed}
    assert [cells for cells in listed if cells[0].startswith("pulse")] == [
        ["pulse", "documents", "Pulse", *PULSE, "DELETE /job/{id}", "-"],
        [
            *("pulse-legacy", "documents", "Pulse (deprecated POST)", *PULSE),
            *("POST /cancel/{id}", "deprecated: use pulse"),
        ],
    ]


@pytest.mark.usefixtures("registered", "broken")
def test_broken_plug_in_is_listed_with_the_reason(run: Run) -> None:
    ran = run("providers")
    lines = {line.split("\t")[0]: line.split("\t") for line in ran.stdout.splitlines()}
    assert lines["broken"][1:7] == ["-"] * 6
    assert lines["broken"][7].startswith("broken: plug-in 'broken' of no.such:thing cannot be")
    assert lines["owncode"][6] == "-"


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install a plug-in "acme" of this source, which may use all of `jobcancel` and `TALONIC`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(source: str) -> None:
        head = "import os, time\nfrom attrs import evolve, frozen\nfrom jobcancel import *\n"
        talonic = "from jobcancel.vendors.talonic import TALONIC\n"
        (tmp_path / "acme_of_cli.py").write_text(head + talonic + source)
        point = EntryPoint("acme", "acme_of_cli:ACME", registry.GROUP)
        monkeypatch.setattr(registry, "_entry_points", lambda: (point,))

    yield install
    sys.modules.pop("acme_of_cli", None)
    registry._load.cache_clear()


RAISING = """
class Acme(HttpAdapter):
    @property
    def {fact}(self): {body}

ACME = object.__new__(Acme)
for each in TALONIC.__attrs_attrs__:
    if each.name != {fact!r}:
        object.__setattr__(ACME, each.name, getattr(TALONIC, each.name))
object.__setattr__(ACME, "name", "acme")
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise SystemExit(1)", "cannot be imported: SystemExit(1)"),
        ("raise BaseException", "cannot be imported: BaseException()"),
        (RAISING.format(fact="title", body="1 / 0"), "its 'title' raises ZeroDivisionError"),
        (RAISING.format(fact="title", body="raise SystemExit"), "its 'title' raises SystemExit()"),
        (RAISING.format(fact="title", body="return 7"), "its 'title' is 7"),
        (RAISING.format(fact="family", body="1 / 0"), "cannot be described: ZeroDivisionError"),
        (RAISING.format(fact="family", body="raise SystemExit"), "cannot be described: SystemExit"),
        (RAISING.format(fact="family", body="return 7"), "its 'family' is not a string"),
        (RAISING.format(fact="cancel", body="return 7"), "cannot be described: AttributeError"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_failing_plug_in_does_not_break_the_list(
    source: str, reason: str, arguments: list[str], run: Run, plug_in: Callable[[str], None]
) -> None:
    plug_in(source)
    ran = run("providers", *arguments)
    lines = ran.stdout.splitlines()
    header = [] if arguments else [HEADER]
    assert header == lines[: len(header)]
    assert (0, len(registry.BUILT_IN) + 1) == (ran.returncode, len(lines) - len(header))
    (line,) = (line for line in lines if reason in line)
    assert line.startswith(("acme\t", '{"name": "acme"'))
    alone = run("providers", "acme")
    assert (2, "") == (alone.returncode, alone.stdout)
    assert "plug-in 'acme'" in alone.stderr
    assert "Traceback" not in alone.stderr
    assert "did you mean 'acme'" in run("providers", "acmee").stderr
    assert 0 == run("providers", "pulse").returncode


def test_plug_in_with_hanging_import_is_not_awaited(
    run: Run, plug_in: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describing, "_IMPORT_TIMEOUT", 0.05)
    go_on = tmp_path / "go-on"
    plug_in(f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)")
    try:
        ran = run("providers")
    finally:
        go_on.touch()
    header, *lines = ran.stdout.splitlines()
    assert (HEADER, 0, len(registry.BUILT_IN) + 1) == (header, ran.returncode, len(lines))
    assert any(
        "broken: the plug-in has not been imported after 0.05 seconds" in each for each in lines
    )


def test_ctrl_c_in_a_description_is_raised() -> None:
    class Interrupted:
        name = title = "interrupted"
        deprecated = None

        @property
        def docs(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        describe(Interrupted())  # type: ignore[arg-type]


@pytest.mark.usefixtures("broken")
def test_description_of_broken_plug_in_is_an_error(run: Run) -> None:
    ran = run("providers", "broken")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("jobcancel: plug-in 'broken'")


@pytest.mark.usefixtures("registered", "broken", "terminal")
def test_table_of_providers_fits_a_terminal(run: Run) -> None:
    ran = run("providers")
    lines = ESCAPE.sub("", ran.stdout).splitlines()
    assert max(map(len, lines)) <= 80
    shown = plain(ran.stdout)
    for text in (
        "LLM batches",
        "not usable",
        "provider",
        "key and URL from",
        "jobcancel providers NAME shows",
        "deprecated: use pulse",
    ):
        assert text in shown
    assert "https://" not in shown


@pytest.mark.usefixtures("registered", "broken", "terminal")
def test_wide_terminal_shows_urls(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    ran = run("providers")
    assert max(map(len, ESCAPE.sub("", ran.stdout).splitlines())) <= 120
    assert "DELETE /job/{id}" in plain(ran.stdout)


def test_providers_as_json_are_one_object_per_line(run: Run) -> None:
    listed = [json.loads(line) for line in run("providers", "--json").stdout.splitlines()]
    assert next(each for each in listed if each["name"] == "pulse") == {
        "name": "pulse",
        "family": "documents",
        "title": "Pulse",
        "key_env": "PULSE_API_KEY",
        "url_env": "PULSE_BASE_URL",
        "default_url": "https://api.runpulse.com",
        "cancel": "DELETE /job/{id}",
        "deprecated": None,
        "broken": None,
    }


def test_description_lists_replies(run: Run) -> None:
    shown = facts(run("providers", "pulse").stdout)
    assert shown["header"] == "x-api-key: KEY"
    assert shown["2xx, message 'Job cancelled successfully'"] == "cancelled"
    assert shown["403"] == "forbidden"
    assert shown["429"].startswith("rate-limited; ")
    assert shown["408, 425, 500, 502-504, 520-524, 529"].startswith("unsettled; ")
    assert shown["unsettled"] == "the job's status is read, which decides"
    assert shown["processing"] == "running"


def test_description_lists_overridden_states(run: Run) -> None:
    shown = facts(run("providers", "talonic").stdout)
    assert shown["status 'failed', error.message 'Cancelled via API'"] == "cancelled"
    assert shown["failed"] == "failed"
    assert shown["idempotency"].startswith("header idempotency-key")


@pytest.mark.parametrize(
    ("provider", "reply", "meaning"),
    [
        ("reducto", "422 with any code", "invalid"),
        ("reducto", "200 with any JSON or nothing", "cancelling; the job's status is read"),
        ("baseten", "canceled False", "refused"),
        ("extend-parse", "400 with any code", "refused"),
        ("azure-openai-batch", "404 with code 404", "unsettled"),
        (
            "firecrawl-crawl",
            "2xx with the job's state",
            "according to that state; `verify` confirms it",
        ),
    ],
)
def test_description_lists_unclear_replies(
    provider: str, reply: str, meaning: str, run: Run
) -> None:
    assert meaning == facts(run("providers", provider).stdout)[reply]


@pytest.mark.parametrize(
    ("name", "polling"),
    [
        ("pulse", "every 1 to 15 s"),
        ("together-batch", "every 30 s"),
        ("firecrawl-crawl", "every 1 to 15 s; a job may be not found for 10 s"),
    ],
)
def test_a_provider_shows_how_often_its_status_is_read(run: Run, name: str, polling: str) -> None:
    assert f"the status is read {polling}" == facts(run("providers", name).stdout)["wait"]


def test_description_of_deprecated_provider_names_its_successor(run: Run) -> None:
    shown = facts(run("providers", "pulse-legacy").stdout)
    assert (shown["deprecated"], shown["both shared with"]) == ("use pulse", "pulse")


@pytest.mark.usefixtures("registered")
def test_description_lists_error_codes_and_missing_status(run: Run) -> None:
    shown = facts(run("providers", "blind").stdout)
    assert (shown["code GONE"], shown["409 with code BUSY"]) == ("not-found", "invalid")
    assert shown["status"] == "none"
    assert shown["unsettled"] == "unknown: the vendor has no status request"


@pytest.mark.usefixtures("registered")
def test_adapter_with_own_code_is_described(run: Run) -> None:
    shown = facts(run("providers", "owncode").stdout)
    assert shown["--param room"] == "the id of the room"
    assert shown["finished jobs"].startswith("not sent the cancel")
    assert shown["any reply"] == "interpreted by the adapter's own code"


def test_one_provider_as_json_is_one_object(run: Run) -> None:
    shown = json.loads(run("providers", "pulse", "--json").stdout)
    assert list(shown) == ["provider", "requests", "replies", "states"]
    assert shown["states"]["canceled"] == "cancelled"


@pytest.mark.usefixtures("terminal")
def test_one_provider_fits_a_terminal(run: Run) -> None:
    ran = run("providers", "talonic")
    assert max(len(line) for line in ESCAPE.sub("", ran.stdout).splitlines()) <= 80
    assert "Replies to the cancel" in ran.stdout


def _counted(_: Mapping[str, object]) -> JobState | None:
    """From the counters: cancelled when any request was.

    More of it.
    """


def _too_late(_: Response) -> Outcome | None: ...


ODD: HttpAdapter = evolve(
    TALONIC,
    name="odd",
    default_url="https://{host}",
    other_key_envs=("OLD_KEY",),
    headers={"odd-version": "7", "odd-team": "{team}", "odd-region": "{region}"},
    cancel=Route("POST", "/{version}/cancel", {"p": "{project}"}, {"job": "{id:int}"}),
    id_pattern="[0-9]+",
    params={
        "host": "the workspace",
        "version": Param("version of the API", default="v1"),
        "project": Param("whose job it is", optional=True),
        "team": Param("whose key it is", optional=True, env="ODD_TEAM"),
        "region": Param("where it is", default="eu", env="ODD_REGION"),
    },
    other_url_envs={"ODD_API_URL": ""},
    verdict="said",
    verdicts={"OK": Outcome.CANCELLED},
    empty_body_statuses=frozenset({204}),
    state_hook=_counted,
    outcome_hook=_too_late,
)


def test_description_lists_unusual_settings() -> None:
    shown = describe(ODD)
    cancel = 'POST /{version}/cancel?p={project} with {"job": "{id:int}"}'
    assert cancel == shown["requests"]["cancel"]
    assert "TALONIC_API_KEY, or OLD_KEY" == shown["requests"]["API key"]
    assert "7" == shown["requests"]["header odd-version"]
    assert "must match [0-9]+; others are not sent" == shown["requests"]["job id"]
    assert "the workspace" == shown["requests"]["--param host"]
    assert "version of the API; v1 unless given" == shown["requests"]["--param version"]
    assert "whose job it is; optional" == shown["requests"]["--param project"]
    assert "whose key it is; ODD_TEAM unless given, or omitted" == shown["requests"]["--param team"]
    assert "where it is; ODD_REGION or eu unless given" == shown["requests"]["--param region"]
    assert "TALONIC_BASE_URL, or ODD_API_URL, or https://{host}" == shown["requests"]["base URL"]
    host = describe(AZURE_OPENAI_BATCH)["requests"]["--param resource"]
    assert "the name of the Azure OpenAI resource; required unless the base URL is given" == host
    assert "first: calls _too_late" == shown["replies"]["any reply"]
    assert (
        "cancelled" == shown["replies"]["said 'OK'"] == shown["replies"]["204 with an empty body"]
    )
    assert "first: From the counters: cancelled when any request was" == shown["states"]["any body"]
