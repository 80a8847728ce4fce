"""Firecrawl: crawls and batch scrapes. The reply to a cancel is a receipt that says "cancelled".

Sources: the vendor's OpenAPI document (github.com/firecrawl/firecrawl-docs, v2) for the success,
its server's source (crawl-cancel and crawl-status, which handle both kinds) for 400, 403, 404, 409
and the meaning of the receipt, its page on errors for 429, its issue 2662 for the status of a new
job (404 for 1 to 3 s), and its Python SDK firecrawl-py 4.55.0 for the states, the URLs and the
variable of the base URL.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

_NOTES = (
    "The server replies `cancelled` even if it failed to record the cancel or if the job was "
    "cancelled earlier; older and self-hosted servers also for a finished job. Therefore jobcancel "
    "reads the status once: a job that is still scraping is `cancelling`, and a completed one is "
    "`already-terminal`. A job can still be cancelled for a moment after its last page. About a "
    "day later, the status of every job is completed, even of a cancelled one. Another team's job "
    "is `not-found`, or `forbidden` on older servers."
)

FIRECRAWL_CRAWL = HttpAdapter(
    name="firecrawl-crawl",
    title="Firecrawl crawl",
    docs="docs.firecrawl.dev, API reference, cancel a crawl",
    family="data",
    notes=_NOTES,
    # Endpoint
    default_url="https://api.firecrawl.dev",
    key_env="FIRECRAWL_API_KEY",
    url_env="FIRECRAWL_BASE_URL",
    other_url_envs={"FIRECRAWL_API_URL": ""},
    credential=BEARER,
    # Requests
    cancel=Route("DELETE", "/v2/crawl/{id}"),
    status=Route("GET", "/v2/crawl/{id}"),
    not_found_grace=10,
    # Replies
    receipt_only=True,
    confirm_success=True,
    replies={
        400: Outcome.INVALID,
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        409: Outcome.ALREADY_TERMINAL,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "scraping": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
    },
    # Fields of a body
    job_id="id",
    message=("error", "message"),
    code=("code",),
    progress=("completed", "total"),
)

FIRECRAWL_BATCH = evolve(
    FIRECRAWL_CRAWL,
    name="firecrawl-batch",
    title="Firecrawl batch scrape",
    docs="docs.firecrawl.dev, API reference, cancel a batch scrape",
    credentials_of="firecrawl-crawl",
    cancel=Route("DELETE", "/v2/batch/scrape/{id}"),
    status=Route("GET", "/v2/batch/scrape/{id}"),
)
