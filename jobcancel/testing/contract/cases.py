"""What a contract tries an adapter with: awkward ids, replies and situations; and what is a lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import evolve, frozen

from jobcancel.adapter import Request, Response
from jobcancel.bodies import parse
from jobcancel.models import CancelResult, JobState, Outcome
from jobcancel.tables import HttpAdapter
from jobcancel.testing.contract.vendor import LOST, UNREACHABLE, Fault, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobcancel.adapter import Adapter
    from jobcancel.call import Reply

IDS = ("a b/ü:1", "%2e%2e", "a?b#c", "x/../y", "a%2Fb", "..;x", "a&b=c", "{id}", "q\\w'\"")
"""Ids that are one piece of an address, or are refused."""

NO_IDS = ("", " ", ".", "..", "a\nb", "\x00")
"""Ids that cannot be sent."""

_WORD = "word-of-tomorrow"
_ANOTHER = "another-job"


# Requests


def shape(request: Request) -> tuple[object, ...]:
    """Return all of a request but what an id fills: it is the same for every id."""
    parts = urlsplit(request.url)
    fields = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    body = parse(request.content) or {}
    segments = len(parts.path.split("/"))
    return request.method, parts.scheme, parts.netloc, segments, fields, parts.fragment, list(body)


def holds(request: Request, job_id: str) -> bool:
    """Whether an id is in a request as it was given, in the path, the query or the body."""
    parts = urlsplit(request.url)
    pieces = [unquote(segment) for segment in parts.path.split("/")]
    pieces += [value for _, value in parse_qsl(parts.query, keep_blank_values=True)]
    pieces += [str(value) for value in (parse(request.content) or {}).values()]
    return any(job_id in piece for piece in pieces)


# Replies


def with_new_words(response: Response, job_id: str) -> Response:
    """Return the reply with words that nobody knows, but with the job's id."""
    return _changed(response, lambda text: text if _same(text, job_id) else _WORD)


def about_another(response: Response, job_id: str) -> Response:
    """Return the reply as if it were about another job."""
    return _changed(response, lambda text: _ANOTHER if _same(text, job_id) else text)


def _same(text: str, job_id: str) -> bool:
    return text.lower() == job_id.lower()


def _changed(response: Response, change: Callable[[str], str]) -> Response:
    body = None if response.body is None else _each_text(dict(response.body), change)
    content = response.content if body is None else json.dumps(body).encode()
    return evolve(response, content=content, body=body)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    if isinstance(value, dict):
        return {name: _each_text(item, change) for name, item in value.items()}
    return value


def garbage() -> Iterator[Response]:
    """Give replies that no vendor means: bodies that are no object, or of other types."""
    bodies = [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"cancelled"',
        b"<html>OK</html>",
        b'{"status": "canc',
        b'{"status": 5, "state": 5, "message": 5, "code": [], "error": 5, "id": {}, "data": 5}',
        b'{"status": {"a": []}, "state": null, "message": {}, "error": [{}], "data": [null]}',
        b'{"error": {"code": {}, "message": 1}, "data": {"status": []}, "id": null}',
        b"\xff\xfe",
    ]
    for code in (200, 202, 204, 400, 404, 409, 500):
        for body in bodies:
            yield Response(status_code=code, content=body)
        yield Response(status_code=code, content=None, problem="cut short")


def refusal(adapter: Adapter, status_code: int) -> Response:
    """Return an error with a message where the vendor has it."""
    path = adapter.message[0] if isinstance(adapter, HttpAdapter) else "message"
    body: object = "no"
    for name in reversed(path.split(".")):
        body = [body] if name == "*" else {name: body}
    return Response(status_code=status_code, content=json.dumps(body).encode())


# Situations


@frozen
class Situation:
    """What happens to a job and to the requests about it.

    Args:
        name: what happens, in words.
        state: the job's state at first.
        faults: of the first cancel requests.
        settles: whether reading the job tells what became of it.
    """

    name: str
    state: JobState
    faults: tuple[Fault, ...]
    settles: bool = True

    def lies(self) -> Iterator[Response]:
        """Give the replies to requests that were not carried out."""
        for fault in self.faults:
            if isinstance(fault.answer, Response) and not fault.applied:
                yield fault.answer


def situations() -> Iterator[Situation]:
    """Give every situation in which what is said of a job must be true."""
    running = JobState.RUNNING
    yield Situation("a running job", running, ())
    yield Situation("a finished job", JobState.SUCCEEDED, ())
    yield Situation("no connection at first", running, (Fault(answer=UNREACHABLE),))
    for name, answer in _answers():
        # What says neither that it was applied nor that it may be sent again leaves a job running.
        conflict = isinstance(answer, Response) and answer.status_code in {302, 409}
        lost = Fault(answer=answer)
        yield Situation(f"{name}, not applied", running, (lost,), settles=not conflict)
        yield Situation(f"{name}, applied", running, (Fault(answer=answer, applied=True),))
        ended = Fault(answer=answer, ends=True)
        yield Situation(f"{name}, and the job ended by itself", running, (ended,))
    limited = Response(status_code=429, headers={"retry-after": "2"})
    yield Situation("429 once", running, (Fault(answer=limited),))


def _answers() -> Iterator[tuple[str, Reply]]:
    yield "the reply was lost", LOST
    for code in (500, 502, 503, 504):
        yield f"HTTP {code}", Response(status_code=code)
    yield "302", Response(status_code=302, headers={"location": "https://elsewhere.example/"})
    for code in (401, 403, 404, 409):
        yield f"{code} with HTML", Response(status_code=code, content=b"<html>No</html>")
    yield "200 with HTML", Response(status_code=200, content=b"<html>OK</html>")
    yield "200 whose body is cut short", Response(status_code=200, content=None, problem="cut")
    yield "200 with other words", Response(status_code=200, content=b'{"message": "OK then"}')


def lie(result: CancelResult, vendor: Vendor, situation: Situation, *, reads: bool) -> str | None:
    """Return what is not so about a result, or None when all is true.

    Args:
        result: what was said of a job.
        vendor: what knows the truth.
        situation: what happened.
        reads: whether the vendor's jobs can be read to their end.
    """
    said, truth = result.outcome, vendor.state
    true = {Outcome.UNKNOWN}
    if truth is JobState.CANCELLED:
        true |= {Outcome.CANCELLED, Outcome.CANCELLING}
        true |= set() if reads else {Outcome.ALREADY_TERMINAL}
    elif truth is JobState.SUCCEEDED:
        true |= {Outcome.ALREADY_TERMINAL}
    if said not in true:
        return f"it is said to be {said}, but the job is {truth}"
    if said is Outcome.UNKNOWN and reads and situation.settles:
        return f"it is said to be {said}, but its status says that it is {truth}"
    return None
