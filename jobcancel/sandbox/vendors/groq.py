"""Groq: batches, in the shape of OpenAI's."""

from __future__ import annotations

from attrs import evolve

from jobcancel.sandbox.vendors.declaration import (
    Address,
)
from jobcancel.sandbox.vendors.openai import OPENAI_BATCH

GROQ_BATCH = evolve(
    OPENAI_BATCH,
    name="groq-batch",
    family="groq",
    key_env="GROQ_API_KEY",
    url_env="GROQ_BASE_URL",
    base="",
    cancel=Address("POST", "/openai/v1/batches/{job_id}/cancel"),
    status=Address("GET", "/openai/v1/batches/{job_id}"),
)
