"""The situations in which a cancel must tell the truth, and what is true in each.

A situation says how the vendor is brought into it and which outcomes are true then, for all
providers or by provider. What a provider cannot get into is left out by its capabilities. At the
declared vendors of the sandbox, which differ more, what is true follows from their declaration (in
`true_at`) and from what became of the job in the sandbox.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, TypeAlias

from attrs import Factory, define, frozen

from jobcancel import HttpAdapter, JobState, Outcome, get_adapter
from jobcancel.adapter import Response
from jobcancel.sandbox import CancelPolicy, Fault, Sandbox
from jobcancel.sandbox.keys import TALONIC_SPENT_KEY
from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.vendors.declaration import as_uuid

O = Outcome  # noqa: E741 - the table is read by columns
Truth: TypeAlias = Mapping[str, set[Outcome]]

OTHER_KEYS = {"pulse": "sandbox-pulse-other-key", "talonic": "tlnc_other_key"}
LIMITED_KEYS = {"pulse": "sandbox-pulse-limited-key", "talonic": "tlnc_limited_key"}
HOURS = 7200.0
PARAMS = {"fal": {"app": "fal-ai/flux"}, "runpod": {"endpoint": "abc"}}


@define
class Stage:
    """One vendor in the sandbox, with one job of ours, before the curtain rises."""

    sandbox: Sandbox
    provider: str
    adapter: HttpAdapter
    now: Callable[[], float]
    elsewhere: str
    """Address of a second server, which must never be asked anything."""
    job_id: str = ""
    key: str = ""
    base_url: str | None = None

    @property
    def vendor(self) -> str:
        return self.provider.removesuffix("-legacy")

    @property
    def declared(self) -> bool:
        return self.vendor in VENDORS

    def job(self, **settings: Any) -> None:
        queued = self.declared and not VENDORS[self.vendor].cancels[JobState.RUNNING].stops
        defaults = {"pending": 1e6 if queued else 0.0, "running": 1e6}
        self.job_id = self.sandbox.submit(self.vendor, **{**defaults, **settings})

    def fault(self, on: str = "cancel", times: int | None = 1, **fault: Any) -> None:
        self.sandbox.fault(self.vendor, self.job_id, Fault(**fault), on=on, times=times)  # type: ignore[arg-type]

    def status_body(self, **fields: Any) -> dict[str, Any]:
        return {"id": self.job_id, "job_id": self.job_id, **fields}


def _any(_: HttpAdapter) -> bool:
    return True


def _unseen_end(adapter: HttpAdapter) -> bool:
    """Whether the reply to a cancel does not itself show the job's state."""
    return bool(adapter.success)


def _can_expire(adapter: HttpAdapter) -> bool:
    if adapter.name in VENDORS:
        return JobState.EXPIRED in VENDORS[adapter.name].words
    return JobState.EXPIRED in adapter.states.values()


def _says(word: str) -> Callable[[HttpAdapter], bool]:
    """Whether a status body of `word` at `status` is one of the vendor's."""
    return lambda adapter: (
        not _is_declared(adapter) or ("status" in adapter.state and word in adapter.states)
    )


def _can_tell(code: int, body: str | None, *, applied: bool) -> Callable[[HttpAdapter], bool]:
    """Whether it is not the documented success, which nobody can tell from a lie."""

    def can_tell(adapter: HttpAdapter) -> bool:
        untyped = adapter.is_untyped(Response(status_code=code, content=(body or "").encode()))
        return applied or not (untyped or (not body and code in adapter.empty_success))

    return can_tell


def _is_declared(adapter: HttpAdapter) -> bool:
    return adapter.name in VENDORS


def _seeded(adapter: HttpAdapter) -> bool:
    """Whether it is one of the first vendors: for what is about the transport, they will do."""
    return not _is_declared(adapter)


def _checks_ids(adapter: HttpAdapter) -> bool:
    return Outcome.INVALID in adapter.replies.values()


def _limits_keys(adapter: HttpAdapter) -> bool:
    """Whether some keys may not cancel, and the vendor says so."""
    return adapter.name not in VENDORS or VENDORS[adapter.name].denied is not None


def _overrides(adapter: HttpAdapter) -> bool:
    return _seeded(adapter) and bool(adapter.overrides)


