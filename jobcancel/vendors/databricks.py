"""Databricks: job runs and SQL statements. The reply to a cancel is only a receipt, `{}`.

Sources: the vendor's Python SDK databricks-sdk 0.162.0 (URLs, the workspace header, states, errors,
and the reply for an unknown run: a 400 with a message) and its page on cancelling a statement. A
run contains its state twice: in `status`, and in the deprecated `state`. An older version of the
API documentation says that cancelling a finished run has no effect; the reply for a finished
statement is not documented. Published logs of users of the vendor's other SDKs show that a wrong
token is a 403.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from attrs import evolve

from jobcancel.adapter import BEARER, HttpAdapter, Override, Param, Route
from jobcancel.adapter.body import pick, pick_text
from jobcancel.models import JobState, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel.adapter import Response

# The SDK recognizes both wordings, with ids in between.
_NO_RUN = re.compile(r"Run \S{1,64} does not exist|Run: \S{1,64} in job: \S{1,64} doesn't exist")

# The hosts of AWS, Azure and GCP, and of their government and China clouds, as in the SDK.
_HOSTS = (
    *("*.cloud.databricks.com", "*.cloud.databricks.us", "*.cloud.databricks.mil"),
    *("*.azuredatabricks.net", "*.databricks.azure.us", "*.databricks.azure.cn"),
    "*.gcp.databricks.com",
)

# The reasons why a run with the `status` TERMINATED ended; more codes may follow.
_CODES = {
    "SUCCESS": JobState.SUCCEEDED,
    "SUCCESS_WITH_FAILURES": JobState.SUCCEEDED,
    "USER_CANCELED": JobState.CANCELLED,
    # By the platform, "for example, if the maximum run duration was exceeded".
    "CANCELED": JobState.EXPIRED,
    **dict.fromkeys(
        (
            *("BREAKING_CHANGE", "BUDGET_POLICY_LIMIT_EXCEEDED", "CLOUD_FAILURE", "CLUSTER_ERROR"),
            *("CLUSTER_REQUEST_LIMIT_EXCEEDED", "DISABLED", "DRIVER_ERROR", "FEATURE_DISABLED"),
            *("INTERNAL_ERROR", "INVALID_CLUSTER_REQUEST", "INVALID_RUN_CONFIGURATION"),
            *("LIBRARY_INSTALLATION_ERROR", "MAX_CONCURRENT_RUNS_EXCEEDED"),
            *("MAX_JOB_QUEUE_SIZE_EXCEEDED", "MAX_SPARK_CONTEXTS_EXCEEDED"),
            *("REPOSITORY_CHECKOUT_FAILED", "RESOURCE_NOT_FOUND", "RUN_EXECUTION_ERROR", "SKIPPED"),
            *("STORAGE_ACCESS_ERROR", "UNAUTHORIZED_ERROR", "WORKSPACE_RUN_LIMIT_EXCEEDED"),
        ),
        JobState.FAILED,
    ),
}
# The results of a run with the `state` TERMINATED. Runs that never started are like SKIPPED.
_RESULTS = {
    "SUCCESS": JobState.SUCCEEDED,
    "SUCCESS_WITH_FAILURES": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "UPSTREAM_FAILED": JobState.FAILED,
    "MAXIMUM_CONCURRENT_RUNS_REACHED": JobState.FAILED,
    "EXCLUDED": JobState.FAILED,
    "DISABLED": JobState.FAILED,
    "TIMEDOUT": JobState.EXPIRED,
    "CANCELED": JobState.CANCELLED,
    "UPSTREAM_CANCELED": JobState.CANCELLED,
}


_STATES = {
    "QUEUED": JobState.PENDING,
    "PENDING": JobState.PENDING,
    "BLOCKED": JobState.PENDING,
    "WAITING": JobState.PENDING,
    "WAITING_FOR_RETRY": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    # It has finished or is being cancelled; only its result will show which.
    "TERMINATING": JobState.RUNNING,
    "SKIPPED": JobState.FAILED,
    "INTERNAL_ERROR": JobState.FAILED,
}


def _goes_on(body: Mapping[str, Any]) -> JobState | None:
    """For a run that has not ended, `status` takes precedence over the deprecated `state`."""
    word = pick(body, ["status.state"])
    return _STATES.get(word) if isinstance(word, str) else None


def _wrong_token(response: Response) -> Outcome | None:
    """A 403 whose message says that the access token is invalid is unauthorized."""
    wrong = pick(response.body or {}, ["message"]) == "Invalid access token."
    return Outcome.UNAUTHORIZED if wrong and response.status_code == HTTPStatus.FORBIDDEN else None


def _no_such_run(response: Response) -> Outcome | None:
    """A 400 whose message says that the run does not exist is not-found."""
    message = pick_text(response.body or {}, ["message"])
    code = pick(response.body or {}, ["error_code"])
    refused = (response.status_code, code) == (400, "INVALID_PARAMETER_VALUE")
    unknown = refused and _NO_RUN.search(message)
    return Outcome.NOT_FOUND if unknown else _wrong_token(response)


DATABRICKS_RUN = HttpAdapter(
    name="databricks-run",
    title="Databricks job run",
    docs="docs.databricks.com, REST API, jobs, cancel a run",
    family="data",
    notes=(
        "The vendor acknowledges a cancel and completes it later; `verify` waits for that. The "
        "acknowledgment for a finished run is the same, so jobcancel reads the status once. A run "
        "that the platform cancelled, for example after its maximum duration, has expired: only "
        "`USER_CANCELED` is `cancelled`. The param `host`, or the base URL, is the workspace; "
        "DATABRICKS_HOST must be a URL with https://."
    ),
    # Endpoint
    default_url="https://{host}",
    key_env="DATABRICKS_TOKEN",
    url_env="DATABRICKS_HOST",
    credential=BEARER,
    # Requests
    headers={"x-databricks-workspace-id": "{workspace_id}"},
    params={
        "host": Param(
            "the host of the workspace, such as `dbc-a1b2345c-d6e7.cloud.databricks.com`",
            optional=True,
            hosts=_HOSTS,
        ),
        "workspace_id": Param(
            "the workspace, if the host serves several",
            optional=True,
            env="DATABRICKS_WORKSPACE_ID",
        ),
    },
    cancel=Route("POST", "/api/2.2/jobs/runs/cancel", body={"run_id": "{id:int}"}),
    status=Route("GET", "/api/2.2/jobs/runs/get", query={"run_id": "{id}"}),
    # Replies
    accepted=Outcome.CANCELLING,
    empty_body_statuses=frozenset({200}),
    confirm_success=True,
    replies={
        "RESOURCE_DOES_NOT_EXIST": Outcome.NOT_FOUND,
        "PERMISSION_DENIED": Outcome.FORBIDDEN,
        "REQUEST_LIMIT_EXCEEDED": Outcome.RATE_LIMITED,
        "RESOURCE_EXHAUSTED": Outcome.RATE_LIMITED,
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    outcome_hook=_no_such_run,
    states=_STATES,
    state_hook=_goes_on,
    overrides=(
        *(
            Override(
                where={"status.state": "TERMINATED", "status.termination_details.code": code},
                state=state,
            )
            for code, state in _CODES.items()
        ),
        *(
            Override(
                where={"state.life_cycle_state": "TERMINATED", "state.result_state": result},
                state=state,
            )
            for result, state in _RESULTS.items()
        ),
    ),
    # Fields of a body
    state=("status.state", "state.life_cycle_state"),
    job_id="run_id",
    message=("message", "error", "status.termination_details.message", "state.state_message"),
    code=("error_code",),
)

DATABRICKS_STATEMENT = evolve(
    DATABRICKS_RUN,
    name="databricks-statement",
    title="Databricks SQL statement",
    docs="docs.databricks.com, REST API, statement execution, cancel",
    notes=(
        "The vendor acknowledges a cancel and completes it later; `verify` waits for that. The "
        "vendor doesn't document its reply for a finished statement. Because that may be the same, "
        "jobcancel reads the status once. The param `host`, or the base URL, is the workspace; "
        "DATABRICKS_HOST must be a URL with https://."
    ),
    credentials_of="databricks-run",
    cancel=Route("POST", "/api/2.0/sql/statements/{id}/cancel", body={}),
    status=Route("GET", "/api/2.0/sql/statements/{id}"),
    outcome_hook=_wrong_token,
    states={
        "PENDING": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "SUCCEEDED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "CANCELED": JobState.CANCELLED,
        # The statement succeeded, and its result is no longer available.
        "CLOSED": JobState.SUCCEEDED,
    },
    state_hook=None,
    overrides=(),
    state="status.state",
    job_id="statement_id",
    message=("message", "error", "status.error.message"),
)
