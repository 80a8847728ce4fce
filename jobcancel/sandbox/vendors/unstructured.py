"""Unstructured: document jobs."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Template,
    Vendor,
    as_uuid,
    cancels,
    states,
)

_FLAT: Template = {"id": "{id}", "status": "{word}"}


def _detail(status: int, text: str, *, documented: bool = True) -> Answer:
    return Answer(status, {"detail": text}, documented=documented)


# The error's shape is documented, but not when it is used.
_NOT_A_UUID = Answer(
    422,
    {"detail": [{"loc": ["path", "job_id"], "msg": "Not a valid UUID", "type": "uuid_parsing"}]},
)

UNSTRUCTURED = Vendor(
    name="unstructured",
    family="unstructured",
    key_env="UNSTRUCTURED_API_KEY",
    url_env="UNSTRUCTURED_BASE_URL",
    header="unstructured-api-key",
    scheme="",
    cancel=Address("POST", "/api/v1/jobs/{job_id}/cancel"),
    status=Address("GET", "/api/v1/jobs/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="SCHEDULED",
        running="IN_PROGRESS",
        cancelled="STOPPED",
        succeeded="COMPLETED",
        failed="FAILED",
    ),
    job=_FLAT,
    # The vendor documents only 200 and 422.
    cancels=cancels(Answer(200, {}), _detail(400, "The job has ended")),
    unknown=_detail(404, "Job not found", documented=False),
    foreign=_detail(404, "Job not found", documented=False),
    id_form=UUID,
    malformed=_NOT_A_UUID,
    wrong_key=_detail(401, "API key is invalid"),
    limit=_detail(429, "Too many requests"),
)
