"""LlamaCloud: parse and extract jobs, and batches of them, one provider for each kind.

Sources: the vendor's Python SDK llama-cloud 2.19.0 (addresses, bodies, states) and its pages on
troubleshooting and rate limits (401, 403, 429), which show no body; FastAPI's `detail` is expected.
A finished job cannot be cancelled, says the SDK, but not with which status code it answers: its
status is read. An unknown job's is not documented.
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
        "How a finished job answers is not documented, so its status is read, nor how an unknown "
        "one does, which is `unknown`. A key of another "
        "region is `unauthorized`: the European one has its own base URL, "
        "`https://api.cloud.eu.llamaindex.ai`."
    ),
    # Where
    default_url="https://api.cloud.llamaindex.ai",
    key_env="LLAMA_CLOUD_API_KEY",
    other_key_envs=("LLAMA_PARSE_API_KEY",),
    url_env="LLAMA_CLOUD_BASE_URL",
    credential=BEARER,
    params={
        "project_id": Param("the project that the job is in", optional=True),
        "organization_id": Param("the organization that it is in", optional=True),
    },
    # What to send
    cancel=Route("POST", "/api/v2/parse/{id}/cancel", query=_QUERY),
    status=Route("GET", "/api/v2/parse/{id}", query=_QUERY),
    # What a reply means
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
    # Where in a body; a status read has the job within an object that may hold its result
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
    # The SDK's filter for lists of jobs has it.
    states={**LLAMACLOUD_PARSE.states, "THROTTLED": JobState.PENDING},
    state="status",
    job_id="id",
)


def _cancelled_later(response: Response) -> Outcome | None:
    """200 with a batch that has not ended yet is cancelling."""
    active = (response.body or {}).get("status") in ("PENDING", "RUNNING", "THROTTLED")
    return Outcome.CANCELLING if response.status_code == HTTPStatus.OK and active else None


LLAMACLOUD_BATCH = evolve(
    LLAMACLOUD_EXTRACT,
    name="llamacloud-batch",
    title="LlamaCloud batch",
    docs="developers.llamaindex.ai, API reference, cancel a batch",
    notes=(
        "A batch answers at once and is cancelled later; `verify` waits for it. How a finished or "
        "an unknown batch answers is not documented. A key of another region is `unauthorized`."
    ),
    cancel=Route("POST", "/api/v2/batches/{id}/cancel", query=_QUERY),
    status=Route("GET", "/api/v2/batches/{id}", query=_QUERY),
    outcome_hook=_cancelled_later,
)
