"""A small application that uses jobcancel; its tests run in a separate environment."""

from __future__ import annotations

from jobcancel import Outcome, cancel

WORDS = {
    Outcome.CANCELLED: "stopped",
    Outcome.CANCELLING: "stopping",
    Outcome.ALREADY_TERMINAL: "was over already",
    Outcome.RATE_LIMITED: "try again later",
}


def stop(provider: str, job_id: str, *, verify: bool = False, deadline: float = 30.0) -> str:
    """Cancel a job and return the message for the user."""
    result = cancel(provider, job_id, verify=verify, deadline=deadline)
    return WORDS.get(result.outcome, f"not stopped: {result.message}")
