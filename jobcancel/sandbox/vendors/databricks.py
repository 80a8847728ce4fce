"""Databricks: job runs and SQL statements."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Template,
    Vendor,
    as_number,
    as_uuid,
    cancels,
    states,
)


def _databricks(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error_code": code, "message": message})


def _run(life_cycle: str, result: str | None = None, code: str | None = None) -> Template:
    """Return the two fields of a run that have its state, the second one deprecated."""
    status: dict[str, object] = {"state": life_cycle}
    state = {"life_cycle_state": life_cycle}
    if result is not None:
        status["termination_details"] = {"code": code or result}
        state["result_state"] = result
    return {"status": status, "state": state}


DATABRICKS_RUN = Vendor(
    name="databricks-run",
    family="databricks",
    key_env="DATABRICKS_TOKEN",
    url_env="DATABRICKS_HOST",
    cancel=Address("POST", "/api/2.2/jobs/runs/cancel", "body", "run_id"),
    status=Address("GET", "/api/2.2/jobs/runs/get", "query", "run_id"),
    new_id=as_number,
    words=states(
        pending="PENDING",
        running="RUNNING",
        cancelling="TERMINATING",
        cancelled="CANCELED",
        succeeded="SUCCESS",
        failed="FAILED",
        expired="TIMEDOUT",
    ),
    job={"run_id": "{id}", **_run("{word}")},
    extra={
        JobState.CANCELLED: _run("TERMINATED", "{word}", "USER_CANCELED"),
        JobState.SUCCEEDED: _run("TERMINATED", "{word}"),
        JobState.FAILED: _run("TERMINATED", "{word}", "RUN_EXECUTION_ERROR"),
        JobState.EXPIRED: _run("TERMINATED", "{word}", "CANCELED"),
    },
    # The same receipt for a finished run, which is not changed.
    cancels=cancels(Answer(200, {}), Answer(200, {})),
    unknown=_databricks(400, "INVALID_PARAMETER_VALUE", "Run {id} does not exist."),
    foreign=_databricks(403, "PERMISSION_DENIED", "No permission on run {id}"),
    # From logs that users published.
    wrong_key=Answer(403, {"error_code": 403, "message": "Invalid access token."}),
    limit=_databricks(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"),
)

DATABRICKS_STATEMENT = evolve(
    DATABRICKS_RUN,
    name="databricks-statement",
    cancel=Address("POST", "/api/2.0/sql/statements/{job_id}/cancel"),
    status=Address("GET", "/api/2.0/sql/statements/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="PENDING",
        running="RUNNING",
        cancelled="CANCELED",
        succeeded="SUCCEEDED",
        failed="FAILED",
    ),
    job={"statement_id": "{id}", "status": {"state": "{word}"}},
    extra={},
    cancels=cancels(
        Answer(200, {}),
        # Not documented.
        _databricks(400, "INVALID_STATE", "The statement has ended"),
    ),
    unknown=_databricks(404, "RESOURCE_DOES_NOT_EXIST", "There is no statement {id}"),
)
