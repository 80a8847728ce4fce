"""The situations of the fault matrix: those of the sandbox, and more in the same form.

A row is a `jobcancel.sandbox.situations.Row`: a job, faults, and the true outcomes. Differences
between vendors come from the sandbox's declarations; `needs` excludes the vendors for which a
situation is impossible.
"""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, frozen

from jobcancel import HttpAdapter, JobState, Outcome, get_adapter
from jobcancel.adapter import Response
from jobcancel.adapter.replies import is_untyped
from jobcancel.retry import Clock
from jobcancel.sandbox import Fault
from jobcancel.sandbox.situations import ROWS, Injected, Row, accepted, over
from jobcancel.sandbox.vendors.catalog import PROVIDERS

if TYPE_CHECKING:
    from jobcancel.sandbox.vendors.declaration import Vendor

O = Outcome  # noqa: E741 - keeps the table narrow
ACCEPTED = {O.CANCELLED, O.CANCELLING}
HOURS = 7200.0

FIRST = ["pulse", "pulse-legacy", "talonic"]
"""The providers that run every row, over each transport."""


@define
class SkippingClock:
    """Real time except that waits are skipped, for the sandbox as well."""

    skipped: float = 0.0

    def wall(self) -> float:
        return time.time() + self.skipped

    @property
    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: time.monotonic() + self.skipped,
            wall=self.wall,
            random=lambda: 0.5,
            sleep=self._skip,
            async_sleep=self._askip,
        )

    def _skip(self, seconds: float) -> None:
        self.skipped += seconds

    async def _askip(self, seconds: float) -> None:
        self.skipped += seconds


CLOCK = SkippingClock()


@frozen(kw_only=True)
class Case:
    """A row, and the options of its cancel call."""

    row: Row
    verify: bool = False
    base_url: Callable[[str], str] = str
    """Maps the vendor's base URL to the one that is used."""

    @property
    def name(self) -> str:
        return f"{self.row.description.rstrip('.')}{'; verified' if self.verify else ''}"


def adapter_of(provider: str) -> HttpAdapter:
    adapter = get_adapter(provider)
    assert isinstance(adapter, HttpAdapter)
    return adapter


# Which situations are possible for a vendor


def _is_first(vendor: Vendor) -> bool:
    """Whether it is one of `FIRST`, which are enough for rows about the transport."""
    return vendor.name in FIRST


def _says(word: str) -> Callable[[Vendor], bool]:
    """Return whether the vendor's status bodies may have `word` in the field `status`."""

    def says(vendor: Vendor) -> bool:
        adapter = adapter_of(vendor.name)
        return _is_first(vendor) or ("status" in adapter.state and word in adapter.states)

    return says


def _overrides(vendor: Vendor) -> bool:
    return _is_first(vendor) and bool(adapter_of(vendor.name).overrides)


def _can_tell(fault: Fault) -> Callable[[Vendor], bool]:
    """Return whether the reply differs from the documented success, so that a client can tell."""

    def can_tell(vendor: Vendor) -> bool:
        adapter, code = adapter_of(vendor.name), fault.status
        assert code is not None
        untyped = is_untyped(adapter, Response(status_code=code, content=fault.content or b""))
        empty = not fault.content and code in adapter.empty_body_statuses
        return fault.apply or not (untyped or empty)

    return can_tell


# True outcomes


def _second_cancel(vendor: Vendor) -> set[Outcome]:
    """The outcomes of a second cancel after the reply to the first one was lost."""
    if vendor.idempotency_header is not None:
        return {O.CANCELLED}  # the vendor repeats its first reply
    return {O.UNKNOWN} if vendor.name == "pulse" else {O.UNKNOWN, *ACCEPTED}


def _read_first(truth: set[Outcome]) -> Callable[[Vendor], set[Outcome]]:
    """Add `not-found` for a vendor that deletes finished jobs: the status is read first there."""
    return lambda vendor: truth | {O.NOT_FOUND} if vendor.deletes_finished else truth


# Faults


def once(name: str, truth: Any, *, needs: Any = None, **fault: Any) -> Row:
    """A fault of the first cancel request."""
    more = {} if needs is None else {"needs": needs}
    return Row(name, name, truth, cancel=Fault(**fault), **more)


def always(name: str, truth: Any, **fault: Any) -> Row:
    """A fault of every cancel request."""
    return Row(name, name, truth, cancel=Fault(**fault), lasting=True)


