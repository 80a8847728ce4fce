"""Records the one request of a call, on loopback or instead of the real transport."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import httpx2
import requests
from attrs import define, field, frozen

from tests.parity.differences import is_ignored

if TYPE_CHECKING:
    from types import ModuleType


@frozen(kw_only=True)
class Sent:
    """One request as it was sent, its headers with lower-case names."""

    method: str
    address: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def parts(self) -> dict[str, object]:
        """Return the parts to compare, by name; the path as decoded segments."""
        path, _, query = self.target.partition("?")
        parts: dict[str, object] = {
            "method": self.method,
            "address": self.address,
            "path": tuple(map(unquote, path.split("/")[1:])),
            "query": sorted(parse_qsl(query, keep_blank_values=True)),
            "body": self.body,
        }
        for name, value in self.headers.items():
            if not is_ignored(name, has_body=bool(self.body)):
                parts[f"header {name}"] = value
        return parts


@define(eq=False)
class Recorder:
    """Answers every request with the same reply and records it.

    Args:
        answer: the JSON object that it answers with.
        status_code: the status code.
    """

    answer: Mapping[str, Any]
    status_code: int = 200
    sent: list[Sent] = field(init=False, factory=list)

    def only(self) -> Sent:
        """Return the request; there must be exactly one."""
        [sent] = self.sent
        return sent

    @contextlib.contextmanager
    def on_loopback(self) -> Iterator[str]:
        """Serve on a loopback port; yield the base URL."""
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def parse_request(self) -> bool:
                if not super().parse_request():
                    return False
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                recorder.keep(self.command, "loopback", self.path, dict(self.headers), body)
                content = json.dumps(recorder.answer).encode()
                self.send_response(recorder.status_code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                return False

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Replace the transports of three libraries, so that requests to any URL are recorded."""
        with contextlib.ExitStack() as stack:
            for library in (httpx, httpx2):
                patch = mock.patch.object(
                    library.HTTPTransport, "handle_request", self._handle(library)
                )
                stack.enter_context(patch)
            stack.enter_context(
                mock.patch.object(requests.adapters.HTTPAdapter, "send", self._send())
            )
            yield

    def _handle(self, library: ModuleType) -> Callable[[object, Any], Any]:
        def handle_request(_: object, request: Any) -> Any:
            url = request.url
            self.keep(
                request.method,
                f"{url.scheme}://{url.host}",
                url.raw_path.decode(),
                dict(request.headers),
                request.read(),
            )
            return library.Response(self.status_code, json=self.answer, request=request)

        return handle_request

    def _send(self) -> Callable[..., requests.Response]:
        def send(_: object, request: Any, **__: object) -> requests.Response:
            url = urlsplit(request.url)
            body = request.body or b""
            self.keep(
                request.method,
                f"{url.scheme}://{url.hostname}",
                request.path_url,
                dict(request.headers),
                body.encode() if isinstance(body, str) else body,
            )
            response = requests.Response()
            response.status_code = self.status_code
            response.raw = io.BytesIO(json.dumps(self.answer).encode())
            return response

        return send

    def keep(
        self, method: str, address: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Record one request."""
        lower = {name.lower(): value for name, value in headers.items()}
        self.sent.append(
            Sent(method=method, address=address, target=target, headers=lower, body=body)
        )
