"""The vendor of the benchmarks: a fast server in a separate process that replies like Pulse.

It parses as little of a request as possible, so that the benchmarks measure the clients. It can
delay replies and refuse requests above a quota. `serving` starts it; it exits when its control
connection is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass
from email.utils import formatdate

HOST = "127.0.0.1"
_END_OF_HEAD = b"\r\n\r\n"
# The control connection might never be opened; no benchmark takes this long.
_PATIENCE = 20.0
_LONGEST_LIFE = 3600.0

_CANCELLED = b'{"job_id": "%b", "message": "Job cancelled successfully"}'
_STATUS = b'{"job_id": "%b", "status": "canceled"}'
_REFUSED = b'{"error": {"code": "GENERAL_004", "message": "Rate limit exceeded"}}'
_OK = b"HTTP/1.1 200 OK\r\n"
_TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n"


@dataclass
class Counts:
    """The requests since the last reset.

    Attributes:
        requests: all of them.
        accepted: those within the quota.
        refused: those above the quota.
        connections: the number of opened connections.
        replies: those that were sent.
        first_request: when the first one arrived, on the clock of `time.monotonic`.
        last_reply: when the last reply was sent.
    """

    requests: int = 0
    accepted: int = 0
    refused: int = 0
    connections: int = 0
    replies: int = 0
    first_request: float = 0.0
    last_reply: float = 0.0


class Bucket:
    """A token bucket: `rate` requests per second on average, `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()

    def take(self) -> bool:
        """Take a token; False when there is none."""
        now = time.monotonic()
        self._tokens = min(float(self._burst), self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Vendor:
    """The state shared by all connections: the delay, the quota and the counts.

    Args:
        latency: seconds between a request and its reply.
        rate: accepted requests per second; 0 for all.
        burst: accepted requests at once.
    """

    def __init__(self, latency: float, rate: float, burst: int) -> None:
        self.latency = latency
        self._rate = rate
        self._burst = burst
        self._dated = (0, b"")
        self.reset()

    def reset(self) -> None:
        """Refill the bucket and reset the counts."""
        self.counts = Counts()
        self._bucket = Bucket(self._rate, self._burst) if self._rate else None

    def reply(self, head: bytes) -> bytes:
        """Return the reply to a request with this head."""
        if not self.counts.requests:
            self.counts.first_request = time.monotonic()
        self.counts.requests += 1
        if self._bucket is not None and not self._bucket.take():
            self.counts.refused += 1
            return self._framed(_TOO_MANY, _REFUSED)
        self.counts.accepted += 1
        method, target, _ = head.split(b" ", 2)
        job_id = target.rpartition(b"/")[2]
        return self._framed(_OK, (_STATUS if method == b"GET" else _CANCELLED) % job_id)

    def _framed(self, start: bytes, body: bytes) -> bytes:
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (start, self._headers(), len(body), body)

    def _headers(self) -> bytes:
        """Return the headers that every vendor sends, computed once per second."""
        second = int(time.time())
        if self._dated[0] != second:
            date = formatdate(second, usegmt=True).encode()
            lines = b"Date: %b\r\nServer: benchmark\r\nContent-Type: application/json\r\n" % date
            self._dated = (second, lines)
        return self._dated[1]


class Connection(asyncio.Protocol):
    """One client's connection, kept alive."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small replies immediately."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._vendor.counts.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer every complete request; no client here sends a body."""
        *heads, self._unread = (self._unread + data).split(_END_OF_HEAD)
        for head in heads:
            reply = self._vendor.reply(head)
            if self._vendor.latency:
                loop = asyncio.get_running_loop()
                loop.call_later(self._vendor.latency, self._reply, reply)
            else:
                self._reply(reply)

    def _reply(self, reply: bytes) -> None:
        self._transport.write(reply)
        self._vendor.counts.replies += 1
        self._vendor.counts.last_reply = time.monotonic()


async def _serve(vendor: Vendor) -> None:
    """Serve until the control connection ends."""
    loop = asyncio.get_running_loop()
    controlled, over = asyncio.Event(), asyncio.Event()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        controlled.set()
        while line := await reader.readline():
            counts = asdict(vendor.counts)
            if line.strip() == b"reset":
                vendor.reset()
            writer.write(json.dumps(counts).encode() + b"\n")
            await writer.drain()
        writer.close()
        over.set()

    server = await loop.create_server(lambda: Connection(vendor), HOST, 0, backlog=1024)
    controls = await asyncio.start_server(control, HOST, 0)
    ports = [each.sockets[0].getsockname()[1] for each in (server, controls)]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await controlled.wait()
        async with asyncio.timeout(_LONGEST_LIFE):
            await over.wait()


def main() -> None:
    """Start the server with the command line's options; print its port and the control port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--burst", type=int, default=1)
    asked = parser.parse_args()
    asyncio.run(_serve(Vendor(asked.latency, asked.rate, asked.burst)))


if __name__ == "__main__":
    main()