def limited(name: str, header: str, value: Callable[[float], str]) -> Row:
    """429 once, with a header that says when to retry."""

    def fault(_: Vendor) -> Fault:
        return Fault(status=429, headers={header: value(CLOCK.wall())})

    return Row(name, name, accepted, cancel=fault)


def lost_then(name: str, truth: Any, times: int | None = 1, **fault: Any) -> Row:
    """The reply to an applied cancel is lost, and the status read has a fault."""
    lost = Injected(Fault(drop=True, apply=True))
    return Row(name, name, truth, faults=(lost, Injected(Fault(**fault), "status", times)))


def status_says(name: str, truth: Any, needs: Callable[[Vendor], bool], **fields: Any) -> Row:
    """The reply to an applied cancel is lost, and the status has these fields."""
    row = lost_then(name, truth, times=None, status=200, body=fields)
    return evolve(row, needs=needs)


def _iso(seconds: float) -> Callable[[float], str]:
    return lambda now: datetime.fromtimestamp(now + seconds, UTC).isoformat()


# Endless and huge replies

_MIB = b" " * 2**20
_BOMB = gzip.compress(bytes(400 * 2**20), 9)


def _endless() -> Iterable[bytes]:
    return itertools.repeat(b" ")


def _huge() -> Iterable[bytes]:
    return itertools.repeat(_MIB, 400)


def _endless_headers() -> Iterable[bytes]:
    return itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-More: headers\r\n"))


def _dripping_headers() -> Iterable[bytes]:
    line = b"HTTP/1.1 200 OK\r\nX-More: headers\r\n"
    return (line[i : i + 1] for i in itertools.cycle(range(len(line))))


def _dripped_success() -> Iterable[bytes]:
    body = json.dumps({"message": "Job cancelled successfully"}).encode()
    return (bytes([byte]) for byte in body)


HTML = "<html><body>Bad gateway</body></html>"
FAILURE: Mapping[str, Any] = {"error": {"code": "GENERAL_001", "message": "internal error"}}
BAD_SCHEMA = {"status": "failed", "error": {"code": "job_failed", "message": "Bad schema"}}
STATUS_FAULTS: Mapping[str, Any] = {
    "fails with 500": {"status": 500, "body": FAILURE},
    "is dropped": {"drop": True},
    "answers 404": {"status": 404, "body": FAILURE},
    "answers garbage": {"status": 200, "body": "garbage"},
}
VAGUE_SUCCESSES = (
    ("200 with an empty body", 200, ""),
    ("204", 204, None),
    ("200 with invalid JSON", 200, '{"message": "Job canc'),
    ("200 with a list", 200, "[]"),
    ("200 with a string", 200, '"Job cancelled successfully"'),
    ("200 with null", 200, "null"),
    ("200 with nested wrong types", 200, '{"message": {"a": 1}, "status": [], "error": 1}'),
    ("200 with an unknown status word", 200, '{"status": "archiving"}'),
    ("200 about another job", 200, '{"id": "x", "job_id": "x", "status": "cancelled"}'),
)

ENDLESS: Mapping[str, Any] = {
    "the body drips a byte at a time": {
        "status": 200,
        "chunks": _dripped_success,
        "interval": 0.05,
    },
    "the body never ends": {"status": 200, "chunks": _endless, "interval": 0.01},
    "the body is 400 MiB": {"status": 200, "chunks": _huge},
    "the body is a gzip bomb": {
        "status": 200,
        "chunks": lambda: [_BOMB],
        "headers": {"content-encoding": "gzip"},
    },
    "the headers never end": {"raw": _endless_headers},
    "the headers drip": {"raw": _dripping_headers, "interval": 0.02},
}

