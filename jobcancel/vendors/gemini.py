"""Google Gemini: batches, cancelled with a verb after the id.

Sources: the vendor's page "Batch API" (ai.google.dev) and its Python SDK google-genai 3.4.0 for the
states (batches have BATCH_STATE_ words; the SDK accepts JOB_STATE_ words as well), their path, and
the variable of the version; google.rpc.Code for the errors. Recordings of third parties show that a
wrong key is a 400 with the reason API_KEY_INVALID, and that a 429 contains the wait in a
google.rpc.RetryInfo. The reply for a finished batch is not documented.
"""

from __future__ import annotations

from jobcancel.adapter import Credential, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

_STATES = {
    "PENDING": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "EXPIRED": JobState.EXPIRED,
}

GEMINI_BATCH = HttpAdapter(
    name="gemini-batch",
    title="Google Gemini batches",
    docs='ai.google.dev, API reference, page "Batch API"',
    family="LLM batches",
    notes=(
        "Pass ids with or without `batches/`. Cancelling is best effort, and the reply is empty; "
        "`verify=True` waits until the batch has ended. The vendor doesn't document its reply for "
        "a finished batch. Because that may be empty as well, jobcancel reads the status once."
    ),
    # Endpoint
    default_url="https://generativelanguage.googleapis.com",
    key_env="GOOGLE_API_KEY",
    other_key_envs=("GEMINI_API_KEY",),
    url_env="GOOGLE_GEMINI_BASE_URL",
    credential=Credential(header="x-goog-api-key", scheme=""),
    # Requests
    params={
        "api_version": Param(
            "the version of the API", default="v1beta", env="GOOGLE_GENAI_API_VERSION"
        )
    },
    cancel=Route("POST", "/{api_version}/batches/{id}:cancel"),
    status=Route("GET", "/{api_version}/batches/{id}"),
    id_prefix="batches/",
    # Replies
    accepted=Outcome.CANCELLING,
    empty_body_statuses=frozenset({200}),
    confirm_success=True,
    replies={
        (400, "API_KEY_INVALID"): Outcome.UNAUTHORIZED,
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        **{
            f"{kind}_STATE_{word}": state
            for kind in ("BATCH", "JOB")
            for word, state in _STATES.items()
        },
        "JOB_STATE_QUEUED": JobState.PENDING,
        # The job was paused and can be resumed.
        "JOB_STATE_PAUSED": JobState.PENDING,
        "JOB_STATE_UPDATING": JobState.RUNNING,
        "JOB_STATE_CANCELLING": JobState.CANCELLING,
        "JOB_STATE_PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
    },
    # Fields of a body
    state="metadata.state",
    job_id="name",
    message=("error.message",),
    code=("error.details.*.reason", "error.status"),
    retry_after=("error.details.*.retryDelay",),
)
