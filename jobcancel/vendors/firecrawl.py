"""Firecrawl: crawls and batch scrapes. The reply to a cancel is a receipt that says "cancelled".

Sources: the vendor's OpenAPI document (github.com/firecrawl/firecrawl-docs, v2) for the success,
its server's source (crawl-cancel and crawl-status, which are for both kinds) for 400, 403, 404, 409
and what the receipt is worth, its page on errors for 429, and its Python SDK firecrawl-py 4.55.0
for the states, the addresses and the variable of the address.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

_NOTES = (
    "The server answers `cancelled` also when it could not record the cancel, and again for a job "
    "that was cancelled before; older servers, and self-hosted ones, also for a finished one. So "
    "the job is read once after that: one that still scrapes is `cancelling`, and one that reads "
    "as completed `already-terminal`. A job whose pages are all done can still be cancelled for a "
    "moment. About a day later every job reads as completed, a cancelled one, too. Another team's "
    "job is `not-found`, on older servers `forbidden`."
)

FIRECRAWL_CRAWL = HttpAdapter(
    name="firecrawl-crawl",
    title="Firecrawl crawl",
    docs="docs.firecrawl.dev, API reference, cancel a crawl",
    family="data",
    notes=_NOTES,
    # Where
    default_url="https://api.firecrawl.dev",
    key_env="FIRECRAWL_API_KEY",
    url_env="FIRECRAWL_BASE_URL",
    other_url_envs={"FIRECRAWL_API_URL": ""},
    credential=BEARER,
    # What to send
    cancel=Route("DELETE", "/v2/crawl/{id}"),
    status=Route("GET", "/v2/crawl/{id}"),
    # What a reply means
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
    # Where in a body
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
