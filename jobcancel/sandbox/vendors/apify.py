"""Apify: actor runs."""

from __future__ import annotations

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    cancels,
    prefixed,
    states,
)


def _apify(status: int, kind: str, message: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "message": message}})


APIFY = Vendor(
    name="apify",
    family="apify",
    key_env="APIFY_TOKEN",
    url_env="APIFY_BASE_URL",
    cancel=Address("POST", "/v2/actor-runs/{job_id}/abort"),
    status=Address("GET", "/v2/actor-runs/{job_id}"),
    new_id=prefixed(""),
    words=states(
        pending="READY",
        running="RUNNING",
        cancelling="ABORTING",
        cancelled="ABORTED",
        succeeded="SUCCEEDED",
        failed="FAILED",
        expired="TIMED-OUT",
    ),
    job={"data": {"id": "{id}", "status": "{word}"}},
    # A finished run is not changed.
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        Answer(200, job=True),
    ),
    unknown=_apify(404, "record-not-found", "Actor run was not found"),
    foreign=_apify(403, "insufficient-permissions", "Insufficient permissions"),
    # Which ids are malformed is not documented.
    id_form=r"[A-Za-z0-9]+",
    malformed=_apify(400, "invalid-input", "The run id has characters that no id has"),
    wrong_key=_apify(401, "invalid-token", "The token is not valid"),
    limit=_apify(429, "rate-limit-exceeded", "You have exceeded the rate limit"),
)
