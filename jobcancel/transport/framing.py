"""Passes only the bytes of the expected reply to httpcore, and keeps the rest.

httpcore reads everything that the server sends, and takes data after a reply for the next reply.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Headers: TypeAlias = list[tuple[bytes, bytes]]

# An empty line, as h11 defines it, and its beginning.
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_PARTIAL_END = re.compile(rb"\n\r?\Z")
_NO_BODY = frozenset({204, 304})


class Incoming:
    """Received bytes, of which only those of the expected reply are returned.

    h11 has validated the lengths, so both agree on where a reply ends.
    """

    def __init__(self) -> None:
        self.data = b""
        self._line = b""
        self._left = 0
        self._end: Callable[[], int] = self._of_head

    def expect_reply(self) -> None:
        """Return the head of the next reply, and of informational replies (1xx) before it."""
        self._end = self._of_head

    def expect_body(self, status: int, headers: Headers) -> None:
        """Return the body that this head announces (RFC 9112, section 6.3)."""
        fields = {name.lower(): value for name, value in headers}
        if status in _NO_BODY:
            self._end = self._of_length
            self._left = 0
        elif b"transfer-encoding" in fields:
            self._end = self._of_chunks
            self._left, self._line = 0, b""
        elif b"content-length" in fields:
            self._end = self._of_length
            self._left = int(fields[b"content-length"])
        else:
            self._end = self._of_all

    def take(self) -> bytes:
        """Return the next bytes of the expected reply; `b""` if more must be received first."""
        end = self._end()
        part, self.data = self.data[:end], self.data[end:]
        return part

    def take_all(self) -> bytes:
        """Return all received bytes, after the end of the connection."""
        part, self.data = self.data, b""
        return part

    def _of_head(self) -> int:
        if (match := _END_OF_HEAD.search(self.data)) is not None:
            return match.end()
        partial = _PARTIAL_END.search(self.data)
        return len(self.data) if partial is None else partial.start()

    def _of_all(self) -> int:
        return len(self.data)

    def _of_length(self) -> int:
        end = min(self._left, len(self.data))
        self._left -= end
        return end

    def _of_chunks(self) -> int:
        if self._left:
            return self._of_length()
        end = self._of_line()
        if self._line.endswith(b"\n"):
            size, self._line = self._line.partition(b";")[0].strip(), b""
            try:
                # A line break follows the chunk.
                self._left = int(size, 16) + 2
            except ValueError:
                self._end = self._of_all  # h11 rejects it
            else:
                if not int(size, 16):
                    self._left, self._end = 0, self._of_trailers
        return end

    def _of_trailers(self) -> int:
        end = self._of_line()
        if self._line.endswith(b"\n"):
            if not self._line.strip():
                self._end = self._of_length
            self._line = b""
        return end

    def _of_line(self) -> int:
        end = self.data.find(b"\n") + 1 or len(self.data)
        self._line += self.data[:end]
        return end
