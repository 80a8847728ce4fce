"""RunPod: jobs of a serverless endpoint. The path contains the endpoint's id and the job's id.

Sources: the vendor's operation reference for serverless endpoints (github.com/runpod/docs), and its
Python SDK runpod 1.12.0 for the base URL and the states. Not documented: the reply for a finished
job; the status is read.
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
        "A job past its time to live, or of another endpoint, is `not-found`. Results are kept for "
        "30 minutes after /run, and for 1 minute after /runsync. A job that expired in the queue "
        "is `TIMED_OUT` as well. The rate limit for cancels is 100 per 10 seconds and 20 at a time "
        "(`concurrency=20`), and higher with more workers. The vendor doesn't document its reply "
        "for a finished job."
    ),
    # Endpoint; the SDK's variable contains the first segment of the path as well
    default_url="https://api.runpod.ai/v2",
    key_env="RUNPOD_API_KEY",
    url_env="RUNPOD_ENDPOINT_BASE_URL",
    credential=BEARER,
    params={"endpoint": "the id of the endpoint that the job was sent to"},
    # Requests
    cancel=Route("POST", "/{endpoint}/cancel/{id}"),
    status=Route("GET", "/{endpoint}/status/{id}"),
    # Replies
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
    # Fields of a body
    job_id="id",
    message=("error", "message"),
    code=(),
)
