"""What is wrong with the lines of a file: the first of each kind, and how many more."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import Factory, define

_SHOWN = 3
"""How many of a kind are shown in full."""
_KINDS = 20
"""How many kinds are; more of them are counted together."""
_LONGEST = 300
"""Characters; a message may quote a line, and a line may hold anything."""
_TELLING = 80
"""Characters, without particulars, that tell one kind from another."""

_PARTICULARS = re.compile(
    r"""'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|\d+""", re.DOTALL
)
"""What differs between problems of one kind: what they quote, and numbers."""


@define
class _Kind:
    first: str
    times: int = 0


@define
class Problems:
    """Says what is wrong with lines.

    Args:
        name: what the file is called.
        say: prints a message.
    """

    _name: str
    _say: Callable[[str], None]
    _kinds: dict[str, _Kind] = Factory(dict)

    def add(self, line: int, problem: str) -> None:
        """Say what is wrong with a line, unless that was said of others."""
        key = _PARTICULARS.sub("?", problem)[:_TELLING]
        if len(problem) > _LONGEST:
            problem = f"{problem[:_LONGEST]}..."
        if key not in self._kinds and len(self._kinds) >= _KINDS:
            key = ""
        message = f"{self._name}, line {line}: {problem}"
        kind = self._kinds.setdefault(key, _Kind(message))
        kind.times += 1
        if key and kind.times <= _SHOWN:
            self._say(message)

    def count_the_others(self) -> None:
        """Say of how many more lines the same was true."""
        for key, kind in self._kinds.items():
            more = kind.times - _SHOWN if key else kind.times
            if more > 0:
                like = "like this" if key else "with other problems"
                self._say(f"{kind.first} (and {more:,} more {like})")
