"""Decisions: what to send next, how long to wait, when an outcome is settled. Sends nothing."""

from jobcancel.flow.cancellation import cancel
from jobcancel.flow.lookup import status

__all__ = ["cancel", "status"]
