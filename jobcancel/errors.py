"""The exceptions of jobcancel. Vendor errors never raise; they are returned as a `CancelResult`.

Exception
└── JobCancelError
    ├── UnknownProvider (LookupError)       there is no provider with that name
    ├── MissingCredential                   no API key in arguments, client or environment
    ├── ConfigurationError (ValueError)     an argument or setting is invalid
    │   └── WrongType (TypeError)           an argument has the wrong type
    ├── BrokenAdapter                       a plug-in cannot be imported or is not an adapter
    └── CancelFailed                        raise_for_outcome(): the job was not stopped
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobcancel.models import CancelResult


class JobCancelError(Exception):
    """Base of every error that jobcancel raises."""


class UnknownProvider(JobCancelError, LookupError):
    """No adapter with that name is built in, registered or installed."""


class MissingCredential(JobCancelError):
    """There is no API key; the message names the environment variable to set."""


class ConfigurationError(JobCancelError, ValueError):
    """An argument or setting is invalid; the message says which one and what to do."""


class WrongType(ConfigurationError, TypeError):
    """An argument has the wrong type, such as a job id that is not a string."""


class BrokenAdapter(JobCancelError):
    """A plug-in cannot be used; the message names its distribution."""


class CancelFailed(JobCancelError):
    """Raised by `CancelResult.raise_for_outcome()` when the job was not stopped.

    Attributes:
        result: the `CancelResult`, with the outcome.
    """

    def __init__(self, result: CancelResult) -> None:
        super().__init__(
            f"job {result.job_id!r} at {result.provider!r} was not stopped: "
            f"{result.outcome}: {result.message}"
        )
        self.result = result

    def __reduce__(self) -> tuple[type[CancelFailed], tuple[CancelResult]]:
        """Support pickling, so that the error can be raised across a process pool."""
        return (CancelFailed, (self.result,))
