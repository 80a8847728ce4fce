"""The cassettes replay, sync and async; they hold no secrets and are what is recorded today."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest
import vcr
import yaml

from jobcancel import AsyncCanceller, CancelResult, HttpAdapter, Outcome, get_adapter
from tests.cassette_cases import CASES, CASSETTES, Case, StillClock, still_canceller
from tests.record_cassettes import KEY_PLACEHOLDER, RECORDED_FROM, record

if TYPE_CHECKING:
    from pathlib import Path

    from vcr.cassette import Cassette

KEY = "any-key-will-do"
BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.provider}-{case.outcome}")

pytestmark = pytest.mark.filterwarnings("ignore:provider 'pulse-legacy':DeprecationWarning")


def replay(case: Case) -> Cassette:
    return vcr.VCR(record_mode=vcr.mode.NONE).use_cassette(str(case.path))


def cancel_sync(case: Case) -> CancelResult:
    with still_canceller() as canceller:
        return canceller.cancel(case.provider, case.seed.job_id, api_key=KEY, **case.options)


def cancel_async(case: Case) -> CancelResult:
    async def run() -> CancelResult:
        async with AsyncCanceller() as canceller:
            canceller._clock = StillClock().clock
            return await canceller.cancel(
                case.provider, case.seed.job_id, api_key=KEY, **case.options
            )

    return anyio.run(run)


@BY_NAME
@pytest.mark.parametrize("cancel", [cancel_sync, cancel_async])
def test_a_cassette_replays_to_its_outcome_and_to_its_end(case: Case, cancel: type) -> None:
    with replay(case) as cassette:
        result = cancel(case)
        assert (case.outcome, True) == (result.outcome, cassette.all_played)


@BY_NAME
def test_a_cassette_equals_a_fresh_recording(case: Case, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.yaml"
    record(case, fresh)
    assert case.path.read_text() == fresh.read_text()


@BY_NAME
def test_a_cassette_says_what_it_was_recorded_from_and_holds_no_key(case: Case) -> None:
    held = yaml.safe_load(case.path.read_text())
    assert {"recorded_from": RECORDED_FROM} == held["metadata"]
    for interaction in held["interactions"]:
        headers = {name: values[0] for name, values in interaction["request"]["headers"].items()}
        credentials = [headers[n] for n in ("x-api-key", "authorization") if n in headers]
        assert [KEY_PLACEHOLDER] == [word.removeprefix("Bearer ") for word in credentials]


@pytest.mark.parametrize(
    "word", ["sandbox-pulse-", "tlnc_", "127.0.0.1", "localhost", "jobcancel/"]
)
def test_no_cassette_names_a_key_or_a_machine(word: str) -> None:
    assert [] == [path for path in CASSETTES.rglob("*.yaml") if word in path.read_text()]


def test_every_cassette_is_used_once() -> None:
    assert {case.path: 1 for case in CASES} == Counter(case.path for case in CASES)
    assert {case.path for case in CASES} == set(CASSETTES.rglob("*.yaml"))


@pytest.mark.parametrize("provider", sorted({case.provider for case in CASES}))
def test_there_is_a_cassette_for_every_outcome_that_replies_can_lead_to(provider: str) -> None:
    adapter = get_adapter(provider)
    assert isinstance(adapter, HttpAdapter)
    read_from_the_status = {Outcome.CANCELLED, Outcome.ALREADY_TERMINAL, Outcome.UNKNOWN}
    possible = {*adapter.replies.values(), adapter.accepted, *read_from_the_status}
    assert possible <= {case.outcome for case in CASES if case.provider == provider}


def test_a_request_that_no_cassette_holds_surfaces_as_an_error() -> None:
    with (
        replay(CASES[0]),
        still_canceller() as canceller,
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
    ):
        canceller.cancel("pulse", "another-job", api_key=KEY)


def test_the_table_of_the_readme_names_the_job_of_each_cassette() -> None:
    readme = (CASSETTES / "README.md").read_text()
    rows = [f"| `{c.provider}/{c.outcome}` | `{c.seed.job_id}` |" for c in CASES]
    assert [row for row in rows if row not in readme] == []
