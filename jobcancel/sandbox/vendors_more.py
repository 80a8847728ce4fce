"""The vendors of documents, data and compute, declared from their documentation.

Where a vendor does not document what it answers, the answer is ours and marked so: one that is
plausible and that only a look at the job settles.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendor import (
    Address,
    Answer,
    Template,
    Vendor,
    cancels,
    prefixed,
    random_number,
    random_uuid,
)

_UPPER = {
    JobState.PENDING: "PENDING",
    JobState.RUNNING: "RUNNING",
    JobState.CANCELLED: "CANCELLED",
    JobState.SUCCEEDED: "COMPLETED",
    JobState.FAILED: "FAILED",
}
_FLAT: Template = {"id": "{id}", "status": "{word}"}


def _detail(status: int, text: str) -> Answer:
    return Answer(status, {"detail": text})


_LLAMACLOUD_EXTRACT = Vendor(
    name="llamacloud-extract",
    family="llamacloud",
    key_env="LLAMA_CLOUD_API_KEY",
    url_env="LLAMA_CLOUD_BASE_URL",
    cancel=Address("POST", "/api/v2/extract/{job_id}/cancel"),
    status=Address("GET", "/api/v2/extract/{job_id}"),
    new_id=prefixed("ext-"),
    words=_UPPER,
    job=_FLAT,
    # "Cannot be cancelled" is documented, the status code is ours.
    cancels=cancels(Answer(200, job=True), _detail(400, "Job {id} cannot be cancelled")),
    # Ours.
    unknown=_detail(404, "Job not found"),
    foreign=_detail(403, "The project is not yours"),
    wrong_key=_detail(401, "Invalid API key"),
    limit=_detail(429, "Rate limit exceeded"),
    tells_wait=False,
)
_LLAMACLOUD_PARSE = evolve(
    _LLAMACLOUD_EXTRACT,
    name="llamacloud-parse",
    cancel=Address("POST", "/api/v2/parse/{job_id}/cancel"),
    status=Address("GET", "/api/v2/parse/{job_id}"),
    new_id=prefixed("pjb-"),
    # A status read has the job within an object; the reply to a cancel is the job itself.
    job={"job": _FLAT},
    cancels=cancels(Answer(200, _FLAT), _detail(400, "Job {id} cannot be cancelled")),
)
_LLAMACLOUD_BATCH = evolve(
    _LLAMACLOUD_EXTRACT,
    name="llamacloud-batch",
    cancel=Address("POST", "/api/v2/batches/{job_id}/cancel"),
    status=Address("GET", "/api/v2/batches/{job_id}"),
    new_id=prefixed("bat-"),
    cancels=cancels(
        Answer(200, job=True, shows=JobState.RUNNING),
        _detail(400, "Batch {id} cannot be cancelled"),
    ),
)


def _extend(status: int, code: str, message: str, *, stops: bool = True) -> Answer:
    body = {"code": code, "message": message, "retryable": False, "requestId": "req_sandbox"}
    return Answer(status, body, stops=stops)


# That it is refused is documented, the status code is ours.
_NOT_PROCESSING = _extend(400, "INVALID_REQUEST", "The run is not PROCESSING", stops=False)

_EXTEND_EXTRACT = Vendor(
    name="extend-extract",
    family="extend",
    key_env="EXTEND_API_KEY",
    url_env="EXTEND_BASE_URL",
    needs_headers=("x-extend-api-version",),
    cancel=Address("POST", "/extract_runs/{job_id}/cancel"),
    status=Address("GET", "/extract_runs/{job_id}"),
    new_id=prefixed("exr_"),
    words={**_UPPER, JobState.RUNNING: "PROCESSING", JobState.SUCCEEDED: "PROCESSED"},
    job={"object": "extract_run", **_FLAT},
    cancels=cancels(Answer(200, job=True), _NOT_PROCESSING, pending=_NOT_PROCESSING),
    unknown=_extend(404, "NOT_FOUND", "No run {id}"),
    # Ours.
    foreign=_extend(404, "NOT_FOUND", "No run {id}"),
    wrong_key=_extend(401, "UNAUTHORIZED", "The API key is not valid"),
    limit=Answer(
        429,
        {"code": "RATE_LIMIT_EXCEEDED", "message": "Too many requests", "retryable": True},
    ),
    tells_wait=False,
    incomplete=_extend(400, "INVALID_REQUEST", "x-extend-api-version is required"),
)


def _extend_runs(kind: str, prefix: str) -> Vendor:
    return evolve(
        _EXTEND_EXTRACT,
        name=f"extend-{kind}",
        cancel=Address("POST", f"/{kind}_runs/{{job_id}}/cancel"),
        status=Address("GET", f"/{kind}_runs/{{job_id}}"),
        new_id=prefixed(prefix),
        job={"object": f"{kind}_run", **_FLAT},
    )


_EXTEND_WORKFLOW = evolve(
    _extend_runs("workflow", "workflow_run_"),
    words={**_EXTEND_EXTRACT.words, JobState.CANCELLING: "CANCELLING"},
    cancels=cancels(Answer(200, job=True, shows=JobState.CANCELLING), _NOT_PROCESSING),
)

_REDUCTO = Vendor(
    name="reducto",
    family="reducto",
    key_env="REDUCTO_API_KEY",
    url_env="REDUCTO_BASE_URL",
    cancel=Address("POST", "/cancel/{job_id}"),
    status=Address("GET", "/job/{job_id}"),
    new_id=random_uuid,
    # There is no word for a cancelled job.
    words={
        JobState.PENDING: "Pending",
        JobState.RUNNING: "Pending",
        JobState.CANCELLED: "Failed",
        JobState.SUCCEEDED: "Completed",
        JobState.FAILED: "Failed",
    },
    job={"status": "{word}"},
    extra={
        # Ours is that a cancelled job has it; the name is in the vendor's SDK.
        JobState.CANCELLED: {"error": {"name": "JOB_CANCELLED", "message": "Cancelled"}},
        JobState.FAILED: {"reason": "The document could not be read"},
    },
    # The vendor documents no more than 200 and 422: the rest is ours.
    cancels=cancels(Answer(200, {}), _detail(400, "The job has ended")),
    unknown=_detail(404, "Job not found"),
    foreign=_detail(404, "Job not found"),
    wrong_key=_detail(401, "Invalid API key"),
    limit=_detail(429, "Too many requests"),
)

_UNSTRUCTURED = Vendor(
    name="unstructured",
    family="unstructured",
    key_env="UNSTRUCTURED_API_KEY",
    url_env="UNSTRUCTURED_BASE_URL",
    header="unstructured-api-key",
    scheme="",
    cancel=Address("POST", "/api/v1/jobs/{job_id}/cancel"),
    status=Address("GET", "/api/v1/jobs/{job_id}"),
    new_id=random_uuid,
    words={
        JobState.PENDING: "SCHEDULED",
        JobState.RUNNING: "IN_PROGRESS",
        JobState.CANCELLED: "STOPPED",
        JobState.SUCCEEDED: "COMPLETED",
        JobState.FAILED: "FAILED",
    },
    job=_FLAT,
    # The vendor documents no more than 200 and 422: the rest is ours.
    cancels=cancels(Answer(200, {}), _detail(400, "The job has ended")),
    unknown=_detail(404, "Job not found"),
    foreign=_detail(404, "Job not found"),
    wrong_key=_detail(401, "API key is invalid"),
    limit=_detail(429, "Too many requests"),
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
    new_id=random_uuid,
    words={
        JobState.PENDING: "scraping",
        JobState.RUNNING: "scraping",
        JobState.CANCELLED: "cancelled",
        JobState.SUCCEEDED: "completed",
        JobState.FAILED: "failed",
    },
    job={"success": True, "status": "{word}", "total": "{documents}", "completed": "{done}"},
    cancels=cancels(
        Answer(200, {"status": "cancelled"}),
        Answer(409, {"success": False, "error": "The job has ended"}),
    ),
    unknown=Answer(404, {"success": False, "error": "Job not found"}),
    foreign=Answer(403, {"success": False, "error": "Unauthorized"}),
    wrong_key=Answer(401, {"success": False, "error": "Unauthorized: Invalid token"}),
    limit=Answer(429, {"success": False, "error": "Rate limit exceeded"}),
)
# Ours is that a finished batch answers as a finished crawl does.
_FIRECRAWL_BATCH = evolve(
    _FIRECRAWL_CRAWL,
    name="firecrawl-batch",
    cancel=Address("DELETE", "/v2/batch/scrape/{job_id}"),
    status=Address("GET", "/v2/batch/scrape/{job_id}"),
)


def _databricks(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error_code": code, "message": message})


def _result(word: str) -> Template:
    return {"state": {"life_cycle_state": "TERMINATED", "result_state": word}}


_DATABRICKS_RUN = Vendor(
    name="databricks-run",
    family="databricks",
    key_env="DATABRICKS_TOKEN",
    url_env="DATABRICKS_HOST",
    cancel=Address("POST", "/api/2.2/jobs/runs/cancel", "body", "run_id"),
    status=Address("GET", "/api/2.2/jobs/runs/get", "query", "run_id"),
    new_id=random_number,
    words={
        JobState.PENDING: "PENDING",
        JobState.RUNNING: "RUNNING",
        JobState.CANCELLING: "TERMINATING",
        JobState.CANCELLED: "CANCELED",
        JobState.SUCCEEDED: "SUCCESS",
        JobState.FAILED: "FAILED",
        JobState.EXPIRED: "TIMEDOUT",
    },
    job={"run_id": "{id}", "state": {"life_cycle_state": "{word}"}},
    extra=dict.fromkeys(
        (JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED),
        _result("{word}"),
    ),
    # A receipt, and the same one for a finished run, of which nothing is changed.
    cancels=cancels(Answer(200, {}), Answer(200, {})),
    unknown=_databricks(400, "INVALID_PARAMETER_VALUE", "Run {id} does not exist."),
    foreign=_databricks(403, "PERMISSION_DENIED", "No permission on run {id}"),
    wrong_key=Answer(401, {"error_code": 401, "message": "Credential was not sent or is invalid"}),
    limit=_databricks(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"),
)
_DATABRICKS_STATEMENT = evolve(
    _DATABRICKS_RUN,
    name="databricks-statement",
    cancel=Address("POST", "/api/2.0/sql/statements/{job_id}/cancel"),
    status=Address("GET", "/api/2.0/sql/statements/{job_id}"),
    new_id=random_uuid,
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

MORE_VENDORS = (
    *(_LLAMACLOUD_PARSE, _LLAMACLOUD_EXTRACT, _LLAMACLOUD_BATCH, _EXTEND_EXTRACT),
    *(_extend_runs("parse", "pr_"), _extend_runs("classify", "cl_"), _extend_runs("split", "spl_")),
    *(_EXTEND_WORKFLOW, _REDUCTO, _UNSTRUCTURED, _APIFY, _FIRECRAWL_CRAWL, _FIRECRAWL_BATCH),
    *(_DATABRICKS_RUN, _DATABRICKS_STATEMENT),
)
