"""Reducto: document extraction. What its cancel answers is not documented, so the job is read.

Sources: the vendor's OpenAPI document (the cancel's success has no schema, 422 is its only error)
and its Python SDK reductoai 0.25.0: addresses, states, its table of what error codes mean, and the
name that the error of a failed job has, one of which is JOB_CANCELLED. There is no cancelled state.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER
from jobcancel.models import JobState, Outcome
from jobcancel.replies import Override
from jobcancel.routes import Route
from jobcancel.tables import HttpAdapter

REDUCTO = HttpAdapter(
    name="reducto",
    title="Reducto",
    docs="docs.reducto.ai, API reference, page on cancelling a job",
    family="documents",
    notes=(
        "The vendor documents neither what a cancel answers nor a cancelled state. The job is read "
        "after the cancel: `cancelled` is said only of one that failed with the error "
        "JOB_CANCELLED, a name known from the SDK alone. One that failed otherwise is "
        "`already-terminal`, even where the cancel is what made it fail; one that goes on being "
        "read as pending ends as `unknown`."
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
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        422: Outcome.INVALID,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "Pending": JobState.PENDING,
        "Completed": JobState.SUCCEEDED,
        "Failed": JobState.FAILED,
    },
    overrides=(
        Override(
            where={"status": "Failed", "error.name": "JOB_CANCELLED"},
            state=JobState.CANCELLED,
        ),
    ),
    # Where in a body
    job_id="job_id",
    message=("detail", "error.message", "reason"),
    code=("error.name",),
)
