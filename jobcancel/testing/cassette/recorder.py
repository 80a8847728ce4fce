"""Records the cancel of one job as a cassette without secrets, and checks that it replays.

`jobcancel record` uses it, and so do the cassettes that come with jobcancel. `scrub` removes the
secrets.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx
import vcr
from attrs import define, field, frozen
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.serialize import serialize
from vcr.serializers import yamlserializer

from jobcancel.adapter import HttpAdapter
from jobcancel.adapter.routes import names_in, parse
from jobcancel.client import Canceller
from jobcancel.config import with_key
from jobcancel.models import CancelResult
from jobcancel.testing.cassette import Recording
from jobcancel.testing.cassette.replay import own_url, replaying
from jobcancel.testing.cassette.scrub import KEY_PLACEHOLDER, SCRUBBED, Scrubber
from jobcancel.testing.clocks import StillClock

if TYPE_CHECKING:
    from jobcancel.adapter import Adapter
    from jobcancel.flow.call import Call

_API_KEY, _ADDRESS = "the API key", "the address"
# They differ between recordings, or identify the machine.
_LEFT_OUT = frozenset({"user-agent", "host", "idempotency-key", "connection"})
# More status reads than any call needs.
_MOST_READS = 100


@define(eq=False)
class _InMemory:
    """A persister of vcrpy that keeps one cassette in memory."""

    requests: list[Any] = field(factory=list)
    replies: list[Any] = field(factory=list)

    def save_cassette(self, _path: object, cassette: Mapping[str, Any], **_: object) -> None:
        self.requests, self.replies = cassette["requests"], cassette["responses"]

    def load_cassette(self, _path: object, **_: object) -> tuple[list[Any], list[Any]]:
        if not self.requests:
            raise CassetteNotFoundError
        return copy.deepcopy((self.requests, self.replies))

    def repeat_last(self) -> None:
        """Repeat the last exchange."""
        self.requests.append(copy.deepcopy(self.requests[-1]))
        self.replies.append(copy.deepcopy(self.replies[-1]))


@frozen(kw_only=True)
class Recorded:
    """A cassette, and the result of the recorded cancel.

    Args:
        result: the result.
        replies: the number of replies in the cassette.
        text: the cassette; empty if there was no reply.
        replaced: what was replaced -> how often.
        missed: the numbers, from 1, of the values to scrub that did not occur.
        problem: why the cassette does not replay to the same outcome; None if it does.
    """

    result: CancelResult
    replies: int
    text: str
    replaced: Mapping[str, int]
    missed: Sequence[int]
    problem: str | None


def record(
    canceller: Canceller,
    provider: str,
    job_id: str,
    *,
    options: Mapping[str, Any],
    scrub: Sequence[str] = (),
    recorded_from: str | None = None,
    recorded_on: str | None = None,
) -> Recorded:
    """Cancel a job and record the requests and replies.

    The URLs in the cassette are the vendor's, wherever it was recorded.

    Args:
        canceller: the client.
        provider: the provider.
        job_id: the job's id.
        options: keyword arguments of `cancel`, kept for the replay.
        scrub: values to replace, besides the API key.
        recorded_from: the name of the host; None for its real name.
        recorded_on: the date to write into the cassette, if any.

    Raises:
        JobCancelError: the call is invalid.
    """
    call = with_key(canceller.prepare(provider, job_id, params=options.get("params")))
    scrubber = _scrubber(call, scrub)
    memory = _InMemory()
    recorder = vcr.VCR(record_mode=vcr.mode.ALL)
    recorder.register_persister(memory)
    with recorder.use_cassette("recording"):
        # Use the key that is scrubbed: a callable may return another one.
        key = cast("str", call.endpoint.key)
        result = canceller.cancel(provider, job_id, api_key=key, **options)
    for request, reply in zip(memory.requests, memory.replies, strict=True):
        _clean(request, reply, scrubber)
    missed = [n for n, _ in enumerate(scrub, 1) if not scrubber.counts[_named(n)]]
    recording = Recording(
        path=Path("recording"),
        provider=provider,
        job_id=scrubber.text(job_id),
        outcome=result.outcome,
        options=_cleaned(options, call, scrubber),
    )
    host = host_of(call, _own_url(call, scrub))
    about = {
        "provider": recording.provider,
        "job_id": recording.job_id,
        "outcome": str(recording.outcome),
        "options": recording.options,
        "recorded_from": recorded_from or scrubber.text(host),
    }
    if recorded_on is not None:
        about["recorded_on"] = recorded_on
    replies = len(memory.requests)
    problem = _problem(memory, recording) if replies else "there was no reply"
    cassette = {"requests": memory.requests, "responses": memory.replies, "metadata": about}
    return Recorded(
        result=result,
        replies=replies,
        text=serialize(cassette, yamlserializer) if replies else "",
        replaced=+scrubber.counts,
        missed=missed,
        problem=problem,
    )


def _named(number: int) -> str:
    return f"value {number} to scrub"


def _scrubber(call: Call, scrub: Sequence[str]) -> Scrubber:
    values = {value: f"scrubbed-{number}" for number, value in enumerate(scrub, 1)}
    names = {value: _named(number) for number, value in enumerate(scrub, 1)}
    # As httpx writes it. It may be the private address of a proxy.
    address = str(httpx.URL(call.endpoint.base_url)).rstrip("/")
    if address != (own := _own_url(call, scrub)):
        values[address], names[address] = own, _ADDRESS
    key = call.endpoint.key.reveal()
    values[key], names[key] = KEY_PLACEHOLDER, _API_KEY
    return Scrubber(values, names, kept=_own_headers(call.adapter))


def _own_headers(adapter: Adapter) -> frozenset[str]:
    """Return the vendor's headers that are the same for every customer."""
    headers = adapter.headers if isinstance(adapter, HttpAdapter) else {}
    fixed = {name for name, value in headers.items() if not names_in(parse(value))}
    own = {adapter.request_id_header} if isinstance(adapter, HttpAdapter) else set()
    return frozenset(fixed | own)


