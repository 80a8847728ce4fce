"""The test cases of a contract: awkward ids and replies, situations, and false claims."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import evolve, frozen

from jobcancel.adapter import HttpAdapter, Request, Response
from jobcancel.adapter.body import parse
from jobcancel.models import CancelResult, JobState, Outcome
from jobcancel.testing.contract.vendor import LOST, UNREACHABLE, Fault, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobcancel.adapter import Adapter
    from jobcancel.flow.events import Reply

IDS = ("a b/ü:1", "%2e%2e", "a?b#c", "x/../y", "a%2Fb", "..;x", "a&b=c", "{id}", "q\\w'\"")
"""Ids that must stay in one segment of the URL, or be refused."""

INVALID_IDS = ("", " ", ".", "..", "a\nb", "\x00")
"""Ids that cannot be sent."""

_UNKNOWN_WORD = "word-of-tomorrow"
_ANOTHER = "another-job"


# Requests


def shape(request: Request) -> tuple[object, ...]:
    """Return the parts of a request that must be the same for every id."""
    parts = urlsplit(request.url)
    fields = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    body = parse(request.content) or {}
    segments = len(parts.path.split("/"))
    return request.method, parts.scheme, parts.netloc, segments, fields, parts.fragment, list(body)


def holds(request: Request, job_id: str) -> bool:
    """Whether a request has an id unchanged in its path, query or body."""
    parts = urlsplit(request.url)
    pieces = [unquote(segment) for segment in parts.path.split("/")]
    pieces += [value for _, value in parse_qsl(parts.query, keep_blank_values=True)]
    pieces += [str(value) for value in (parse(request.content) or {}).values()]
    return any(job_id in piece for piece in pieces)


# Replies


def with_new_words(response: Response, job_id: str) -> Response:
    """Return the reply with unknown words, but with the job's id."""
    return _changed(response, lambda text: text if _same(text, job_id) else _UNKNOWN_WORD)


def about_another(response: Response, job_id: str) -> Response:
    """Return the reply with the id of another job."""
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
    """Give invalid replies: bodies that are no object, or have fields of other types."""
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
    """Return an error with a message in the vendor's field."""
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
        name: a description.
        state: the job's initial state.
        faults: the faults of the first cancel requests.
        settles: whether reading the status determines the outcome.
    """

    name: str
    state: JobState
    faults: tuple[Fault, ...]
    settles: bool = True

    def false_replies(self) -> Iterator[Response]:
        """Give the replies to requests that were not applied."""
        for fault in self.faults:
            if isinstance(fault.answer, Response) and not fault.applied:
                yield fault.answer


def situations() -> Iterator[Situation]:
    """Give every situation in which the result must be true."""
    running = JobState.RUNNING
    yield Situation("a running job", running, ())
    yield Situation("a finished job", JobState.SUCCEEDED, ())
    yield Situation("no connection at first", running, (Fault(answer=UNREACHABLE),))
    for name, answer in _answers():
        # A reply that neither confirms the cancel nor allows another one leaves the job running.
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


def false_claim(
    result: CancelResult, vendor: Vendor, situation: Situation, *, reads: bool
) -> str | None:
    """Return what is false about a result, or None.

    Args:
        result: the result.
        vendor: the vendor, which knows the job's state.
        situation: what happened.
        reads: whether the vendor reports the states of ended jobs.
    """
    outcome, state = result.outcome, vendor.state
    true = {Outcome.UNKNOWN}
    if state is JobState.CANCELLED:
        true |= {Outcome.CANCELLED, Outcome.CANCELLING}
        true |= set() if reads else {Outcome.ALREADY_TERMINAL}
    elif state is JobState.SUCCEEDED:
        true |= {Outcome.ALREADY_TERMINAL}
    if outcome not in true:
        return f"the outcome is {outcome}, but the job is {state}"
    if outcome is Outcome.UNKNOWN and reads and situation.settles:
        return f"the outcome is {outcome}, but the job's status is {state}"
    return None
