"""The public values."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from jobcancel import (
    CancelFailed,
    CancelResult,
    Job,
    JobReading,
    JobState,
    Outcome,
    Progress,
)

RESULT = CancelResult(
    provider="talonic",
    job_id="1",
    outcome=Outcome.CANCELLED,
    state=JobState.CANCELLED,
    raw_state="failed",
    verified=True,
    message="Cancelled via API",
    code="job_failed",
    status_code=200,
    retry_after=1.5,
    attempts=1,
    elapsed=0.25,
    request_id="req_1",
    progress=Progress(12, 48),
    body={"status": "failed", "error": {"code": "job_failed"}, "list": [1, None]},
    at=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
)


def test_params_are_in_repr_and_dict_if_there_are_any() -> None:
    result = evolve(RESULT, params={"endpoint": "a"})
    assert "params" not in RESULT.to_dict()
    assert {"endpoint": "a"} == result.to_dict()["params"]
    assert result == CancelResult.from_dict(result.to_dict())


STOPPED = {Outcome.CANCELLED, Outcome.ALREADY_TERMINAL}
ACCEPTED = {Outcome.CANCELLED, Outcome.CANCELLING}
RETRYABLE = {Outcome.RATE_LIMITED, Outcome.UNKNOWN}


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_and_its_result_have_the_same_properties(outcome: Outcome) -> None:
    expected = (outcome in STOPPED, outcome in ACCEPTED, outcome in RETRYABLE)
    result = CancelResult(provider="pulse", job_id="1", outcome=outcome)
    assert expected == (outcome.stopped, outcome.accepted, outcome.retryable)
    assert expected == (result.stopped, result.accepted, result.retryable)


def test_a_result_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"ask \.stopped or \.accepted"):
        bool(RESULT)


def test_a_notebook_shows_a_result_as_an_escaped_table() -> None:
    shown = evolve(RESULT, message="<b>no</b>")._repr_html_()
    assert "&lt;b&gt;no&lt;/b&gt;" in shown
    assert "<th style='text-align:left'>outcome</th><td>cancelled</td>" in shown
    assert "body" not in shown


def test_raise_for_outcome_returns_the_result_of_a_stopped_job() -> None:
    assert RESULT is RESULT.raise_for_outcome()


def test_raise_for_outcome_raises_with_the_result_if_not_stopped() -> None:
    result = CancelResult(
        provider="pulse", job_id="1", outcome=Outcome.FORBIDDEN, message="not your job"
    )
    with pytest.raises(CancelFailed, match="'1' at 'pulse' was not stopped: forbidden: not your"):
        result.raise_for_outcome()


def test_cancel_failed_survives_a_process_pool() -> None:
    error = CancelFailed(CancelResult(provider="pulse", job_id="1", outcome=Outcome.UNKNOWN))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (error.result, str(error)) == (copy.result, str(copy))


@pytest.mark.parametrize("state", JobState)
def test_a_state_is_final_or_active_or_unknown(state: JobState) -> None:
    assert 1 == [state.final, state.active, state is JobState.UNKNOWN].count(True)


def test_a_result_round_trips_through_json() -> None:
    assert RESULT == CancelResult.from_dict(json.loads(json.dumps(RESULT.to_dict())))


def test_a_reading_round_trips_through_json() -> None:
    reading = JobReading(provider="pulse", job_id="1", problem=Outcome.NOT_FOUND, attempts=1)
    assert reading == JobReading.from_dict(json.loads(json.dumps(reading.to_dict())))


def test_from_dict_reports_every_invalid_field() -> None:
    with pytest.raises(ValueError, match=r"not a CancelResult: .*outcome.*attempts"):
        CancelResult.from_dict(
            {"provider": "pulse", "job_id": "1", "outcome": "done", "attempts": "many"}
        )


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"provider": "pulse", "job_id": None, "outcome": "unknown"},
        {"provider": "pulse", "job_id": "1", "outcome": "unknown", "verified": "false"},
        {"provider": "pulse", "job_id": "1", "outcome": "unknown", "elapsed": "1"},
    ],
)
def test_from_dict_does_not_convert_types(data: Any) -> None:
    with pytest.raises(ValueError, match="not a CancelResult"):
        CancelResult.from_dict(data)


def test_values_are_frozen_hashable_and_equal_by_value() -> None:
    with pytest.raises(FrozenInstanceError):
        RESULT.outcome = Outcome.UNKNOWN  # type: ignore[misc]
    assert hash(RESULT) == hash(CancelResult.from_dict(RESULT.to_dict()))


def test_a_job_keeps_its_own_copy_of_its_params() -> None:
    params = {"endpoint": "e1"}
    job = Job("runpod", "1", params)
    params["endpoint"] = "changed"
    assert "e1" == job.params["endpoint"]
    assert {job} == {Job("runpod", "1", {"endpoint": "e1"})}
