"""All declared vendors by name; Pulse and Talonic, which can do more, have modules of their own."""

from __future__ import annotations

from jobcancel.sandbox.vendors_data import DATA_VENDORS
from jobcancel.sandbox.vendors_documents import DOCUMENT_VENDORS
from jobcancel.sandbox.vendors_llm import LLM_VENDORS
from jobcancel.sandbox.vendors_media import MEDIA_VENDORS
from jobcancel.sandbox.vendors_openai import OPENAI_VENDORS

VENDORS = {
    vendor.name: vendor
    for vendor in (
        *(*OPENAI_VENDORS, *LLM_VENDORS),
        *(*DOCUMENT_VENDORS, *DATA_VENDORS, *MEDIA_VENDORS),
    )
}
"""Provider -> its declaration."""


def relatives(name: str) -> list[str]:
    """Return the vendors that the key of one is for, itself included.

    Example:
        >>> relatives("databricks-run")
        ['databricks-run', 'databricks-statement']
    """
    family = VENDORS[name].family
    return [each.name for each in VENDORS.values() if each.family == family]
