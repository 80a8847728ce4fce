"""The cassettes replay, contain no secrets and equal a fresh recording."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import vcr
import yaml

from jobcancel import (
    ConfigurationError,
    HttpAdapter,
    Outcome,
    get_adapter,
)
from jobcancel.registry import BUILT_IN
from jobcancel.sandbox.keys import KEYS
from jobcancel.testing.cassette import recorded, recording
from jobcancel.testing.cassette.scrub import KEY_PLACEHOLDER
from tests.cassette_cases import CASES, CASSETTES, Case, still_canceller
from tests.record_cassettes import HEADING, README, RECORDED_FROM, record, still_sandbox, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vcr.cassette import Cassette

    from jobcancel.sandbox import Sandbox

KEY = "any-key-will-do"
BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.provider}-{case.outcome}")

pytestmark = pytest.mark.filterwarnings("ignore:provider 'pulse-legacy':DeprecationWarning")


def replay(case: Case) -> Cassette:
    return vcr.VCR(record_mode=vcr.mode.NONE).use_cassette(str(case.path))


def adapter_of(provider: str) -> HttpAdapter:
    adapter = get_adapter(provider)
    assert isinstance(adapter, HttpAdapter)
    return adapter


@BY_NAME
def test_a_cassette_replays_to_its_outcome_and_is_used_up(case: Case) -> None:
    with replay(case) as cassette, still_canceller() as canceller:
        result = canceller.cancel(case.provider, case.job_id, api_key=KEY, **case.options)
        assert (case.outcome, True) == (result.outcome, cassette.all_played)


@pytest.fixture(scope="module")
def unmoved() -> Iterator[Sandbox]:
    with still_sandbox() as sandbox:
        yield sandbox


@BY_NAME
def test_a_cassette_equals_a_fresh_recording(case: Case, unmoved: Sandbox, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.yaml"
    record(unmoved, case, fresh)
    assert case.path.read_text() == fresh.read_text()


@BY_NAME
def test_a_cassette_has_its_metadata_and_no_key(case: Case) -> None:
    held = yaml.safe_load(case.path.read_text())
    expected = {
        "recorded_from": RECORDED_FROM,
        "provider": case.provider,
        "job_id": case.job_id,
        "outcome": str(case.outcome),
        "options": case.options,
    }
    assert expected == held["metadata"]
    credential = adapter_of(case.provider).credential
    for interaction in held["interactions"]:
        [sent] = interaction["request"]["headers"][credential.header.lower()]
        assert KEY_PLACEHOLDER == sent.removeprefix(credential.scheme).strip()


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return {path: path.read_text() for path in CASSETTES.rglob("*.yaml")}


@pytest.mark.parametrize(
    "word",
    [
        *("127.0.0.1", "localhost", "jobcancel/"),
        *(key for keys in KEYS.values() for key in keys),
    ],
)
def test_no_cassette_contains_a_key_or_a_host(word: str, texts: dict[Path, str]) -> None:
    assert [] == [path for path, text in texts.items() if word in text]


def test_every_cassette_has_one_case() -> None:
    assert {case.path: 1 for case in CASES} == Counter(case.path for case in CASES)
    assert {case.path for case in CASES} == set(CASSETTES.rglob("*.yaml"))


@pytest.mark.parametrize("provider", BUILT_IN)
def test_every_possible_outcome_has_a_cassette(provider: str) -> None:
    adapter = adapter_of(provider)
    from_the_status = {Outcome.CANCELLED, Outcome.ALREADY_TERMINAL, Outcome.UNKNOWN}
    declared = {*adapter.replies.values(), *adapter.verdicts.values(), adapter.accepted}
    possible = (declared | from_the_status) - {None}
    assert possible <= {case.outcome for case in CASES if case.provider == provider}


def test_a_request_that_was_not_recorded_raises() -> None:
    with (
        replay(CASES[0]),
        still_canceller() as canceller,
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
    ):
        canceller.cancel("pulse", "another-job", api_key=KEY)


def test_the_readme_lists_every_cassette() -> None:
    assert (HEADING, table()) == README.read_text().partition(HEADING)[1:]


def test_recorded_returns_a_reply_of_a_cassette() -> None:
    held = recording("pulse/cancelled")
    step = recorded(held.path)
    assert (200, "application/json") == (step.status_code, step.headers["content-type"])
    assert b'"Job cancelled successfully"' in step.content
    assert 429 == recorded("talonic/rate-limited").status_code


@pytest.mark.parametrize("number", [0, 2])
def test_recorded_rejects_a_missing_reply_number(number: int) -> None:
    with pytest.raises(ConfigurationError, match=f"has 1 replies, not {number}"):
        recorded("pulse/cancelled", number)
