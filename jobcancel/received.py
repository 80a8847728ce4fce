"""A reply as it comes in: its head, and its body decompressed in bounded steps."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, cast

from attrs import define, field

from jobcancel.adapter import Request, Response, parse

# A reply is a few hundred bytes; a Pulse status may hold 5 MB of result.
_LARGEST_BODY = 16 * 2**20


@define(eq=False)
class Received:
    """Collects a reply: its head, and its body decompressed, up to the largest that is read.

    Decompressing is done here, in bounded steps: httpx would turn 64 KiB of a gzip bomb into
    64 MiB before anyone could look at its size.
    """

    request: Request
    status_code: int = field(init=False, default=0)
    headers: Mapping[str, str] = field(init=False, factory=dict)
    chunks: list[bytes] = field(init=False, factory=list)
    size: int = field(init=False, default=0)
    problem: str = field(init=False, default="")
    inflate: Any = field(init=False, default=None)

    def begin(self, reply: Any) -> None:  # noqa: ANN401 - httpx's or httpx2's
        """Take the head, and the body where the transport has it at hand."""
        self.status_code = reply.status_code
        self.headers = _headers(reply)
        if reply.is_stream_consumed:
            self.keep(reply.content)
            return
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding in {"gzip", "x-gzip", "deflate"}:
            self.inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out which
        elif encoding not in {"", "identity"}:
            self.problem = f"a body in the encoding {encoding[:50]!r}, which was not asked for"

    def feed(self, chunk: bytes) -> bool:
        """Take the next part as it came; False when the rest need not be read."""
        if not self.problem:
            self.keep(chunk if self.inflate is None else self._inflated(chunk))
        return not self.problem

    def keep(self, part: bytes) -> None:
        """Keep a part of the decompressed body."""
        self.chunks.append(part)
        self.size += len(part)
        if self.size > _LARGEST_BODY:
            self.problem = f"a body of more than {_LARGEST_BODY >> 20} MiB"
            self.chunks.clear()

    def _inflated(self, chunk: bytes) -> bytes:
        try:
            part = cast("bytes", self.inflate.decompress(chunk, _LARGEST_BODY - self.size + 1))
        except zlib.error as error:
            self.problem = f"a compressed body that is broken ({error})"
            return b""
        if self.inflate.unused_data:
            self.problem = "a compressed body with something else after its end"
        return part

    def response(self) -> Response:
        """Return the whole reply, with the key redacted wherever the vendor quoted it."""
        key = self.request.key
        if self.inflate is not None and not self.inflate.eof and not self.problem:
            self.problem = "a compressed body that is cut short"
        content = None if self.problem else key.redact_bytes(b"".join(self.chunks))
        return Response(
            status_code=self.status_code,
            headers={name: key.redact(value) for name, value in self.headers.items()},
            content=content,
            problem=self.problem,
            body=cast("Mapping[str, Any] | None", key.redact_all(parse(content))),
        )


def _headers(reply: Any) -> dict[str, str]:  # noqa: ANN401 - httpx or httpx2
    """Return the headers with lower-case names; those that come several times are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in reply.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
