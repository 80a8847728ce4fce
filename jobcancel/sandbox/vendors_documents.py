"""The vendors of document work, declared from their documentation."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Template,
    Vendor,
    as_uuid,
    cancels,
    prefixed,
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


# The shape of the error is documented, what has it is ours.
_NOT_A_UUID = Answer(
    422,
    {"detail": [{"loc": ["path", "job_id"], "msg": "Not a valid UUID", "type": "uuid_parsing"}]},
)

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
    denied=_extend(403, "FORBIDDEN", "The API key may not do this"),
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


_EXTEND_PARSE = evolve(
    _extend_runs("parse", "pr_"),
    # How a cancelled run reads is not documented: ours is that it has what the other kinds had.
    words={**_EXTEND_EXTRACT.words, JobState.CANCELLED: "FAILED"},
    extra={
        JobState.CANCELLED: {"failureReason": "ABORTED", "failureMessage": "Aborted"},
        JobState.FAILED: {"failureReason": "CORRUPT_FILE", "failureMessage": "Corrupt"},
    },
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
    new_id=as_uuid,
    # How a cancelled job reads is not documented.
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
    id_form=UUID,
    malformed=_NOT_A_UUID,
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
    new_id=as_uuid,
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
    id_form=UUID,
    malformed=_NOT_A_UUID,
    wrong_key=_detail(401, "API key is invalid"),
    limit=_detail(429, "Too many requests"),
)


DOCUMENT_VENDORS = (
    *(_LLAMACLOUD_PARSE, _LLAMACLOUD_EXTRACT, _LLAMACLOUD_BATCH, _EXTEND_EXTRACT),
    *(_EXTEND_PARSE, _extend_runs("classify", "cl_"), _extend_runs("split", "spl_")),
    *(_EXTEND_WORKFLOW, _REDUCTO, _UNSTRUCTURED),
)
