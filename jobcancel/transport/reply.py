"""A reply as it comes in: its head, and its body decompressed in bounded steps."""

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

# A reply is a few hundred bytes; a Pulse status may hold 5 MB of result.
_LARGEST_BODY = 16 * 2**20
# A vendor behind a content delivery network sends forty; parsers of HTTP set bounds of their own.
_MOST_HEADERS = 200
_LARGEST_HEAD = 64 * 2**10


@define(eq=False)
class Received:
    """Collects a reply: its head, and its body decompressed, up to the largest that is read.

    Decompressing is done here, in bounded steps: httpx would turn 64 KiB of a gzip bomb into
    64 MiB before anyone could look at its size.
    """

    request: Request
    status_code: int = field(init=False, default=0)
    headers: Mapping[str, str] = field(init=False, factory=dict)
    body: BytesIO = field(init=False, factory=BytesIO)
    problem: str = field(init=False, default="")
    inflate: Any = field(init=False, default=None)
    distrust: Callable[[], object] = field(init=False, default=lambda: None)

    def begin(self, reply: Any) -> None:  # noqa: ANN401 - httpx's or httpx2's
        """Take the head, and the body where the transport has it at hand."""
        self.status_code = reply.status_code
        self.distrust = reply.extensions.get("distrust", self.distrust)
        raw = reply.headers.raw
        if len(raw) > _MOST_HEADERS or sum(len(n) + len(v) for n, v in raw) > _LARGEST_HEAD:
            self.problem = f"more than {_MOST_HEADERS} headers or {_LARGEST_HEAD >> 10} KiB of them"
            return
        self.headers = _joined(raw)
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
        if self.body.tell() + len(part) > _LARGEST_BODY:
            self.problem = f"a body of more than {_LARGEST_BODY >> 20} MiB"
            self.body = BytesIO()
        else:
            self.body.write(part)

    def _inflated(self, chunk: bytes) -> bytes:
        left = _LARGEST_BODY - self.body.tell()
        try:
            part = cast("bytes", self.inflate.decompress(chunk, left + 1))
        except zlib.error as error:
            self.problem = f"a compressed body that is broken ({error})"
            return b""
        if self.inflate.unused_data:
            self.problem = "a compressed body with something else after its end"
        return part

    def response(self) -> Response:
        """Return the whole reply, with the key redacted wherever the vendor quoted it.

        Of a body that is too large to be kept, `call` redacts what a reading says.
        """
        key = self.request.key
        if self.inflate is not None and not self.inflate.eof and not self.problem:
            self.problem = "a compressed body that is cut short"
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
    """Return the headers with lower-case names; those that come several times are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _redacted(headers: Mapping[str, str], key: Secret) -> Mapping[str, str]:
    """Return the headers without the key, which is in none of them, as a rule."""
    together = "\n".join(headers.values())
    if key.redact(together) == together:
        return headers
    return {name: key.redact(value) for name, value in headers.items()}
