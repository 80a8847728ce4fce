"""LlamaCloud: parse and extract jobs, and batches of them, one provider for each kind.

Sources: the vendor's Python SDK llama-cloud 2.19.0 (URLs, bodies, states) and its pages on
troubleshooting and rate limits (401, 403, 429), which show no body; FastAPI's `detail` is expected.
According to the SDK, a finished job cannot be cancelled, but the status code for that is not
documented, so the status is read. The reply for an unknown job is not documented.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from attrs import evolve

from jobcancel.adapter import BEARER, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

if TYPE_CHECKING:
    from jobcancel.adapter import Response

_QUERY = {"project_id": "{project_id}", "organization_id": "{organization_id}"}

LLAMACLOUD_PARSE = HttpAdapter(
    name="llamacloud-parse",
    title="LlamaParse",
    docs="developers.llamaindex.ai, API reference, cancel a parse job",
    family="documents",
    notes=(
        "The vendor doesn't document its reply for a finished job, so jobcancel reads the status, "
        "nor for an unknown job, which is `unknown`. A key for another region is `unauthorized`: "
        "the base URL for Europe is `https://api.cloud.eu.llamaindex.ai`."
    ),
    # Endpoint
    default_url="https://api.cloud.llamaindex.ai",
    key_env="LLAMA_CLOUD_API_KEY",
    other_key_envs=("LLAMA_PARSE_API_KEY",),
    url_env="LLAMA_CLOUD_BASE_URL",
    credential=BEARER,
    params={
        "project_id": Param("the job's project", optional=True),
        "organization_id": Param("the job's organization", optional=True),
    },
    # Requests
    cancel=Route("POST", "/api/v2/parse/{id}/cancel", query=_QUERY),
    status=Route("GET", "/api/v2/parse/{id}", query=_QUERY),
    # Replies
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "PENDING": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    },
    # Fields of a body; a status reply has the job in an object that may also contain its result
    state=("job.status", "status"),
    job_id=("job.id", "id"),
    message=("detail.*.msg", "detail", "message", "error_message", "job.error_message"),
    code=(),
)

LLAMACLOUD_EXTRACT = evolve(
    LLAMACLOUD_PARSE,
    name="llamacloud-extract",
    title="LlamaExtract",
    docs="developers.llamaindex.ai, API reference, cancel an extract job",
    credentials_of="llamacloud-parse",
    cancel=Route("POST", "/api/v2/extract/{id}/cancel", query=_QUERY),
    status=Route("GET", "/api/v2/extract/{id}", query=_QUERY),
    # This state is in the SDK's filter for lists of jobs.
    states={**LLAMACLOUD_PARSE.states, "THROTTLED": JobState.PENDING},
    state="status",
    job_id="id",
)


def _cancelled_later(response: Response) -> Outcome | None:
    """A 200 with a batch that has not ended is cancelling."""
    active = (response.body or {}).get("status") in ("PENDING", "RUNNING", "THROTTLED")
    return Outcome.CANCELLING if response.status_code == HTTPStatus.OK and active else None


LLAMACLOUD_BATCH = evolve(
    LLAMACLOUD_EXTRACT,
    name="llamacloud-batch",
    title="LlamaCloud batch",
    docs="developers.llamaindex.ai, API reference, cancel a batch",
    notes=(
        "The vendor replies immediately and cancels the batch later; `verify` waits for that. The "
        "vendor doesn't document its replies for a finished or an unknown batch. A key for another "
        "region is `unauthorized`."
    ),
    cancel=Route("POST", "/api/v2/batches/{id}/cancel", query=_QUERY),
    status=Route("GET", "/api/v2/batches/{id}", query=_QUERY),
    outcome_hook=_cancelled_later,
)
