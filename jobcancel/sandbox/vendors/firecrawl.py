"""Firecrawl: crawls and batch scrapes."""

from __future__ import annotations

from attrs import evolve

from jobcancel.sandbox.vendors.declaration import (
    UUID,
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

FIRECRAWL_CRAWL = Vendor(
    name="firecrawl-crawl",
    family="firecrawl",
    key_env="FIRECRAWL_API_KEY",
    url_env="FIRECRAWL_BASE_URL",
    cancel=Address("DELETE", "/v2/crawl/{job_id}"),
    status=Address("GET", "/v2/crawl/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="scraping",
        running="scraping",
        cancelled="cancelled",
        succeeded="completed",
        failed="failed",
    ),
    job={"success": True, "status": "{word}", "total": "{documents}", "completed": "{done}"},
    # The vendor refuses only a completed job.
    cancels=cancels(
        Answer(200, {"status": "cancelled"}),
        Answer(200, {"status": "cancelled"}),
        succeeded=Answer(409, {"success": False, "error": "The job has ended"}),
    ),
    unknown=Answer(404, {"success": False, "error": "Job not found"}),
    # As of 2025; servers of 2026 answer as for an unknown job.
    foreign=Answer(403, {"success": False, "error": "Unauthorized"}),
    id_form=UUID,
    malformed=Answer(400, {"success": False, "error": "The job id is not a UUID"}),
    wrong_key=Answer(401, {"success": False, "error": "Unauthorized: Invalid token"}),
    limit=Answer(429, {"success": False, "error": "Rate limit exceeded"}),
)

FIRECRAWL_BATCH = evolve(
    FIRECRAWL_CRAWL,
    name="firecrawl-batch",
    cancel=Address("DELETE", "/v2/batch/scrape/{job_id}"),
    status=Address("GET", "/v2/batch/scrape/{job_id}"),
)
