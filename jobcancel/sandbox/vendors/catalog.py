"""All vendors that the sandbox plays, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel.errors import ConfigurationError
from jobcancel.sandbox.vendors.anthropic import ANTHROPIC_BATCH
from jobcancel.sandbox.vendors.apify import APIFY
from jobcancel.sandbox.vendors.azure_openai import AZURE_OPENAI_BATCH
from jobcancel.sandbox.vendors.baseten import BASETEN
from jobcancel.sandbox.vendors.cohere import COHERE_BATCH
from jobcancel.sandbox.vendors.databricks import DATABRICKS_RUN, DATABRICKS_STATEMENT
from jobcancel.sandbox.vendors.extend import (
    EXTEND_CLASSIFY,
    EXTEND_EXTRACT,
    EXTEND_PARSE,
    EXTEND_SPLIT,
    EXTEND_WORKFLOW,
)
from jobcancel.sandbox.vendors.fal import FAL
from jobcancel.sandbox.vendors.firecrawl import FIRECRAWL_BATCH, FIRECRAWL_CRAWL
from jobcancel.sandbox.vendors.gemini import GEMINI_BATCH
from jobcancel.sandbox.vendors.groq import GROQ_BATCH
from jobcancel.sandbox.vendors.higgsfield import HIGGSFIELD
from jobcancel.sandbox.vendors.llamacloud import (
    LLAMACLOUD_BATCH,
    LLAMACLOUD_EXTRACT,
    LLAMACLOUD_PARSE,
)
from jobcancel.sandbox.vendors.mistral import MISTRAL_BATCH
from jobcancel.sandbox.vendors.openai import OPENAI_BATCH, OPENAI_FINETUNE, OPENAI_RESPONSE
from jobcancel.sandbox.vendors.pulse import PULSE
from jobcancel.sandbox.vendors.reducto import REDUCTO
from jobcancel.sandbox.vendors.replicate import REPLICATE
from jobcancel.sandbox.vendors.runpod import RUNPOD
from jobcancel.sandbox.vendors.runway import RUNWAY
from jobcancel.sandbox.vendors.talonic import TALONIC
from jobcancel.sandbox.vendors.together import TOGETHER_BATCH
from jobcancel.sandbox.vendors.unstructured import UNSTRUCTURED

if TYPE_CHECKING:
    from jobcancel.sandbox.vendors.declaration import Vendor

VENDORS = {
    vendor.name: vendor
    for vendor in (
        *(PULSE, TALONIC),
        *(OPENAI_BATCH, OPENAI_RESPONSE, OPENAI_FINETUNE, AZURE_OPENAI_BATCH, GROQ_BATCH),
        *(ANTHROPIC_BATCH, MISTRAL_BATCH, GEMINI_BATCH, COHERE_BATCH, TOGETHER_BATCH),
        *(LLAMACLOUD_PARSE, LLAMACLOUD_EXTRACT, LLAMACLOUD_BATCH),
        *(EXTEND_EXTRACT, EXTEND_PARSE, EXTEND_CLASSIFY, EXTEND_SPLIT, EXTEND_WORKFLOW),
        *(REDUCTO, UNSTRUCTURED, APIFY, FIRECRAWL_CRAWL, FIRECRAWL_BATCH),
        *(DATABRICKS_RUN, DATABRICKS_STATEMENT),
        *(REPLICATE, FAL, HIGGSFIELD, RUNPOD, BASETEN, RUNWAY),
    )
}
"""Name -> declaration."""

PROVIDERS = {name: vendor for vendor in VENDORS.values() for name in vendor.providers}
"""Provider -> the declaration of its jobs."""


def vendor_of(provider: str) -> Vendor:
    """Return the declaration of a provider's jobs.

    Raises:
        ConfigurationError: the sandbox has no such provider.
    """
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise ConfigurationError(f"no provider {provider!r} here: expected one of {known}")
    return PROVIDERS[provider]


def relatives(name: str) -> list[Vendor]:
    """Return the vendors that share a key with one, itself included.

    Example:
        >>> [vendor.name for vendor in relatives("databricks-run")]
        ['databricks-run', 'databricks-statement']
    """
    family = VENDORS[name].family
    return [each for each in VENDORS.values() if each.family == family]
