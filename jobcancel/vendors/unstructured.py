"""Unstructured: document workflow jobs. The reply to a cancel has no type, so the status is read.

Sources: the vendor's Python client unstructured-client 0.46.4 for the URLs, the states and the only
declared error, 422; its documentation for the variables, and for the states in lower case. 401 is
according to RFC 9110. Not documented: the body of a success, and the replies for a finished or an
unknown job.
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
        "The vendor doesn't document its reply to a cancel, so jobcancel reads the status: the "
        "outcome is `cancelled` if it is STOPPED, and `cancelling` before that. An unknown job is "
        "`unknown`."
    ),
    # Endpoint
    default_url="https://platform.unstructuredapp.io",
    key_env="UNSTRUCTURED_API_KEY",
    url_env="UNSTRUCTURED_BASE_URL",
    other_url_envs={"UNSTRUCTURED_API_URL": "/api/v1"},
    credential=Credential(header="unstructured-api-key", scheme=""),
    # Requests
    cancel=Route("POST", "/api/v1/jobs/{id}/cancel"),
    status=Route("GET", "/api/v1/jobs/{id}"),
    # Replies
    accepted=Outcome.CANCELLING,
    any_body_statuses=frozenset({200}),
    # A 422 only with a list of problems; a plain text is not documented.
    replies={401: Outcome.UNAUTHORIZED, (422, ANY): Outcome.INVALID, 429: Outcome.RATE_LIMITED},
    states={
        **_STATES,
        **{word.lower(): state for word, state in _STATES.items()},
        # The documentation has a space, and a typo in one place.
        "in progress": JobState.RUNNING,
        "im progress": JobState.RUNNING,
    },
    # Fields of a body
    job_id="id",
    message=("detail.*.msg", "detail", "message"),
    code=("detail.*.type",),
)
