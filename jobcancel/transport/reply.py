"""Receives a reply: its headers, and its body, decompressed in bounded steps."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from attrs import define, field

from jobcancel.adapter.body import TooLarge, read
from jobcancel.adapter.protocol import Request, Response
from jobcancel.models import LARGEST_KEPT

if TYPE_CHECKING:
    from jobcancel.secret import Secret

# Bytes. A reply usually has a few hundred bytes; a Pulse status may contain a result of 5 MB.
_LARGEST_BODY = 16 * 2**20
# A vendor behind a content delivery network sends about forty. HTTP parsers have their own limits.
_MAX_HEADERS = 200
_LARGEST_HEAD = 64 * 2**10


@define(eq=False)
class Received:
    """Collects a reply: its headers, and its decompressed body, up to a maximum size.

    It decompresses the body itself, in bounded steps: httpx would inflate 64 KiB of a gzip bomb to
    64 MiB before the size could be checked.
    """

    request: Request
    status_code: int = field(init=False, default=0)
    headers: Mapping[str, str] = field(init=False, factory=dict)
    body: BytesIO = field(init=False, factory=BytesIO)
    problem: str = field(init=False, default="")
    inflate: Any = field(init=False, default=None)
    distrust: Callable[[], object] = field(init=False, default=lambda: None)

    def begin(self, reply: Any) -> None:  # noqa: ANN401 - httpx's or httpx2's
        """Read the headers, and the body if the transport has already read it."""
        self.status_code = reply.status_code
        self.distrust = reply.extensions.get("distrust", self.distrust)
        raw = reply.headers.raw
        if len(raw) > _MAX_HEADERS or sum(len(n) + len(v) for n, v in raw) > _LARGEST_HEAD:
            self.problem = (
                f"more than {_MAX_HEADERS} headers, or more than {_LARGEST_HEAD >> 10} KiB of them"
            )
            return
        self.headers = _joined(raw)
        if reply.is_stream_consumed:
            self.append(reply.content)
            return
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding in {"gzip", "x-gzip", "deflate"}:
            self.inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # detects gzip or zlib
        elif encoding not in {"", "identity"}:
            self.problem = f"the content encoding is {encoding[:50]!r}, which was not requested"

    def feed(self, chunk: bytes) -> bool:
        """Add the next part of the raw body; return False if the rest is not needed."""
        if not self.problem:
            self.append(chunk if self.inflate is None else self._inflated(chunk))
        return not self.problem

    def append(self, part: bytes) -> None:
        """Append a part of the decompressed body."""
        if self.body.tell() + len(part) > _LARGEST_BODY:
            self.problem = f"the body is larger than {_LARGEST_BODY >> 20} MiB"
            self.body = BytesIO()
        else:
            self.body.write(part)

    def _inflated(self, chunk: bytes) -> bytes:
        left = _LARGEST_BODY - self.body.tell()
        try:
            part = cast("bytes", self.inflate.decompress(chunk, left + 1))
        except zlib.error as error:
            self.problem = f"the compressed body is corrupt ({error})"
            return b""
        if self.inflate.unused_data:
            self.problem = "there is data after the end of the compressed body"
        return part

    def response(self) -> Response:
        """Return the complete reply, with the key redacted wherever the vendor quotes it.

        If the body is too large for a result, `flow.call.reportable` redacts the texts later.
        """
        key = self.request.key
        if self.inflate is not None and not self.inflate.eof and not self.problem:
            self.problem = "the compressed body is truncated"
        content, body = None, None
        if not self.problem:
            content = self.body.getvalue()
            content = content if len(content) > LARGEST_KEPT else key.redact_bytes(content)
            try:
                body = read(content)
            except TooLarge as error:
                self.problem, content = str(error), None
        return Response(
            status_code=self.status_code,
            headers=_redacted(self.headers, key),
            content=content,
            problem=self.problem,
            body=body,
            distrust=self.distrust,
        )


def _joined(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers with lower-case names; join the values of repeated ones."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _redacted(headers: Mapping[str, str], key: Secret) -> Mapping[str, str]:
    """Return the headers with the key redacted."""
    joined = "\n".join(headers.values())
    if key.redact(joined) == joined:  # the usual case, in one pass
        return headers
    return {name: key.redact(value) for name, value in headers.items()}
