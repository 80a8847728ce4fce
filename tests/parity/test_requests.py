"""The SDKs and jobcancel send the same."""

from __future__ import annotations

import pytest

from tests.parity import compare, compute, data, documents, llm, media
from tests.parity.compare import Case, each, each_call, of_family
from tests.parity.differences import ALLOWED, allowed

FAMILIES = {
    "compute": compute.CASES,
    "data": data.CASES,
    "documents": documents.CASES,
    "LLM batches": llm.CASES,
    "media": media.CASES,
}
CASES = [case for cases in FAMILIES.values() for case in cases]

# tests/test_official_sdk.py runs Pulse's SDK; Talonic has no SDK for Python.
ELSEWHERE = {"pulse", "pulse-legacy", "talonic"}


@each(CASES)
@each_call
def test_both_send_the_same_to_a_given_base_url(case: Case, call: str) -> None:
    assert allowed(case.provider, call) == compare.over_loopback(case, call)


@each(CASES)
@each_call
def test_both_send_the_same_to_the_default_base_url(case: Case, call: str) -> None:
    assert allowed(case.provider, call) == compare.by_default(case, call)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_provider_of_a_family_is_compared(family: str) -> None:
    compared = sorted(case.provider for case in FAMILIES[family])
    assert compared == [name for name in of_family(family) if name not in ELSEWHERE]


def test_an_allowed_difference_has_a_reason_and_is_listed_once() -> None:
    rows = [(row.provider, call, row.part) for row in ALLOWED for call in row.calls]
    assert sorted(set(rows)) == sorted(rows)
    assert [] == [row for row in ALLOWED if not row.why]
