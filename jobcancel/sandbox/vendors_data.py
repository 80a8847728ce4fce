"""The vendors of data, declared from their documentation."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Template,
    Vendor,
    as_number,
    as_uuid,
    cancels,
    prefixed,
)


def _apify(status: int, kind: str, message: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message}})


_APIFY = Vendor(
    name="apify",
    family="apify",
    key_env="APIFY_TOKEN",
    url_env="APIFY_BASE_URL",
    cancel=Address("POST", "/v2/actor-runs/{job_id}/abort"),
    status=Address("GET", "/v2/actor-runs/{job_id}"),
    new_id=prefixed(""),
    words={
        JobState.PENDING: "READY",
        JobState.RUNNING: "RUNNING",
        JobState.CANCELLING: "ABORTING",
        JobState.CANCELLED: "ABORTED",
        JobState.SUCCEEDED: "SUCCEEDED",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "TIMED-OUT",
    },
    job={"data": {"id": "{id}", "status": "{word}"}},
    # A finished run is left as it is.
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        Answer(200, job=True),
    ),
    unknown=_apify(404, "record-not-found", "Actor run was not found"),
    foreign=_apify(403, "insufficient-permissions", "Insufficient permissions"),
    # Ours is what makes an id malformed.
    id_form=r"[A-Za-z0-9]+",
    malformed=_apify(400, "invalid-input", "The run id has characters that no id has"),
    wrong_key=_apify(401, "invalid-token", "The token is not valid"),
    limit=_apify(429, "rate-limit-exceeded", "You have exceeded the rate limit"),
)

_FIRECRAWL_CRAWL = Vendor(
    name="firecrawl-crawl",
    family="firecrawl",
    key_env="FIRECRAWL_API_KEY",
    url_env="FIRECRAWL_BASE_URL",
    cancel=Address("DELETE", "/v2/crawl/{job_id}"),
    status=Address("GET", "/v2/crawl/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "scraping",
        JobState.RUNNING: "scraping",
        JobState.CANCELLED: "cancelled",
        JobState.SUCCEEDED: "completed",
        JobState.FAILED: "failed",
    },
    job={"success": True, "status": "{word}", "total": "{documents}", "completed": "{done}"},
    # Only a job that is completed is refused.
    cancels=cancels(
        Answer(200, {"status": "cancelled"}),
        Answer(200, {"status": "cancelled"}),
        succeeded=Answer(409, {"success": False, "error": "The job has ended"}),
    ),
    unknown=Answer(404, {"success": False, "error": "Job not found"}),
    # As it was in 2025; servers of 2026 answer as of an unknown job.
    foreign=Answer(403, {"success": False, "error": "Unauthorized"}),
    id_form=UUID,
    malformed=Answer(400, {"success": False, "error": "The job id is not a UUID"}),
    wrong_key=Answer(401, {"success": False, "error": "Unauthorized: Invalid token"}),
    limit=Answer(429, {"success": False, "error": "Rate limit exceeded"}),
)
_FIRECRAWL_BATCH = evolve(
    _FIRECRAWL_CRAWL,
    name="firecrawl-batch",
    cancel=Address("DELETE", "/v2/batch/scrape/{job_id}"),
    status=Address("GET", "/v2/batch/scrape/{job_id}"),
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


_DATABRICKS_RUN = Vendor(
    name="databricks-run",
    family="databricks",
    key_env="DATABRICKS_TOKEN",
    url_env="DATABRICKS_HOST",
    cancel=Address("POST", "/api/2.2/jobs/runs/cancel", "body", "run_id"),
    status=Address("GET", "/api/2.2/jobs/runs/get", "query", "run_id"),
    new_id=as_number,
    words={
        JobState.PENDING: "PENDING",
        JobState.RUNNING: "RUNNING",
        JobState.CANCELLING: "TERMINATING",
        JobState.CANCELLED: "CANCELED",
        JobState.SUCCEEDED: "SUCCESS",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "TIMEDOUT",
    },
    job={"run_id": "{id}", **_run("{word}")},
    extra={
        JobState.CANCELLED: _run("TERMINATED", "{word}", "USER_CANCELED"),
        JobState.SUCCEEDED: _run("TERMINATED", "{word}"),
        JobState.FAILED: _run("TERMINATED", "{word}", "RUN_EXECUTION_ERROR"),
        JobState.EXPIRED: _run("TERMINATED", "{word}", "CANCELED"),
    },
    # A receipt, and the same one for a finished run, of which nothing is changed.
    cancels=cancels(Answer(200, {}), Answer(200, {})),
    unknown=_databricks(400, "INVALID_PARAMETER_VALUE", "Run {id} does not exist."),
    foreign=_databricks(403, "PERMISSION_DENIED", "No permission on run {id}"),
    # In logs that users have published.
    wrong_key=Answer(403, {"error_code": 403, "message": "Invalid access token."}),
    limit=_databricks(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"),
)
_DATABRICKS_STATEMENT = evolve(
    _DATABRICKS_RUN,
    name="databricks-statement",
    cancel=Address("POST", "/api/2.0/sql/statements/{job_id}/cancel"),
    status=Address("GET", "/api/2.0/sql/statements/{job_id}"),
    new_id=as_uuid,
    words={
        JobState.PENDING: "PENDING",
        JobState.RUNNING: "RUNNING",
        JobState.CANCELLED: "CANCELED",
        JobState.SUCCEEDED: "SUCCEEDED",
        JobState.FAILED: "FAILED",
    },
    job={"statement_id": "{id}", "status": {"state": "{word}"}},
    extra={},
    cancels=cancels(
        Answer(200, {}),
        # Ours.
        _databricks(400, "INVALID_STATE", "The statement has ended"),
    ),
    unknown=_databricks(404, "RESOURCE_DOES_NOT_EXIST", "There is no statement {id}"),
)

DATA_VENDORS = (
    *(_APIFY, _FIRECRAWL_CRAWL, _FIRECRAWL_BATCH, _DATABRICKS_RUN, _DATABRICKS_STATEMENT),
)
