"""Reducto: document extraction. What its cancel answers is not documented, so the job is read.

Sources: the vendor's OpenAPI document (the cancel's success has no schema, 422 is its only error)
and its Python SDK reductoai 0.25.0: addresses, states, and the name that the error of a failed job
has, one of which is JOB_CANCELLED. A job itself is not documented to read as cancelled, only in a
list of jobs, from which the further states are; what Idle means is not said, so it is `unknown`.
401 is as in RFC 9110. Whether the SDK's other error names, such as NOT_FOUND and JOB_DELETED, come
with HTTP errors is not documented: they are in no table.
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
        "The vendor documents neither what a cancel answers nor how a cancelled job reads. It is "
        "read after the cancel: `cancelled` is said of one that reads so, or that failed with the "
        "error JOB_CANCELLED, a name known from the SDK alone. One that failed otherwise is "
        "`already-terminal`, even where the cancel is what made it fail; one that is still "
        "pending is `cancelling`. An unknown job is `unknown`. Other regions have base URLs of "
        "their own, `https://eu.platform.reducto.ai` and `https://au.platform.reducto.ai`."
    ),
    # Where
    default_url="https://platform.reducto.ai",
    key_env="REDUCTO_API_KEY",
    url_env="REDUCTO_BASE_URL",
    credential=BEARER,
    # What to send; DELETE on the job is no cancel, it erases what is stored
    cancel=Route("POST", "/cancel/{id}"),
    status=Route("GET", "/job/{id}"),
    # What a reply means
    accepted=Outcome.CANCELLING,
    any_body_statuses=frozenset({200}),
    replies={
        401: Outcome.UNAUTHORIZED,
        # With a list of problems; a mere text is not documented.
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
    # Where in a body
    job_id="job_id",
    message=("detail.*.msg", "detail", "error.message", "reason"),
    code=("error.name", "detail.*.type"),
)