def _own_url(call: Call, scrub: Sequence[str]) -> str:
    """Return the vendor's default base URL, without the values to scrub."""
    named = {value: f"scrubbed-{number}" for number, value in enumerate(scrub, 1)}
    hidden = Scrubber(named, dict.fromkeys(named, ""))
    params = {name: hidden.text(value) for name, value in call.job.params.items()}
    return own_url(call.adapter, params)


def _clean(request: Any, reply: dict[str, Any], scrubber: Scrubber) -> None:  # noqa: ANN401 - vcrpy's
    headers = {n: [v] for n, v in request.headers.items() if n.lower() not in _LEFT_OUT}
    request.uri = scrubber.text(request.uri)
    request.headers = scrubber.headers(headers)
    request.body = scrubber.content(request.body)
    # A server's phrase may quote the key, and Python 3.13 renamed some standard ones.
    reply["status"]["message"] = httpx.codes.get_reason_phrase(reply["status"]["code"])
    reply["headers"], reply["body"]["string"] = scrubber.reply(
        reply["headers"], reply["body"]["string"]
    )


def host_of(call: Call, own: str) -> str:
    """Return the host that replied; of the vendor's hosts, without the part of the customer."""
    asked = urlsplit(call.endpoint.base_url)
    fixed = urlsplit(call.adapter.default_url).netloc.rpartition("}")[2]
    is_theirs = fixed and (asked.hostname or "").endswith(fixed)
    return urlsplit(own).netloc if is_theirs else asked.netloc


def _cleaned(options: Mapping[str, Any], call: Call, scrubber: Scrubber) -> dict[str, Any]:
    """Return the options to keep, without params that are sent in omitted headers."""
    if "params" not in options:
        return dict(options)
    adapter = call.adapter
    headers = adapter.headers if isinstance(adapter, HttpAdapter) else {}
    private = {
        name
        for header in headers
        if not scrubber.keeps(header)
        for name in names_in(parse(headers[header]))
    }
    params = {
        name: SCRUBBED if name in private else scrubber.text(value)
        for name, value in options["params"].items()
    }
    return {**options, "params": params}


def _problem(memory: _InMemory, recording: Recording) -> str | None:
    """Replay a recording; return why it does not end in the same outcome, if so.

    A replay takes no time, so a call may read the status more often than in the recording. The
    last reply is then repeated as often as needed.
    """
    for _ in range(_MOST_READS):
        try:
            with replaying(recording, memory), Canceller() as canceller:
                canceller.clock = StillClock().clock
                result = canceller.cancel(recording.provider, recording.job_id, **recording.options)
        except CannotOverwriteExistingCassetteException as error:
            wanted, last = error.failed_request, memory.requests[-1]
            if (wanted.method, wanted.uri) != (last.method, last.uri):
                return f"it has no reply to {wanted.method} {wanted.path}; was one lost?"
            memory.repeat_last()
        else:
            return (
                None if result.outcome is recording.outcome else f"it replays to {result.outcome}"
            )
    return "the replay does not end"