def _opaque_ids(adapter: HttpAdapter) -> bool:
    return not _checks_ids(adapter) and adapter.name != "databricks-run"


@frozen(kw_only=True)
class Situation:
    name: str
    arrange: Callable[[Stage], None]
    truth: set[Outcome] | Truth
    options: Mapping[str, Any] = Factory(dict)
    needs: Callable[[HttpAdapter], bool] = _any

    def true(self, stage: Stage) -> set[Outcome]:
        if isinstance(self.truth, set):
            known = self.truth
        else:
            known = self.truth["pulse" if stage.declared else stage.vendor]
        return true_at(stage, self.name, known) if stage.declared else known


def _situation(
    name: str,
    arrange: Callable[[Stage], None],
    *truth: Outcome,
    needs: Callable[[HttpAdapter], bool] = _any,
    by_vendor: Truth | None = None,
    **options: Any,
) -> Situation:
    return Situation(
        name=name, arrange=arrange, truth=by_vendor or set(truth), options=options, needs=needs
    )


# How a vendor is brought into a situation


def job(**settings: Any) -> Callable[[Stage], None]:
    return lambda stage: stage.job(**settings)


def faulty(**fault: Any) -> Callable[[Stage], None]:
    """A running job, and a fault of the cancel request."""

    def arrange(stage: Stage) -> None:
        stage.job()
        stage.fault(**fault)

    return arrange


def lost_then(**status_fault: Any) -> Callable[[Stage], None]:
    """The reply to an applied cancel is lost, and the status read has a fault."""

    def arrange(stage: Stage) -> None:
        stage.job()
        stage.fault(drop=True, apply=True)
        stage.fault(on="status", **status_fault)

    return arrange


def status_says(lost: bool = True, **fields: Any) -> Callable[[Stage], None]:
    """The cancel is applied but its reply lost; the status has these fields."""

    def arrange(stage: Stage) -> None:
        stage.job()
        stage.fault(drop=lost, apply=True)
        stage.fault(on="status", times=None, status=200, body=stage.status_body(**fields))

    return arrange


def limited(header: str, value: Callable[[float], str]) -> Callable[[Stage], None]:
    """429 once, with a header that says when to come again."""

    def arrange(stage: Stage) -> None:
        stage.job()
        stage.fault(status=429, headers={header: value(stage.now())})

    return arrange


def _another_tenants(stage: Stage) -> None:
    vendor = stage.vendor
    stage.job(key=VENDORS[vendor].other_key if stage.declared else OTHER_KEYS[vendor])


def _unknown(stage: Stage) -> None:
    new_id = VENDORS[stage.vendor].new_id if stage.declared else as_uuid
    stage.job_id = new_id(0xFFFF)


def _with_key(key: str) -> Callable[[Stage], None]:
    def arrange(stage: Stage) -> None:
        stage.job()
        stage.key = key

    return arrange


def _with_limited_key(stage: Stage) -> None:
    stage.job()
    declared = stage.declared
    stage.key = VENDORS[stage.vendor].limited_key if declared else LIMITED_KEYS[stage.vendor]


def _with_spent_key(stage: Stage) -> None:
    stage.job()
    stage.key = VENDORS[stage.vendor].spent_key if stage.declared else TALONIC_SPENT_KEY


def _with_id(job_id: str) -> Callable[[Stage], None]:
    def arrange(stage: Stage) -> None:
        stage.job_id = job_id

    return arrange


def _at(base_url: str) -> Callable[[Stage], None]:
    def arrange(stage: Stage) -> None:
        stage.job()
        stage.base_url = base_url

    return arrange


def _tls_to_a_plain_server(stage: Stage) -> None:
    stage.job()
    stage.base_url = stage.sandbox.base_urls[stage.provider].replace("http:", "https:")


def _redirected(stage: Stage) -> None:
    stage.job()
    stage.fault(status=307, headers={"location": f"{stage.elsewhere}/job/x"})


def _iso(seconds: float) -> Callable[[float], str]:
    return lambda now: datetime.fromtimestamp(now + seconds, UTC).isoformat()


# Endless and enormous things

_MIB = b" " * 2**20


def _endless() -> Iterable[bytes]:
    return itertools.repeat(b" ")


def _huge() -> Iterable[bytes]:
    return itertools.repeat(_MIB, 400)


