"""Reducto: document extraction. The reply to a cancel is not documented, so the status is read.

Sources: the vendor's OpenAPI document (the cancel's success has no schema, 422 is its only error)
and its Python SDK reductoai 0.25.0: URLs, states, and the names of a failed job's error, such as
JOB_CANCELLED. The state Cancelled is only documented for lists of jobs, as are some other states;
the meaning of Idle is not documented, so it is `unknown`. 401 is according to RFC 9110. It is not
documented whether HTTP errors have the SDK's other error names, such as NOT_FOUND and JOB_DELETED,
so these are not interpreted.
"""

from __future__ import annotations

from jobcancel.adapter import ANY, BEARER, HttpAdapter, Override, Route
from jobcancel.models import JobState, Outcome

REDUCTO = HttpAdapter(
    name="reducto",
    title="Reducto",
    docs="docs.reducto.ai, API reference, page on cancelling a job",
    family="documents",
    notes=(
        "The vendor documents neither its reply to a cancel nor the status of a cancelled job. "
        "jobcancel reads the status after the cancel. The outcome is `cancelled` if the status is "
        "cancelled, or if the job failed with the error JOB_CANCELLED, which is only known from "
        "the SDK. A job that failed with another error is `already-terminal`, even if the cancel "
        "made it fail; a job that is still pending is `cancelling`. An unknown job is `unknown`. "
        "Other regions have different base URLs: `https://eu.platform.reducto.ai` and "
        "`https://au.platform.reducto.ai`."
    ),
    # Endpoint
    default_url="https://platform.reducto.ai",
    key_env="REDUCTO_API_KEY",
    url_env="REDUCTO_BASE_URL",
    credential=BEARER,
    # Requests; a DELETE of the job does not cancel it, but deletes the stored data
    cancel=Route("POST", "/cancel/{id}"),
    status=Route("GET", "/job/{id}"),
    # Replies
    accepted=Outcome.CANCELLING,
    any_body_statuses=frozenset({200}),
    replies={
        401: Outcome.UNAUTHORIZED,
        # Only with a list of problems; a plain text is not documented.
        (422, ANY): Outcome.INVALID,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "Pending": JobState.PENDING,
        "InProgress": JobState.RUNNING,
        "Completing": JobState.RUNNING,
        "Completed": JobState.SUCCEEDED,
        "Failed": JobState.FAILED,
        "Cancelled": JobState.CANCELLED,
    },
    overrides=(
        Override(
            where={"status": "Failed", "error.name": "JOB_CANCELLED"},
            state=JobState.CANCELLED,
        ),
    ),
    # Fields of a body
    job_id="job_id",
    message=("detail.*.msg", "detail", "error.message", "reason"),
    code=("error.name", "detail.*.type"),
)
