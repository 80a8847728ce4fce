"""Azure OpenAI: batches, in the shape of OpenAI's."""

from __future__ import annotations

from attrs import evolve

from jobcancel.sandbox.vendors.declaration import (
    Address,
    Answer,
)
from jobcancel.sandbox.vendors.openai import OPENAI_BATCH

AZURE_OPENAI_BATCH = evolve(
    OPENAI_BATCH,
    name="azure-openai-batch",
    family="azure-openai",
    key_env="AZURE_OPENAI_API_KEY",
    url_env="AZURE_OPENAI_ENDPOINT",
    base="",
    header="api-key",
    scheme="",
    needs_query=("api-version",),
    cancel=Address("POST", "/openai/batches/{job_id}/cancel"),
    status=Address("GET", "/openai/batches/{job_id}"),
    # Third parties report it.
    incomplete=Answer(404, {"error": {"code": "404", "message": "Resource not found"}}),
)