_BOMB = gzip.compress(bytes(400 * 2**20), 9)


def _bomb() -> Iterable[bytes]:
    return [_BOMB]


def _endless_headers() -> Iterable[bytes]:
    return itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-More: headers\r\n"))


def _dripping_headers() -> Iterable[bytes]:
    line = b"HTTP/1.1 200 OK\r\nX-More: headers\r\n"
    return (line[i : i + 1] for i in itertools.cycle(range(len(line))))


def _dripped_success() -> Iterable[bytes]:
    return (
        bytes([byte]) for byte in json.dumps({"message": "Job cancelled successfully"}).encode()
    )


HTML = "<html><body>Bad gateway</body></html>"
FAILURE = {"error": {"code": "GENERAL_001", "message": "internal error"}}

SITUATIONS = [
    # The job's own state
    _situation("the job is pending", job(pending=1e6), O.CANCELLED),
    _situation("the job is processing", job(pending=0.0), O.CANCELLED),
    _situation("the job is processing; verified", job(pending=0.0), O.CANCELLED, verify=True),
    _situation("the job is completed", job(pending=0.0, running=0.0), O.ALREADY_TERMINAL),
    _situation(
        "the job is failed", job(pending=0.0, running=0.0, ends_as="failed"), O.ALREADY_TERMINAL
    ),
    _situation(
        # No vendor says who cancelled a job; where the reply says "over", that stands.
        "the job was cancelled before",
        faulty(finish=JobState.CANCELLED),
        by_vendor={"pulse": {O.CANCELLED, O.ALREADY_TERMINAL}, "talonic": {O.ALREADY_TERMINAL}},
    ),
    _situation(
        "the job is expired",
        faulty(finish=JobState.EXPIRED),
        O.ALREADY_TERMINAL,
        needs=_can_expire,
    ),
    _situation("the job is unknown", _unknown, O.NOT_FOUND),
    _situation(
        "the job is another tenant's",
        _another_tenants,
        by_vendor={"pulse": {O.FORBIDDEN}, "talonic": {O.NOT_FOUND}},
    ),
    _situation("the key is wrong", _with_key("a-key-that-nobody-knows"), O.UNAUTHORIZED),
    _situation(
        "the id is malformed to the vendor", _with_id("not-a-uuid"), O.INVALID, needs=_checks_ids
    ),
    _situation("the key may not cancel", _with_limited_key, O.FORBIDDEN, needs=_limits_keys),
    _situation(
        "the key is spent for today",
        _with_spent_key,
        O.RATE_LIMITED,
        needs=lambda adapter: not adapter.name.startswith("pulse"),
    ),
    _situation("the id is odd", _with_id("a/b?c#d%e fü"), O.NOT_FOUND, needs=_opaque_ids),
    *(
        _situation(f"the id is {job_id!r}", _with_id(job_id), O.INVALID)
        for job_id in ("", " ", ".", "..", "a\nb")
    ),
    # Rate limits
    _situation(
        "429 once, Retry-After in seconds", limited("retry-after", lambda _: "2"), O.CANCELLED
    ),
    _situation(
        "429 once, Retry-After as a date",
        limited("retry-after", lambda now: formatdate(now + 3, usegmt=True)),
        O.CANCELLED,
    ),
    _situation(
        "429 once, retry-after-ms", limited("retry-after-ms", lambda _: "1500"), O.CANCELLED
    ),
    _situation(
        "429 once, X-RateLimit-Reset as a delta",
        limited("x-ratelimit-reset", lambda _: "2"),
        O.CANCELLED,
    ),
    _situation(
        "429 once, X-RateLimit-Reset as epoch seconds",
        limited("x-ratelimit-reset", lambda now: f"{now + 2:.0f}"),
        O.CANCELLED,
    ),
    _situation(
        "429 once, X-RateLimit-Reset in ISO 8601",
        limited("x-ratelimit-reset", _iso(2)),
        O.CANCELLED,
    ),
    _situation("429 once, without a time", faulty(status=429), O.CANCELLED),
    _situation(
        "429 for ever, Retry-After 1",
        faulty(status=429, headers={"retry-after": "1"}, times=None),
        O.RATE_LIMITED,
    ),
    _situation("429 for ever, without a time", faulty(status=429, times=None), O.RATE_LIMITED),
    _situation(
        "429 with a wait of hours",
        faulty(status=429, headers={"retry-after": f"{HOURS:.0f}"}, times=None),
        O.RATE_LIMITED,
    ),
    # Server errors
    *(
        _situation(f"{code} once, {kind} body", faulty(status=code, body=body), O.CANCELLED)
        for code in (500, 502, 503, 504)
        for kind, body in (("JSON", FAILURE), ("HTML", HTML))
    ),
    *(
        _situation(
            f"{code} for ever, {kind} body",
            faulty(status=code, body=body, times=None),
            O.UNKNOWN,
        )
        for code in (500, 502, 503, 504)
        for kind, body in (("JSON", FAILURE), ("HTML", HTML))
    ),
    _situation(
        "500 though the cancel was applied",
        faulty(status=500, body=FAILURE, apply=True),
        O.CANCELLED,
    ),
    _situation(
        "500 because the job had ended",
        faulty(status=500, body=FAILURE, finish=JobState.SUCCEEDED),
        O.ALREADY_TERMINAL,
    ),
    _situation(
        "503 with a wait of hours, the cancel was applied",
        faulty(status=503, headers={"retry-after": f"{HOURS:.0f}"}, apply=True, times=None),
        O.CANCELLED,
    ),
    # Connections
    _situation("the connection is refused", _at("http://127.0.0.1:9"), O.UNKNOWN),
    _situation("the name has no address", _at("https://no-such-host.invalid"), O.UNKNOWN),
    _situation("TLS fails", _tls_to_a_plain_server, O.UNKNOWN),
    _situation("the connection is reset before the request", faulty(drop=True), O.CANCELLED),
    _situation(
        "the connection is reset before every request", faulty(drop=True, times=None), O.UNKNOWN
    ),
    _situation("dropped after the cancel was applied", faulty(drop=True, apply=True), O.CANCELLED),
    _situation(
        "the reply is stalled after the cancel was applied",
        faulty(stall=30.0, apply=True),
        O.CANCELLED,
    ),
    _situation("the reply is stalled, nothing applied", faulty(stall=30.0), O.CANCELLED),
    _situation(
        "dropped, and the job ends by itself",
        faulty(drop=True, finish_after=JobState.FAILED),
        O.ALREADY_TERMINAL,
    ),
    # Races
    _situation(
        "the job finishes between decision and request",
        faulty(finish=JobState.SUCCEEDED),
        O.ALREADY_TERMINAL,
    ),
    _situation(
        "accepted, but the job completes anyway; verified",
        job(on_cancel=CancelPolicy(ends_as=JobState.SUCCEEDED)),
        O.ALREADY_TERMINAL,
        needs=_unseen_end,
        verify=True,
    ),
    _situation(
        "accepted, but the job completes anyway; not verified",
        job(on_cancel=CancelPolicy(ends_as=JobState.SUCCEEDED)),
        O.CANCELLED,
        O.ALREADY_TERMINAL,
        needs=_unseen_end,
    ),
    _situation(
        "accepted, but the job goes on past the deadline; verified",
        job(on_cancel=CancelPolicy(after=1e6)),
        O.CANCELLING,
        needs=_unseen_end,
        verify=True,
    ),
    # Successes that say nothing
    *(
        _situation(
            f"{what}, {'applied' if applied else 'not applied'}",
            faulty(status=code, body=body, apply=applied),
            O.CANCELLED,
            needs=_can_tell(code, body, applied=applied),
        )
        for what, code, body in (
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
        for applied in (True, False)
    ),
    # Spellings and dialects
    *(
        _situation(
            f"the status says {word!r} after a lost reply",
            status_says(status=word),
            O.CANCELLED,
            needs=_says(word),
        )
        for word in ("cancelled", "canceled")
    ),
    _situation(
        "the status says 'failed', Cancelled via API",
        status_says(status="failed", error={"code": "job_failed", "message": "Cancelled via API"}),
        O.CANCELLED,
        needs=_overrides,
    ),
    _situation(
        "the status says 'failed' with another error after a lost reply",
        status_says(status="failed", error={"code": "job_failed", "message": "Bad schema"}),
        O.ALREADY_TERMINAL,
        needs=_says("failed"),
    ),
    _situation(
        "the reply says 'failed' with another error",
        faulty(
            status=200,
            body={"status": "failed", "error": {"code": "job_failed", "message": "Bad schema"}},
            finish=JobState.FAILED,
        ),
        O.ALREADY_TERMINAL,
        needs=_says("failed"),
    ),
    # The status read fails
    *(
        _situation(f"reply lost, then the status read {what} once", lost_then(**fault), O.CANCELLED)
        for what, fault in (
            ("fails with 500", {"status": 500, "body": FAILURE}),
            ("is dropped", {"drop": True}),
            ("answers 404", {"status": 404, "body": FAILURE}),
            ("answers garbage", {"status": 200, "body": "garbage"}),
            ("is limited", {"status": 429, "headers": {"retry-after": "1"}}),
        )
    ),
    *(
        _situation(
            # An idempotency key makes the vendor repeat its first answer, which was lost.
            f"reply lost, then every status read {what}",
            lost_then(times=None, **fault),
            by_vendor={"pulse": {O.UNKNOWN}, "talonic": {O.CANCELLED}},
        )
        for what, fault in (
            ("fails with 500", {"status": 500, "body": FAILURE}),
            ("is dropped", {"drop": True}),
            ("answers 404", {"status": 404, "body": FAILURE}),
            ("answers garbage", {"status": 200, "body": "garbage"}),
        )
    ),
    # Endless and enormous replies to an applied cancel
    *(
        _situation(what, faulty(apply=True, **fault), O.CANCELLED, needs=_seeded)
        for what, fault in (
            (
                "the body drips a byte at a time",
                {"status": 200, "chunks": _dripped_success, "interval": 0.05},
            ),
            ("the body never ends", {"status": 200, "chunks": _endless, "interval": 0.01}),
            ("the body is 400 MiB", {"status": 200, "chunks": _huge}),
            (
                "the body is a gzip bomb",
                {"status": 200, "chunks": _bomb, "headers": {"content-encoding": "gzip"}},
            ),
            ("the headers never end", {"raw": _endless_headers}),
            ("the headers drip", {"raw": _dripping_headers, "interval": 0.02}),
        )
    ),
    # Somewhere else
    _situation("redirected to another host", _redirected, O.UNKNOWN),
]

SEEDED = ["pulse", "pulse-legacy", "talonic"]
PROVIDERS = [*SEEDED, *sorted(VENDORS)]


def true_at(stage: Stage, name: str, known: set[Outcome]) -> set[Outcome]:
    """What is true at a declared vendor where `known` is at the first ones."""
    vendor, adapter = VENDORS[stage.vendor], stage.adapter
    meanings = {*adapter.replies.values(), *adapter.verdicts.values()}
    states = {"pending": JobState.PENDING, "processing": JobState.RUNNING}
    state = states.get(name.removeprefix("the job is ").removesuffix("; verified"))
    if state is not None and not vendor.cancels[state].stops:
        return {O.REFUSED}
    if name in {"the job is unknown", "the id is odd"}:
        return {O.NOT_FOUND} & meanings or {O.UNKNOWN}
    if name == "the job is another tenant's":
        told = {403: O.FORBIDDEN, 404: O.NOT_FOUND}[vendor.foreign.status]
        return {told} & meanings or {O.UNKNOWN}
    if name == "the job was cancelled before" and vendor.hides_cancelled:
        return {O.NOT_FOUND}
    also: set[Outcome] = set()
    if O.CANCELLED in known:
        # An acceptance does not always show the end.
        also |= {O.CANCELLING}
    if name.startswith("reply lost, then every status read"):
        # A second cancel may tell what the first one did.
        also |= {O.CANCELLED, O.CANCELLING}
    if stage.provider == "runway" and "404" in name:
        # It is read before the cancel, too.
        also |= {O.NOT_FOUND}
    if stage.provider == "runway" and name.startswith("the job finishes between"):
        # Then it is deleted, which has the same reply.
        also |= {O.CANCELLED}
    return known | also


def adapter_of(provider: str) -> HttpAdapter:
    adapter = get_adapter(provider)
    assert isinstance(adapter, HttpAdapter)
    return adapter


POSSIBLE = [
    (provider, situation)
    for provider in PROVIDERS
    for situation in SITUATIONS
    if situation.needs(adapter_of(provider))
]
