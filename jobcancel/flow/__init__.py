"""The decisions: what to send next, how long to wait, when the outcome is known. No I/O."""

from jobcancel.flow.call import Call
from jobcancel.flow.cancellation import cancel
from jobcancel.flow.events import Flow, NoReply, NotSent, Pause, Reply, Send, Stopped
from jobcancel.flow.lookup import status
from jobcancel.flow.waiting import Waiting

__all__ = [
    "Call",
    "Flow",
    "NoReply",
    "NotSent",
    "Pause",
    "Reply",
    "Send",
    "Stopped",
    "Waiting",
    "cancel",
    "status",
]
