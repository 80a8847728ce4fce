"""A forward proxy on loopback, for the examples that use one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Proxy(BaseHTTPRequestHandler):
    def do_DELETE(self) -> None:
        target = urlsplit(self.path)
        connection = HTTPConnection(target.netloc)
        connection.request("DELETE", target.path, headers=dict(self.headers))
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        self.send_response(reply.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("via", "1.1 proxy")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def proxy() -> Iterator[str]:
    """Serve a proxy for DELETE requests; yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
