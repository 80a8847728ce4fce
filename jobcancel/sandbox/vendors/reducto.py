"""Reducto: document jobs."""

from __future__ import annotations

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)


def _detail(status: int, text: str, *, documented: bool = True) -> Answer:
    return Answer(status, {"detail": text}, documented=documented)


# The error's shape is documented, but not when it is used.
_NOT_A_UUID = Answer(
    422,
    {"detail": [{"loc": ["path", "job_id"], "msg": "Not a valid UUID", "type": "uuid_parsing"}]},
)

REDUCTO = Vendor(
    name="reducto",
    family="reducto",
    key_env="REDUCTO_API_KEY",
    url_env="REDUCTO_BASE_URL",
    cancel=Address("POST", "/cancel/{job_id}"),
    status=Address("GET", "/job/{job_id}"),
    new_id=as_uuid,
    # How a cancelled job reads is not documented.
    words=states(
        pending="Pending",
        running="Pending",
        cancelled="Failed",
        succeeded="Completed",
        failed="Failed",
    ),
    job={"status": "{word}"},
    extra={
        # The name is in the vendor's SDK; that a cancelled job has it is not documented.
        JobState.CANCELLED: {"error": {"name": "JOB_CANCELLED", "message": "Cancelled"}},
        JobState.FAILED: {"reason": "The document could not be read"},
    },
    # The vendor documents only 200 and 422.
    cancels=cancels(Answer(200, {}), _detail(400, "The job has ended")),
    unknown=_detail(404, "Job not found", documented=False),
    foreign=_detail(404, "Job not found", documented=False),
    id_form=UUID,
    malformed=_NOT_A_UUID,
    wrong_key=_detail(401, "Invalid API key"),
    limit=_detail(429, "Too many requests"),
)
