"""Firecrawl: crawls and batch scrapes. The reply to a cancel is a receipt that says "cancelled".

Sources: the vendor's OpenAPI document (github.com/firecrawl/firecrawl-docs, v2) for the success,
its server's source (crawl-cancel, which is for both kinds) for 400, 403, 404 and 409, its page on
errors for 429, and its Python SDK firecrawl-py 4.55.0 for the states and the addresses.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import BEARER
from jobcancel.models import JobState, Outcome
from jobcancel.routes import Route
from jobcancel.tables import HttpAdapter

_NOTES = (
    "Servers of 2025, and self-hosted ones of that age, answer for a finished job as for a running "
    "one; `cancelled` is then said of it, too. Another team's job is `not-found`, at older servers "
    "`forbidden`. A job can be read for a day."
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
    credential=BEARER,
    # What to send
    cancel=Route("DELETE", "/v2/crawl/{id}"),
    status=Route("GET", "/v2/crawl/{id}"),
    # What a reply means
    receipt=True,
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
    shares="firecrawl-crawl",
    cancel=Route("DELETE", "/v2/batch/scrape/{id}"),
    status=Route("GET", "/v2/batch/scrape/{id}"),
)
