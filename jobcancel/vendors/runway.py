"""Runway: video and image generation. The same DELETE cancels a task and deletes a finished one.

Sources: the vendor's Python SDK runwayml 5.24.0 (URLs, the version header, states, refunds, and the
effect on a finished task), its OpenAPI document (after a DELETE, a second one and a status read are
404) and its page on errors.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Param, Route
from jobcancel.models import JobState, Outcome

RUNWAY = HttpAdapter(
    name="runway",
    title="Runway task",
    docs="docs.dev.runwayml.com, API reference, cancel or delete a task",
    family="media",
    notes=(
        "The same request cancels a task and deletes a finished one with its output. Therefore "
        "jobcancel reads the status first and doesn't send the request if the task has ended. A "
        "task that ends between the two requests is deleted and reported as `cancelled`: the "
        "status of a cancelled or deleted task can't be read, so `verify` doesn't help. For the "
        "same reason, such a task is `not-found` if you call again. With `force=yes`, jobcancel "
        "skips the status check, and the outcome is `cancelling`. The vendor refunds credits only "
        "for a task that is PENDING or THROTTLED, not RUNNING, and doesn't promise that the "
        "generation stops. Ids are version 4 UUIDs. Don't read a status more often than once per "
        "5 seconds."
    ),
    # Endpoint
    default_url="https://api.dev.runwayml.com",
    key_env="RUNWAYML_API_SECRET",
    url_env="RUNWAYML_BASE_URL",
    credential=BEARER,
    params={
        "force": Param(
            "`yes` skips the status check, although the request deletes a finished task's output",
            optional=True,
        )
    },
    # Requests
    headers={"x-runway-version": "2024-11-06"},
    cancel=Route("DELETE", "/v1/tasks/{id}"),
    status=Route("GET", "/v1/tasks/{id}"),
    poll_interval=5,
    destroys_finished=True,
    force_param="force",
    gone_after_cancel=True,
    # Replies
    accepted=Outcome.CANCELLED,
    empty_body_statuses=frozenset({204}),
    replies={
        400: Outcome.INVALID,
        401: Outcome.UNAUTHORIZED,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "PENDING": JobState.PENDING,
        "THROTTLED": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "SUCCEEDED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    },
    # Fields of a body
    job_id="id",
    message=("error", "failure"),
    code=("failureCode",),
)