MORE_ROWS = [
    *(
        Row("id", f"the id is {job_id!r}", {O.INVALID}, job=None, job_id=job_id)
        for job_id in ("", " ", ".", "..", "a\nb")
    ),
    # Rate limits
    limited(
        "429 once, Retry-After as a date",
        "retry-after",
        lambda now: formatdate(now + 3, usegmt=True),
    ),
    limited("429 once, retry-after-ms", "retry-after-ms", lambda _: "1500"),
    limited("429 once, X-RateLimit-Reset as a delta", "x-ratelimit-reset", lambda _: "2"),
    limited(
        "429 once, X-RateLimit-Reset as epoch seconds",
        "x-ratelimit-reset",
        lambda now: f"{now + 2:.0f}",
    ),
    limited("429 once, X-RateLimit-Reset in ISO 8601", "x-ratelimit-reset", _iso(2)),
    once("429 once, without a time", accepted, status=429),
    always("429 always, Retry-After 1", {O.RATE_LIMITED}, status=429, headers={"retry-after": "1"}),
    always("429 always, without a time", {O.RATE_LIMITED}, status=429),
    # Server errors
    *(
        row
        for code in (500, 502, 503, 504)
        for kind, body in (("JSON", FAILURE), ("HTML", HTML))
        for row in (
            once(f"{code} once, {kind} body", accepted, status=code, body=body),
            always(f"{code} always, {kind} body", {O.UNKNOWN}, status=code, body=body),
        )
    ),
    always(
        "503 with a wait of hours, the cancel was applied",
        {O.CANCELLED},
        status=503,
        headers={"retry-after": f"{HOURS:.0f}"},
        apply=True,
    ),
    # Connections
    always("the connection is reset before every request", {O.UNKNOWN}, drop=True),
    once("the reply is stalled after the cancel was applied", ACCEPTED, stall=30.0, apply=True),
    once("the reply is stalled, nothing applied", accepted, stall=30.0),
    once(
        "dropped, and the job ends right after the answer",
        over,
        drop=True,
        finish_after=JobState.FAILED,
    ),
    # Inconclusive successes
    *(
        once(
            f"{name}, {'applied' if fault.apply else 'not applied'}",
            ACCEPTED,
            needs=_can_tell(fault),
            status=code,
            body=body,
            apply=fault.apply,
        )
        for name, code, body in VAGUE_SUCCESSES
        for fault in (
            Fault(status=code, body=body, apply=True),
            Fault(status=code, body=body, apply=False),
        )
    ),
    # Spellings of states
    *(
        status_says(
            f"the status says {word!r} after a lost reply", ACCEPTED, _says(word), status=word
        )
        for word in ("cancelled", "canceled")
    ),
    status_says(
        "the status says 'failed', Cancelled via API",
        {O.CANCELLED},
        _overrides,
        status="failed",
        error={"code": "job_failed", "message": "Cancelled via API"},
    ),
    status_says(
        "the status says 'failed' with another error after a lost reply",
        {O.ALREADY_TERMINAL},
        _says("failed"),
        **BAD_SCHEMA,
    ),
    once(
        "the reply says 'failed' with another error",
        over,
        needs=_says("failed"),
        status=200,
        body=BAD_SCHEMA,
        finish=JobState.FAILED,
    ),
    # The status read fails
    *(
        lost_then(f"reply lost, then the status read {what} once", _read_first(ACCEPTED), **fault)
        for what, fault in STATUS_FAULTS.items()
    ),
    lost_then(
        "reply lost, then the status read is limited once",
        ACCEPTED,
        status=429,
        headers={"retry-after": "1"},
    ),
    *(
        lost_then(
            f"reply lost, then every status read {what}",
            lambda vendor: _read_first(_second_cancel(vendor))(vendor),
            times=None,
            **fault,
        )
        for what, fault in STATUS_FAULTS.items()
    ),
    # Endless and huge replies to an applied cancel
    *(
        once(name, ACCEPTED, needs=_is_first, apply=True, **fault)
        for name, fault in ENDLESS.items()
    ),
    always("redirected to another path", {O.UNKNOWN}, status=307, headers={"location": "/other"}),
]


def _elsewhere(name: str, base_url: Callable[[str], str]) -> Case:
    return Case(row=Row(name, name, {O.UNKNOWN}), base_url=base_url)


_CANCELLED = "the job is cancelled"

CASES = [
    Case(row=Row("cancelled", _CANCELLED, {O.CANCELLED}, verified=O.CANCELLED), verify=True),
    *(
        Case(row=row, verify=verify)
        for row in ROWS
        for verify in ((False, True) if row.verified is not None else (False,))
    ),
    *(Case(row=row) for row in MORE_ROWS),
    _elsewhere("the connection is refused", lambda _: "http://127.0.0.1:9"),
    _elsewhere("the name has no address", lambda _: "https://no-such-host.invalid"),
    _elsewhere("TLS fails", lambda own: own.replace("http:", "https:")),
]

POSSIBLE = [
    (provider, case)
    for provider in (*FIRST, *sorted({*PROVIDERS} - {*FIRST}))
    for case in CASES
    if case.row.needs(PROVIDERS[provider])
]
