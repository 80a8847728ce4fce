"""Cancel a job at any vendor with one call, and know for certain whether it stopped.

from jobcancel import cancel

cancel("pulse", "abc123-def456-ghi789").outcome      # Outcome.CANCELLED
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# The package of that name is loaded before the function can be: loading it later, when the
# first provider is used, would put the package in the function's place.
import jobcancel.providers  # noqa: F401
from jobcancel._version import __version__
from jobcancel.lazy import lazily

if TYPE_CHECKING:
    from jobcancel.adapter import Adapter, Credential
    from jobcancel.client import AsyncCanceller, Canceller
    from jobcancel.errors import (
        BrokenAdapter,
        CancelFailed,
        ConfigurationError,
        JobCancelError,
        MissingCredential,
        UnknownProvider,
    )
    from jobcancel.models import CancelResult, Job, JobReading, JobState, Outcome, Progress
    from jobcancel.registry import get_adapter, providers, register
    from jobcancel.replies import Override
    from jobcancel.routes import Param, Route
    from jobcancel.shared import acancel, acancel_many, astatus, cancel, cancel_many, status
    from jobcancel.tables import HttpAdapter
else:
    del globals()["providers"]
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "Adapter": "adapter",
            "AsyncCanceller": "client",
            "BrokenAdapter": "errors",
            "CancelFailed": "errors",
            "CancelResult": "models",
            "Canceller": "client",
            "ConfigurationError": "errors",
            "Credential": "adapter",
            "HttpAdapter": "tables",
            "Job": "models",
            "JobCancelError": "errors",
            "JobReading": "models",
            "JobState": "models",
            "MissingCredential": "errors",
            "Outcome": "models",
            "Override": "replies",
            "Param": "routes",
            "Progress": "models",
            "Route": "routes",
            "UnknownProvider": "errors",
            "acancel": "shared",
            "acancel_many": "shared",
            "astatus": "shared",
            "cancel": "shared",
            "cancel_many": "shared",
            "get_adapter": "registry",
            "providers": "registry",
            "register": "registry",
            "status": "shared",
        },
    )

__all__ = [
    "Adapter",
    "AsyncCanceller",
    "BrokenAdapter",
    "CancelFailed",
    "CancelResult",
    "Canceller",
    "ConfigurationError",
    "Credential",
    "HttpAdapter",
    "Job",
    "JobCancelError",
    "JobReading",
    "JobState",
    "MissingCredential",
    "Outcome",
    "Override",
    "Param",
    "Progress",
    "Route",
    "UnknownProvider",
    "__version__",
    "acancel",
    "acancel_many",
    "astatus",
    "cancel",
    "cancel_many",
    "get_adapter",
    "providers",
    "register",
    "status",
]
