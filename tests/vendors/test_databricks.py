"""Databricks, according to its SDK: job runs with a number as id, and SQL statements."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from jobcancel import Canceller, ConfigurationError, config
from jobcancel.models import Job, JobState, Outcome
from jobcancel.testing import AdapterContract
from jobcancel.testing import reply as answer
from jobcancel.vendors.databricks import DATABRICKS_RUN, DATABRICKS_STATEMENT
from tests.hand import ENDPOINT, play_cancel, play_status, reply

if TYPE_CHECKING:
    from jobcancel import HttpAdapter
    from jobcancel.testing.contract.inputs import Replies

RUN = "455644833"
STATEMENT = "00000000-0000-4000-8000-000000000001"
HOST = {"host": "dbc-a1b2345c-d6e7.cloud.databricks.com"}


def error(code: str, message: str = "m") -> dict[str, Any]:
    return {"error_code": code, "message": message}


def run(life_cycle: str, result: str | None = None) -> dict[str, Any]:
    state = {"life_cycle_state": life_cycle, "state_message": ""}
    return {"run_id": 455644833, "state": state | ({"result_state": result} if result else {})}


NO_RUN = [
    error("INVALID_PARAMETER_VALUE", message)
    for message in ("Run 455644833 does not exist.", "Run: 4 in job: 5 doesn't exist")
]
REFUSALS: dict[Outcome, Replies] = {
    Outcome.UNAUTHORIZED: answer(401, error("UNAUTHENTICATED")),
    Outcome.FORBIDDEN: [answer(403, error("PERMISSION_DENIED")), answer(403, {"message": 7})],
    Outcome.RATE_LIMITED: [
        answer(429, error("REQUEST_LIMIT_EXCEEDED")),
        answer(429, error("RESOURCE_EXHAUSTED")),
    ],
}
ENDS = {
    JobState.SUCCEEDED: ["SUCCESS", "SUCCESS_WITH_FAILURES"],
    JobState.FAILED: [
        *("FAILED", "UPSTREAM_FAILED", "EXCLUDED", "DISABLED"),
        "MAXIMUM_CONCURRENT_RUNS_REACHED",
    ],
    JobState.EXPIRED: ["TIMEDOUT"],
    JobState.CANCELLED: ["CANCELED", "UPSTREAM_CANCELED"],
}
WAITING = ("QUEUED", "PENDING", "BLOCKED", "WAITING_FOR_RETRY")


# The termination codes in `status`; the state of a run that ended is always TERMINATED.
CODES = {
    JobState.SUCCEEDED: ["SUCCESS", "SUCCESS_WITH_FAILURES"],
    JobState.CANCELLED: ["USER_CANCELED"],
    # Cancelled by the platform, for example after the maximum duration.
    JobState.EXPIRED: ["CANCELED"],
    JobState.FAILED: ["RUN_EXECUTION_ERROR", "INTERNAL_ERROR", "SKIPPED", "CLUSTER_ERROR"],
    JobState.UNKNOWN: ["CODE_OF_TOMORROW"],
}


def status(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    details = {"termination_details": {"code": code, "type": "t", "message": "m"}} if code else {}
    return {"run_id": 455644833, "status": {"state": word, **details}, **more}


class TestDatabricksRun(AdapterContract):
    adapter = DATABRICKS_RUN
    job_id = RUN
    params = HOST
    replies = {
        Outcome.CANCELLING: answer(200, {}),
        Outcome.NOT_FOUND: [
            *(answer(400, body) for body in NO_RUN),
            answer(404, error("RESOURCE_DOES_NOT_EXIST")),
        ],
        Outcome.UNKNOWN: [
            answer(400, error("INVALID_PARAMETER_VALUE", "something else")),
            answer(400, error("INVALID_STATE", "Run 1 does not exist")),
        ],
        **REFUSALS,
    }
    statuses = {
        JobState.PENDING: [
            *(answer(200, run(word)) for word in WAITING),
            *(answer(200, status(word)) for word in ("QUEUED", "PENDING", "BLOCKED", "WAITING")),
        ],
        JobState.RUNNING: [
            *(answer(200, run(word)) for word in ("RUNNING", "TERMINATING")),
            *(answer(200, status(word)) for word in ("RUNNING", "TERMINATING")),
        ],
        **{
            state: [answer(200, run("TERMINATED", result)) for result in results]
            for state, results in ENDS.items()
        },
        JobState.UNKNOWN: [answer(200, run("TERMINATED")), answer(200, run("TERMINATED", "NEW"))],
    }
    undocumented = [Outcome.ALREADY_TERMINAL]


class TestDatabricksStatement(AdapterContract):
    adapter = DATABRICKS_STATEMENT
    job_id = STATEMENT
    params = HOST
    replies = {
        Outcome.CANCELLING: answer(200, {}),
        Outcome.NOT_FOUND: answer(404, error("RESOURCE_DOES_NOT_EXIST")),
        **REFUSALS,
    }
    statuses = {
        state: [
            answer(200, {"statement_id": STATEMENT, "status": {"state": word}}) for word in words
        ]
        for state, words in {
            JobState.PENDING: ["PENDING"],
            JobState.RUNNING: ["RUNNING"],
            JobState.SUCCEEDED: ["SUCCEEDED", "CLOSED"],
            JobState.FAILED: ["FAILED"],
            JobState.CANCELLED: ["CANCELED"],
        }.items()
    }
    undocumented = [Outcome.ALREADY_TERMINAL]


@pytest.mark.parametrize("adapter", [DATABRICKS_RUN, DATABRICKS_STATEMENT])
def test_a_403_for_a_wrong_token_is_unauthorized(adapter: HttpAdapter) -> None:
    wrong = reply(403, {"error_code": 403, "message": "Invalid access token."})
    job = Job(adapter.name, RUN, HOST)
    assert Outcome.UNAUTHORIZED is adapter.read_cancel(job, wrong).outcome
    assert Outcome.UNAUTHORIZED is adapter.read_status(job, wrong).outcome


def test_the_id_of_a_run_is_sent_as_a_number_in_the_body() -> None:
    job = Job("databricks-run", RUN, HOST)
    cancel = DATABRICKS_RUN.cancel_request(job, ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/api/2.2/jobs/runs/cancel") == (
        cancel.method,
        cancel.url,
    )
    assert {"run_id": 455644833} == json.loads(cancel.content or b"")
    assert {"content-type": "application/json"} == cancel.headers
    status = DATABRICKS_RUN.status_request(job, ENDPOINT)
    assert status is not None
    assert f"https://vendor.example/api/2.2/jobs/runs/get?run_id={RUN}" == status.url


@pytest.mark.parametrize(
    ("code", "state"), [(code, state) for state, codes in CODES.items() for code in codes]
)
def test_the_termination_code_determines_the_state_of_a_run(code: str, state: JobState) -> None:
    body = status("TERMINATED", code)
    reading, _ = play_status(reply(200, body), adapter=DATABRICKS_RUN, job_id=RUN)
    assert (state, "TERMINATED", "m") == (reading.state, reading.raw_state, reading.message)


@pytest.mark.parametrize(
    ("code", "result", "outcome"),
    [
        ("USER_CANCELED", "CANCELED", Outcome.CANCELLED),
        ("CANCELED", "CANCELED", Outcome.ALREADY_TERMINAL),
        # A known result takes precedence over an unknown code.
        ("CODE_OF_TOMORROW", "CANCELED", Outcome.CANCELLED),
        ("CODE_OF_TOMORROW", "FAILED", Outcome.ALREADY_TERMINAL),
    ],
)
def test_a_cancel_by_the_platform_is_not_attributed_to_us(
    code: str, result: str, outcome: Outcome
) -> None:
    both = status("TERMINATED", code, state=run("TERMINATED", result)["state"])
    found, _ = play_cancel(reply(200, {}), reply(200, both), adapter=DATABRICKS_RUN, job_id=RUN)
    assert outcome is found.outcome


def test_the_status_of_a_run_takes_precedence_over_its_deprecated_state() -> None:
    both = status("RUNNING", state=run("TERMINATED", "CANCELED")["state"])
    reading, _ = play_status(reply(200, both), adapter=DATABRICKS_RUN, job_id=RUN)
    assert (JobState.RUNNING, "RUNNING") == (reading.state, reading.raw_state)


@pytest.mark.parametrize("adapter", [DATABRICKS_RUN, DATABRICKS_STATEMENT])
def test_the_workspace_id_is_sent_in_a_header(
    adapter: HttpAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "1234567890")
    job = config.job(adapter, RUN, HOST)
    requests = [
        adapter.cancel_request(job, ENDPOINT, "unused"),
        adapter.status_request(job, ENDPOINT),
    ]
    named = [each and each.headers["x-databricks-workspace-id"] for each in requests]
    assert ["1234567890", "1234567890"] == named


def test_a_non_numeric_run_id_is_invalid_and_not_sent() -> None:
    result, did = play_cancel(adapter=DATABRICKS_RUN, job_id="run-1")
    assert (Outcome.INVALID, []) == (result.outcome, did)


def test_a_statement_is_cancelled_with_an_empty_object() -> None:
    job = Job("databricks-statement", "a/b", HOST)
    request = DATABRICKS_STATEMENT.cancel_request(job, ENDPOINT, "unused")
    assert ("POST", "https://vendor.example/api/2.0/sql/statements/a%2Fb/cancel", b"{}") == (
        request.method,
        request.url,
        request.content,
    )


@pytest.mark.parametrize("word", ["SKIPPED", "INTERNAL_ERROR"])
def test_a_run_that_did_not_start_has_failed(word: str) -> None:
    reading, _ = play_status(reply(200, run(word)), adapter=DATABRICKS_RUN, job_id=RUN)
    assert (JobState.FAILED, word) == (reading.state, reading.raw_state)


@pytest.mark.parametrize("body", NO_RUN)
def test_an_unknown_run_is_not_found_by_a_status_read(body: dict[str, Any]) -> None:
    reading, _ = play_status(reply(400, body), adapter=DATABRICKS_RUN, job_id=RUN)
    assert (None, Outcome.NOT_FOUND) == (reading.state, reading.problem)


def test_verify_distinguishes_finished_from_cancelled_runs() -> None:
    ended = reply(200, run("TERMINATED", "SUCCESS"))
    result, _ = play_cancel(reply(200, {}), ended, adapter=DATABRICKS_RUN, job_id=RUN, verify=True)
    assert (Outcome.ALREADY_TERMINAL, True) == (result.outcome, result.verified)


def test_a_host_without_a_scheme_is_rejected_with_the_expected_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", HOST["host"])
    with (
        Canceller(api_keys={"databricks-run": "k"}) as canceller,
        pytest.raises(ConfigurationError, match="is not an http or https URL"),
    ):
        canceller.cancel("databricks-run", RUN)


def test_the_error_for_a_missing_host_names_host_and_base_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    with (
        Canceller(api_keys={"databricks-run": "k"}) as canceller,
        pytest.raises(ConfigurationError, match=r"needs the param 'host'.*set DATABRICKS_HOST"),
    ):
        canceller.cancel("databricks-statement", STATEMENT)
