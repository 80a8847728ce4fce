"""The wire: runs a flow over an HTTP client. Decides nothing."""

from jobcancel.transport.pump import arun, run

__all__ = ["arun", "run"]
