"""Cancels many jobs concurrently, at the rate that each vendor allows."""

from jobcancel.bulk.results import AsyncCancelResults, CancelResults, Limits

__all__ = ["AsyncCancelResults", "CancelResults", "Limits"]
