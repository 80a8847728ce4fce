"""Finding the end of a reply, byte by byte."""

from __future__ import annotations

import pytest

from jobcancel.transport.framing import Incoming

HEAD = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


def taken(pieces: list[bytes], status: int = 200, *headers: tuple[bytes, bytes]) -> bytes:
    """Return the bytes that reach the parser when these pieces arrive."""
    incoming, given, has_head = Incoming(), b"", False
    for piece in pieces:
        incoming.data += piece
        while part := incoming.take():
            given += part
            if not has_head and given.endswith((b"\r\n\r\n", b"\n\n")):
                has_head = True
                incoming.expect_body(status, list(headers))
    return given


@pytest.mark.parametrize(
    ("status", "header", "body"),
    [
        (200, (b"Content-Length", b"5"), b"hello"),
        (200, (b"transfer-encoding", b"chunked"), b"2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\nT: x\r\n\r\n"),
        (204, (b"Content-Length", b"5"), b""),
        (304, (b"Content-Length", b"5"), b""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_bytes_after_a_reply_are_dropped(
    status: int, header: tuple[bytes, bytes], body: bytes, size: int
) -> None:
    data = HEAD + body + b"HTTP/1.1 200 OK\r\n\r\n"
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert HEAD + body == taken(pieces, status, header)


def test_an_invalid_chunk_is_passed_to_the_parser() -> None:
    data = [HEAD, b"xyz\r\n", b"more"]
    assert HEAD + b"xyz\r\nmore" == taken(data, 200, (b"transfer-encoding", b"chunked"))
