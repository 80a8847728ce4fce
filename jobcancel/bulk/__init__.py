"""Many jobs at once, at the pace that each vendor allows."""

from jobcancel.bulk.results import AsyncCancelResults, CancelResults, Limits

__all__ = ["AsyncCancelResults", "CancelResults", "Limits"]
