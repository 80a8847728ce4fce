"""Cancel a job at any vendor with one call, and know for certain whether it stopped.

from jobcancel import cancel

cancel("pulse", "abc123-def456-ghi789").outcome      # Outcome.CANCELLED
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel._lazy import lazily
from jobcancel._version import __version__

if TYPE_CHECKING:
    from jobcancel.adapter import Override
    from jobcancel.adapter.http import HttpAdapter
    from jobcancel.adapter.protocol import Adapter, Credential
    from jobcancel.adapter.routes import Param, Route
    from jobcancel.api import acancel, acancel_many, astatus, cancel, cancel_many, status
    from jobcancel.client import AsyncCanceller, Canceller
    from jobcancel.errors import (
        BrokenAdapter,
        CancelFailed,
        ConfigurationError,
        JobCancelError,
        MissingCredential,
        UnknownProvider,
    )
    from jobcancel.guard.block import Guard as guard  # noqa: N813 - it is called
    from jobcancel.guard.waiting import await_for, wait_for
    from jobcancel.models import CancelResult, Job, JobReading, JobState, Outcome, Progress
    from jobcancel.registry import get_adapter, providers, register
else:
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
            "HttpAdapter": "adapter",
            "Job": "models",
            "JobCancelError": "errors",
            "JobReading": "models",
            "JobState": "models",
            "MissingCredential": "errors",
            "Outcome": "models",
            "Override": "adapter",
            "Param": "adapter",
            "Progress": "models",
            "Route": "adapter",
            "UnknownProvider": "errors",
            "acancel": "api",
            "acancel_many": "api",
            "astatus": "api",
            "await_for": "guard.waiting",
            "cancel": "api",
            "cancel_many": "api",
            "get_adapter": "registry",
            "guard": "guard",
            "providers": "registry",
            "register": "registry",
            "status": "api",
            "wait_for": "guard.waiting",
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
    "await_for",
    "cancel",
    "cancel_many",
    "get_adapter",
    "guard",
    "providers",
    "register",
    "status",
    "wait_for",
]
