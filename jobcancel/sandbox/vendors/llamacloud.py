"""LlamaCloud: parse, extract and batch jobs."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Template,
    Vendor,
    cancels,
    prefixed,
    states,
)

_UPPER = states(
    pending="PENDING",
    running="RUNNING",
    cancelled="CANCELLED",
    succeeded="COMPLETED",
    failed="FAILED",
)

_FLAT: Template = {"id": "{id}", "status": "{word}"}


def _detail(status: int, text: str, *, documented: bool = True) -> Answer:
    return Answer(status, {"detail": text}, documented=documented)


LLAMACLOUD_EXTRACT = Vendor(
    name="llamacloud-extract",
    family="llamacloud",
    key_env="LLAMA_CLOUD_API_KEY",
    url_env="LLAMA_CLOUD_BASE_URL",
    cancel=Address("POST", "/api/v2/extract/{job_id}/cancel"),
    status=Address("GET", "/api/v2/extract/{job_id}"),
    new_id=prefixed("ext-"),
    words=_UPPER,
    job=_FLAT,
    # "Cannot be cancelled" is documented, its status code is not.
    cancels=cancels(Answer(200, job=True), _detail(400, "Job {id} cannot be cancelled")),
    # Not documented.
    unknown=_detail(404, "Job not found", documented=False),
    foreign=_detail(403, "The project is not yours"),
    wrong_key=_detail(401, "Invalid API key"),
    limit=_detail(429, "Rate limit exceeded"),
    tells_wait=False,
)

LLAMACLOUD_PARSE = evolve(
    LLAMACLOUD_EXTRACT,
    name="llamacloud-parse",
    cancel=Address("POST", "/api/v2/parse/{job_id}/cancel"),
    status=Address("GET", "/api/v2/parse/{job_id}"),
    new_id=prefixed("pjb-"),
    # A status read wraps the job in an object; a cancel returns the job itself.
    job={"job": _FLAT},
    cancels=cancels(Answer(200, _FLAT), _detail(400, "Job {id} cannot be cancelled")),
)

LLAMACLOUD_BATCH = evolve(
    LLAMACLOUD_EXTRACT,
    name="llamacloud-batch",
    cancel=Address("POST", "/api/v2/batches/{job_id}/cancel"),
    status=Address("GET", "/api/v2/batches/{job_id}"),
    new_id=prefixed("bat-"),
    cancels=cancels(
        Answer(200, job=True, shows=JobState.RUNNING),
        _detail(400, "Batch {id} cannot be cancelled"),
    ),
)
