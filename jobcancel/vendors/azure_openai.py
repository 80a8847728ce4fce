"""Azure OpenAI: batches, as for OpenAI, except for the URL and the header of the key.

Sources: Microsoft's REST reference (learn.microsoft.com, Azure OpenAI, "Batch"), and the Python SDK
openai 3.54.0 for the URL with `api-version`. The reply for a finished batch is not documented; if
it has OpenAI's wording, it is interpreted as for OpenAI. Third parties report that a wrong URL or
version is a 404 with the code "404", which says nothing about the batch. The current reference also
has a newer URL, `/openai/v1/batches/...` without `api-version`.
"""

from __future__ import annotations

from attrs import evolve

from jobcancel.adapter import Credential, Param, Route
from jobcancel.vendors.openai import OPENAI_BATCH

_VERSION = {"api-version": "{api_version}"}

AZURE_OPENAI_BATCH = evolve(
    OPENAI_BATCH,
    name="azure-openai-batch",
    title="Azure OpenAI batches",
    docs='learn.microsoft.com, Azure OpenAI REST reference, page "Batch - Cancel"',
    notes=(
        "Only API keys are supported, not Microsoft Entra tokens. Requests that finished before "
        "the cancel are billed and are in the output file. The vendor doesn't document its reply "
        "for a finished batch; unless it is the same as OpenAI's, jobcancel reads the status. The "
        "URLs are those with `api-version`: the base URL must not end with `/openai/v1`."
    ),
    # Endpoint
    default_url="https://{resource}.openai.azure.com",
    key_env="AZURE_OPENAI_API_KEY",
    url_env="AZURE_OPENAI_ENDPOINT",
    credential=Credential(header="api-key", scheme=""),
    # Requests
    params={
        "resource": Param("the name of the Azure OpenAI resource", optional=True),
        # The SDK's variable.
        "api_version": Param(
            "the version of the API", default="2024-10-21", env="OPENAI_API_VERSION"
        ),
    },
    headers={},
    cancel=Route("POST", "/openai/batches/{id}/cancel", query=_VERSION),
    status=Route("GET", "/openai/batches/{id}", query=_VERSION),
    # Replies
    replies={**OPENAI_BATCH.replies, (404, "404"): None},
)
