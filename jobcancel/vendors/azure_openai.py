"""Azure OpenAI: batches, as at OpenAI but for the address and the header of the key.

Sources: Microsoft's REST reference (learn.microsoft.com, Azure OpenAI, "Batch"), and the Python SDK
openai 3.54.0 for the address with `api-version`. How a finished batch answers is not documented;
where it answers in OpenAI's words, it is read as there. That a wrong address or version is a 404
with the code "404" is known from third parties: that says nothing of the batch. The current
reference has a newer address, `/openai/v1/batches/...` without `api-version`, beside this one.
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
        "Only API keys are supported, not tokens of Microsoft Entra. Requests finished before the "
        "cancel stay billed and are in the output file. How a finished batch answers is not "
        "documented, so unless it answers as OpenAI's do, its status is read. The address is the "
        "one with `api-version`: the base URL has no `/openai/v1` at its end."
    ),
    # Where
    default_url="https://{resource}.openai.azure.com",
    key_env="AZURE_OPENAI_API_KEY",
    url_env="AZURE_OPENAI_ENDPOINT",
    credential=Credential(header="api-key", scheme=""),
    # What to send
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
    # What a reply means
    replies={**OPENAI_BATCH.replies, (404, "404"): None},
)
