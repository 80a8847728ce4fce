"""The wire: runs a flow over an HTTP client. It makes no decisions."""

from jobcancel.transport.pump import arun, run

__all__ = ["arun", "run"]
