"""Unstructured: jobs of document workflows. What a cancel answers has no type, so the job is read.

Sources: the vendor's Python client unstructured-client 0.46.4 for addresses, states and the one
error that it declares, 422; its documentation for the variables, and for the states in lower case.
401 is as in RFC 9110. Not documented: the body of a success, and how a finished or an unknown job
answers.
"""

from __future__ import annotations

from jobcancel.adapter import ANY, Credential, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

_STATES = {
    "SCHEDULED": JobState.PENDING,
    "IN_PROGRESS": JobState.RUNNING,
    "COMPLETED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "STOPPED": JobState.CANCELLED,
}

UNSTRUCTURED = HttpAdapter(
    name="unstructured",
    title="Unstructured workflow job",
    docs="docs.unstructured.io, platform API, cancel a job",
    family="documents",
    notes=(
        "What a cancel answers is not documented: the job is read after it, and `cancelled` is "
        "said when it reads as STOPPED; until then it is `cancelling`. An unknown job is `unknown`."
    ),
    # Where
    default_url="https://platform.unstructuredapp.io",
    key_env="UNSTRUCTURED_API_KEY",
    url_env="UNSTRUCTURED_BASE_URL",
    other_url_envs={"UNSTRUCTURED_API_URL": "/api/v1"},
    credential=Credential(header="unstructured-api-key", scheme=""),
    # What to send
    cancel=Route("POST", "/api/v1/jobs/{id}/cancel"),
    status=Route("GET", "/api/v1/jobs/{id}"),
    # What a reply means
    accepted=Outcome.CANCELLING,
    any_body_statuses=frozenset({200}),
    # A 422 with a list of problems; a mere text is not documented.
    replies={401: Outcome.UNAUTHORIZED, (422, ANY): Outcome.INVALID, 429: Outcome.RATE_LIMITED},
    states={
        **_STATES,
        **{word.lower(): state for word, state in _STATES.items()},
        # The documentation has a blank, and misspells it in one place.
        "in progress": JobState.RUNNING,
        "im progress": JobState.RUNNING,
    },
    # Where in a body
    job_id="id",
    message=("detail.*.msg", "detail", "message"),
    code=("detail.*.type",),
)
