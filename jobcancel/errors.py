"""What jobcancel raises. A vendor's answer is never raised: it is a `CancelResult`.

Exception
└── JobCancelError
    ├── UnknownProvider (LookupError)       no adapter of that name
    ├── MissingCredential                   no API key in arguments, client or environment
    ├── ConfigurationError (ValueError)     an argument or a setting cannot be right
    │   └── WrongType (TypeError)           an argument is not of the type it must be
    ├── BrokenAdapter                       a plug-in cannot be imported or is no adapter
    └── CancelFailed                        raise_for_outcome(): the job was not stopped
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobcancel.models import CancelResult


class JobCancelError(Exception):
    """Base of every error that jobcancel raises."""


class UnknownProvider(JobCancelError, LookupError):
    """No adapter of that name is built in, registered or installed."""


class MissingCredential(JobCancelError):
    """No API key was given; the message names the environment variable to set."""


class ConfigurationError(JobCancelError, ValueError):
    """An argument or a setting cannot be right; the message says which and what to do."""


class WrongType(ConfigurationError, TypeError):
    """An argument is not of the type it must be, such as a job id that is not a string."""


class BrokenAdapter(JobCancelError):
    """A plug-in cannot be used; the message names the distribution that brought it."""


class CancelFailed(JobCancelError):
    """Raised by `CancelResult.raise_for_outcome()` when the job was not stopped.

    Attributes:
        result: the `CancelResult` that says what became of the request.
    """

    def __init__(self, result: CancelResult) -> None:
        super().__init__(
            f"job {result.job_id!r} at {result.provider!r} was not stopped: "
            f"{result.outcome}: {result.message}"
        )
        self.result = result

    def __reduce__(self) -> tuple[type[CancelFailed], tuple[CancelResult]]:
        """Pickle by the result, so that the error survives a process pool."""
        return (CancelFailed, (self.result,))
