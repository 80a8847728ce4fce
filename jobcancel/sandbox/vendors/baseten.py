"""Baseten: async requests."""

from __future__ import annotations

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Vendor,
    as_uuid,
    cancels,
    states,
)

_NOT_QUEUED = Answer(
    200,
    {"request_id": "{id}", "canceled": False, "message": "The request is not in the queue"},
    stops=False,
)


def _baseten(status: int, code: str, message: str, *, documented: bool = True) -> Answer:
    return Answer(
        status, {"error": message, "error_code": code, "detail": None}, documented=documented
    )


BASETEN = Vendor(
    name="baseten",
    family="baseten",
    key_env="BASETEN_API_KEY",
    url_env="BASETEN_BASE_URL",
    cancel=Address("DELETE", "/async_request/{job_id}"),
    status=Address("GET", "/async_request/{job_id}"),
    new_id=as_uuid,
    words=states(
        pending="QUEUED",
        running="IN_PROGRESS",
        cancelled="CANCELED",
        succeeded="SUCCEEDED",
        failed="FAILED",
        expired="EXPIRED",
    ),
    job={"request_id": "{id}", "status": "{word}"},
    cancels=cancels(
        Answer(200, {"request_id": "{id}", "canceled": True, "message": "Canceled"}),
        _NOT_QUEUED,
        running=_NOT_QUEUED,
    ),
    # Not documented.
    unknown=_baseten(404, "client_error", "no such request", documented=False),
    foreign=_baseten(404, "client_error", "no such request", documented=False),
    wrong_key=_baseten(401, "unauthorized", "invalid API key"),
    limit=_baseten(429, "rate_limited", "too many requests"),
    tells_wait=False,
)
