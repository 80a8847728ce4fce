"""Tools for testing applications that use jobcancel, and adapters.

`scripted` and its steps need the core only. The fixtures (in `plugin`) and the cassettes need the
extra `testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel._lazy import lazily

if TYPE_CHECKING:
    from jobcancel.testing.cassette import Recording, cassettes, recorded
    from jobcancel.testing.contract import AdapterContract
    from jobcancel.testing.script import Script, ScriptError, Sent, scripted
    from jobcancel.testing.steps import Step, lost_reply, reply, unreachable
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "AdapterContract": "contract",
            "Recording": "cassette",
            "Script": "script",
            "ScriptError": "script",
            "Sent": "script",
            "Step": "steps",
            "cassettes": "cassette",
            "recorded": "cassette",
            "lost_reply": "steps",
            "reply": "steps",
            "scripted": "script",
            "unreachable": "steps",
        },
    )

__all__ = [
    "AdapterContract",
    "Recording",
    "Script",
    "ScriptError",
    "Sent",
    "Step",
    "cassettes",
    "lost_reply",
    "recorded",
    "reply",
    "scripted",
    "unreachable",
]
