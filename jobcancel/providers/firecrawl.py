"""Firecrawl: crawls and batch scrapes. Another team's job is a 403 that says "Unauthorized".

Sources: the vendor's OpenAPI document (github.com/firecrawl/firecrawl-docs, v2) for the success,
its server's source (crawl-cancel) for 403 and 404, its page on errors for 429, and its Python SDK
firecrawl-py 4.55.0 for the 409 of a finished crawl, the states and the addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from jobcancel.adapter import BEARER
from jobcancel.models import JobState, Outcome
from jobcancel.routes import Route
from jobcancel.tables import HttpAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPLIES: Mapping[int | str | tuple[int, str], Outcome] = {
    401: Outcome.UNAUTHORIZED,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_FOUND,
    429: Outcome.RATE_LIMITED,
}

FIRECRAWL_CRAWL = HttpAdapter(
    name="firecrawl-crawl",
    title="Firecrawl crawl",
    docs="docs.firecrawl.dev, API reference, cancel a crawl",
    family="data",
    notes=(
        "Older and self-hosted servers answer for a finished crawl as for a running one; "
        "`cancelled` is then said of it, too. Another team's crawl is `forbidden`, although its "
        'answer says "Unauthorized".'
    ),
    # Where
    default_url="https://api.firecrawl.dev",
    key_env="FIRECRAWL_API_KEY",
    url_env="FIRECRAWL_BASE_URL",
    credential=BEARER,
    # What to send
    cancel=Route("DELETE", "/v2/crawl/{id}"),
    status=Route("GET", "/v2/crawl/{id}"),
    # What a reply means
    replies={**_REPLIES, 409: Outcome.ALREADY_TERMINAL},
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
    notes=(
        "The refusal of what is finished is known for crawls only, so a batch that is refused is "
        "read. Older and self-hosted servers answer for a finished batch as for a running one; "
        "`cancelled` is then said of it, too."
    ),
    shares="firecrawl-crawl",
    cancel=Route("DELETE", "/v2/batch/scrape/{id}"),
    status=Route("GET", "/v2/batch/scrape/{id}"),
    replies=_REPLIES,
)
