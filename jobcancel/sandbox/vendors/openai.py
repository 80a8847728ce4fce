"""OpenAI: batches, responses and fine-tuning jobs."""

from __future__ import annotations

from attrs import evolve

from jobcancel.models import JobState
from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
    Template,
    Vendor,
    cancels,
    prefixed,
    states,
)


def _openai(kind: str, message: str, param: str | None = None) -> Template:
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


_NO_BATCH = _openai("invalid_request_error", "No job found with id '{id}'")

OPENAI_BATCH = Vendor(
    name="openai-batch",
    family="openai",
    key_env="OPENAI_API_KEY",
    url_env="OPENAI_BASE_URL",
    base="/v1",
    cancel=Address("POST", "/batches/{job_id}/cancel"),
    status=Address("GET", "/batches/{job_id}"),
    new_id=prefixed("batch_"),
    words=states(
        pending="validating",
        running="in_progress",
        cancelling="cancelling",
        cancelled="cancelled",
        succeeded="completed",
        failed="failed",
        expired="expired",
    ),
    job={
        "id": "{id}",
        "object": "batch",
        "status": "{word}",
        "request_counts": {"total": "{documents}", "completed": "{done}", "failed": 0},
    },
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLING),
        # Third parties report it of OpenAI; neither OpenAI nor its imitators document it.
        Answer(
            409,
            _openai("invalid_request_error", "Cannot cancel a batch with status '{word}'."),
        ),
    ),
    unknown=Answer(404, _NO_BATCH),
    # Not documented: the answers about another organization's job and to a limited key.
    foreign=Answer(404, _NO_BATCH),
    denied=Answer(403, _openai("insufficient_permissions", "The key lacks a permission")),
    wrong_key=Answer(401, _openai("invalid_request_error", "Incorrect API key provided")),
    limit=Answer(429, _openai("requests", "Rate limit reached")),
)

OPENAI_RESPONSE = evolve(
    OPENAI_BATCH,
    name="openai-response",
    cancel=Address("POST", "/responses/{job_id}/cancel"),
    status=Address("GET", "/responses/{job_id}"),
    new_id=prefixed("resp_"),
    words=states(
        pending="queued",
        running="in_progress",
        cancelled="cancelled",
        succeeded="completed",
        failed="failed",
    ),
    job={"id": "{id}", "object": "response", "background": True, "status": "{word}"},
    cancels=cancels(
        Answer(200, job=True, shows=JobState.CANCELLED),
        # Third parties report both.
        Answer(
            400,
            _openai(
                "invalid_request_error", "Cannot cancel a {word} response.", param="response_id"
            ),
        ),
        cancelled=Answer(200, job=True),
    ),
)

OPENAI_FINETUNE = evolve(
    OPENAI_RESPONSE,
    name="openai-finetune",
    cancel=Address("POST", "/fine_tuning/jobs/{job_id}/cancel"),
    status=Address("GET", "/fine_tuning/jobs/{job_id}"),
    new_id=prefixed("ftjob-"),
    words=states(
        pending="validating_files",
        running="running",
        cancelled="cancelled",
        succeeded="succeeded",
        failed="failed",
    ),
    job={"id": "{id}", "object": "fine_tuning.job", "status": "{word}"},
    cancels=cancels(
        Answer(200, job=True),
        # Not documented.
        Answer(400, _openai("invalid_request_error", "The job has already ended")),
    ),
)
