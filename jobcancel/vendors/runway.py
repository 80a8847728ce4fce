"""Runway: video and image generation. The DELETE that cancels a task deletes a finished one.

Sources: the vendor's Python SDK runwayml 5.24.0 (addresses, the version header, states, refunds,
and what becomes of a finished task), its OpenAPI document (what a second DELETE and a read after
one answer: 404) and its page on errors.
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
        "The same request cancels a task and deletes a finished one with its output, so the task "
        "is read first and the request is not sent to one that has ended. A task that ends between "
        "the two is deleted all the same, and reported as `cancelled`: the vendor lets neither be "
        "read again, so `verify` cannot tell either. For the same reason a task that was cancelled "
        "or deleted before is `not-found` when you call again. With `force=yes`, the status check "
        "is skipped, and the outcome is `cancelling`. Credits are refunded only where the vendor "
        "finds the task PENDING or THROTTLED, not RUNNING; it does not promise that the generation "
        "of a cancelled task stops. Ids are UUIDs of version 4. A task is not to be read more "
        "often than once per 5 seconds."
    ),
    # Where
    default_url="https://api.dev.runwayml.com",
    key_env="RUNWAYML_API_SECRET",
    url_env="RUNWAYML_BASE_URL",
    credential=BEARER,
    params={
        "force": Param(
            "`yes` sends the request without a look, though it deletes a finished task's output",
            optional=True,
        )
    },
    # What to send
    headers={"x-runway-version": "2024-11-06"},
    cancel=Route("DELETE", "/v1/tasks/{id}"),
    status=Route("GET", "/v1/tasks/{id}"),
    destroys_finished=True,
    force_param="force",
    gone_after_cancel=True,
    # What a reply means
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
    # Where in a body
    job_id="id",
    message=("error", "failure"),
    code=("failureCode",),
)
