"""RunPod: jobs of a serverless endpoint. The path holds two ids, the endpoint's and the job's.

Sources: the vendor's operation reference for serverless endpoints (github.com/runpod/docs), and its
Python SDK runpod 1.12.0 for the base URL and the states. Not documented: how a finished job
answers; its status is read.
"""

from __future__ import annotations

from jobcancel.adapter import BEARER, HttpAdapter, Route
from jobcancel.models import JobState, Outcome

RUNPOD = HttpAdapter(
    name="runpod",
    title="RunPod serverless",
    docs="docs.runpod.io, serverless endpoints, operation reference",
    family="compute",
    notes=(
        "A job past its time to live, and one of another endpoint, is `not-found`; results are "
        "kept for 30 minutes after /run, and for 1 minute after /runsync. `TIMED_OUT` is also how "
        "a job reads that expired in the queue. Cancels are limited to 100 per 10 seconds and 20 "
        "at a time (`concurrency=20`), more with more workers. How a finished job answers is not "
        "documented."
    ),
    # Where; the path's first piece is part of the SDK's own variable, too
    default_url="https://api.runpod.ai/v2",
    key_env="RUNPOD_API_KEY",
    url_env="RUNPOD_ENDPOINT_BASE_URL",
    credential=BEARER,
    params={"endpoint": "the id of the endpoint that the job was sent to"},
    # What to send
    cancel=Route("POST", "/{endpoint}/cancel/{id}"),
    status=Route("GET", "/{endpoint}/status/{id}"),
    # What a reply means
    replies={
        401: Outcome.UNAUTHORIZED,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "IN_QUEUE": JobState.PENDING,
        "IN_PROGRESS": JobState.RUNNING,
        "RUNNING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
        "TIMED_OUT": JobState.EXPIRED,
    },
    # Where in a body
    job_id="id",
    message=("error", "message"),
    code=(),
)
