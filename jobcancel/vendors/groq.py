"""Groq: batches, as at OpenAI but for the address.

Sources: the vendor's Python SDK groq 1.7.0, for the address and for the batch that it shares with
OpenAI. How a finished batch answers is not documented; where it answers in OpenAI's words, it is
read as there.
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
        "The vendor's interface is OpenAI's, and errors are read as there. How a finished batch "
        "answers is not documented, so unless it answers as OpenAI's do, its status is read."
    ),
    # Where
    default_url="https://api.groq.com",
    key_env="GROQ_API_KEY",
    url_env="GROQ_BASE_URL",
    # What to send
    params={},
    headers={},
    cancel=Route("POST", "/openai/v1/batches/{id}/cancel"),
    status=Route("GET", "/openai/v1/batches/{id}"),
)
