"""Groq: batches, as for OpenAI, except for the URL.

Sources: the vendor's Python SDK groq 1.7.0, for the URL and for the batch object, which is the same
as OpenAI's. The reply for a finished batch is not documented; if it has OpenAI's wording, it is
interpreted as for OpenAI.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import Route
from jobcancel.vendors.openai import OPENAI_BATCH

GROQ_BATCH = evolve(
    OPENAI_BATCH,
    name="groq-batch",
    title="Groq batches",
    docs='console.groq.com, API reference, page "Cancel batch"',
    notes=(
        "The API is the same as OpenAI's, including errors. The vendor doesn't document its reply "
        "for a finished batch; unless it is the same as OpenAI's, jobcancel reads the status."
    ),
    # Endpoint
    default_url="https://api.groq.com",
    key_env="GROQ_API_KEY",
    url_env="GROQ_BASE_URL",
    # Requests
    params={},
    headers={},
    cancel=Route("POST", "/openai/v1/batches/{id}/cancel"),
    status=Route("GET", "/openai/v1/batches/{id}"),
)
