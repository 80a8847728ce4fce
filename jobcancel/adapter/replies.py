"""What a vendor's replies mean, by tables: the half of an `HttpAdapter` that reads.

A reply to a cancel is read in this order: what the adapter's own function finds; the verdict
word; a redirect settles nothing, nor does a 4xx that is not in the vendor's own form; an error goes
by body code, then by status code; a 2xx is an acceptance if its body is not documented, else it
goes by the job's state if the body tells it, then by the documented words of success. What no table
names is unsettled, and `flow` reads the status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from jobcancel.adapter.body import is_json
from jobcancel.adapter.fields import Said
from jobcancel.adapter.paths import pick
from jobcancel.adapter.protocol import Reading, Response
from jobcancel.models import Job, JobState, Outcome, Progress

# Replies that say "not now", by RFC 9110 and RFC 6585; 52x are Cloudflare's, 529 is "overloaded"
# at several vendors.
REPEATABLE = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})

# Refusals that any hop of the way may send for itself, whose meaning is the same from each of them
# (RFC 9110, RFC 6585); every other 4xx must be the vendor's own.
_ANYBODYS = frozenset({408, 425, 429})

# What a status read can be refused for. Other outcomes are about cancelling.
_STATUS_REFUSALS = frozenset(
    {
        Outcome.FORBIDDEN,
        Outcome.INVALID,
        Outcome.NOT_FOUND,
        Outcome.RATE_LIMITED,
        Outcome.UNAUTHORIZED,
    }
)


@frozen(kw_only=True)
class Override:
    """A state that one word does not tell: `state` when every path of `where` has its value."""

    where: Mapping[str, str]
    state: JobState


@frozen
class _Meaning:
    """What a reply settles, and what more it says.

    Args:
        outcome: what it settles, or None.
        look: whether it is an acceptance after which the job is to be read.
        vague: whether no more of it is documented than the status code.
        shows: whether a state in it is the job's.
        over: the final state that a refusal gives as its reason.
    """

    outcome: Outcome | None = None
    look: bool = False
    vague: bool = False
    shows: bool = True
    over: JobState | None = None


_UNSETTLED = _Meaning()


def _paths(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    return (paths,) if isinstance(paths, str) else paths


@frozen(kw_only=True)
class Replies:
    """The tables by which replies are read; `tables.HttpAdapter` says what each is."""

    id_prefix: str = ""
    accepted: Outcome = Outcome.CANCELLED
    success: Mapping[str, str] = field(factory=dict)
    receipt: bool = False
    read_after: bool = False
    empty_success: frozenset[int] = frozenset()
    untyped_success: frozenset[int] = frozenset()
    empty_errors: frozenset[int] = frozenset()
    gone_after_cancel: bool = False
    verdict: str | None = None
    verdicts: Mapping[str | bool, Outcome] = field(factory=dict)
    replies: Mapping[int | str | tuple[int, str], Outcome | None]
    repeatable: frozenset[int] = REPEATABLE
    states: Mapping[str, JobState] = field(factory=dict)
    overrides: tuple[Override, ...] = ()
    find_state: Callable[[Mapping[str, Any]], JobState | None] | None = None
    find_outcome: Callable[[Response], Outcome | JobState | None] | None = None
    state: tuple[str, ...] = field(default="status", converter=_paths)
    job_id: tuple[str, ...] = field(default="id", converter=_paths)
    message: tuple[str, ...] = field(
        default=("message", "error.message", "error", "detail"), converter=_paths
    )
    code: tuple[str, ...] = field(default=("code", "error.code"), converter=_paths)
    retryable: str = "retryable"
    retry_after: tuple[str, ...] = field(default=(), converter=_paths)
    request_id: tuple[str, ...] = field(default="request_id", converter=_paths)
    request_id_header: str = "x-request-id"
    progress: tuple[str, str] | None = None

    # What a reply means

    def read_cancel(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the cancel request means."""
        return self._read(job, response, self._cancelled)

    def read_status(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the status request means."""
        reading = self._read(job, response, self._unreadable)
        # Reading again does no harm, unless it is the vendor itself that refuses.
        own = response.status_code in _CLIENT_ERROR and not self._is_foreign(response)
        again = reading.outcome is None and not own and not self._forbids_retry(response)
        return evolve(reading, repeat=True) if again and not reading.repeat else reading

    def is_untyped(self, response: Response) -> bool:
        """Return whether a reply is a success of which any JSON, or nothing, may be the body."""
        return response.status_code in self.untyped_success and (
            response.content == b"" or is_json(response.content)
        )

    def _said(self, response: Response) -> Said:
        body = response.body or {}
        done, total = self.progress or (None, None)
        return Said(
            state=self._state_word(body),
            message=pick(body, self.message),
            code=pick(body, self.code),
            request_id=response.headers.get(self.request_id_header) or pick(body, self.request_id),
            job_id=pick(body, self.job_id),
            retry_after=pick(body, self.retry_after),
            done=None if done is None else pick(body, [done]),
            total=None if total is None else pick(body, [total]),
        )

    def _state_word(self, body: Mapping[str, Any]) -> object:
        word = pick(body, self.state)
        verdict = self.verdict in self.state and isinstance(word, str) and word in self.verdicts
        return None if verdict else word

    def _read(
        self,
        job: Job,
        response: Response,
        settle: Callable[[Response, Said, JobState | None], _Meaning],
    ) -> Reading:
        said = self._said(response)
        status_code = response.status_code
        strange = status_code in _SUCCESSFUL and not self._is_about(job, said)
        shown = status_code in _SUCCESSFUL and not strange
        state = self._state(said, response.body or {}) if shown else None
        foreign = self._is_foreign(response)
        meaning = _UNSETTLED if strange else settle(response, said, state)
        shown = shown and meaning.shows
        message = said.message or _describe(response, said if meaning.shows else None)
        refused = meaning.outcome is Outcome.REFUSED
        return Reading(
            outcome=meaning.outcome,
            state=state if shown else meaning.over,
            raw_state=said.state if shown else None,
            look=meaning.look,
            vague=meaning.vague,
            gone=self.gone_after_cancel,
            astray=strange,
            repeat=not refused and self._repeatable(response, foreign=foreign),
            retry_after=said.retry_after,
            message=f"the reply is about another job, {said.job_id!r}" if strange else message,
            code=said.code,
            status_code=status_code,
            request_id=said.request_id,
            progress=None if said.done is None else Progress(said.done, said.total),
            body=response.body,
        )

    def _cancelled(self, response: Response, said: Said, state: JobState | None) -> _Meaning:
        """Return what a reply to a cancel means."""
        found = self._own(response)
        if isinstance(found, JobState):
            return _Meaning(Outcome.ALREADY_TERMINAL, over=found)
        if found is not None:
            return _Meaning(found)
        successful = response.status_code in _SUCCESSFUL
        if (word := self._verdict(response)) is not None:
            outcome = self.verdicts[word]
            if outcome in _ACCEPTANCES and state in _SETTLED_BY_STATE:
                return _Meaning(_SETTLED_BY_STATE[state])
            # An error that says so, too, may be about the key, or a gateway's own.
            accepts = outcome in _ACCEPTANCES or outcome is Outcome.REFUSED
            if successful or (not accepts and response.status_code in _CLIENT_ERROR):
                return _Meaning(outcome)
        if not successful:
            return _Meaning(self._refusal(response, said))
        return self._success(response, state)

    def _unreadable(self, response: Response, said: Said, _: JobState | None) -> _Meaning:
        """Return why a status could not be read."""
        if response.status_code in _SUCCESSFUL:
            return _UNSETTLED
        word = self._verdict(response) if response.status_code in _CLIENT_ERROR else None
        found = (
            self._own(response),
            None if word is None else self.verdicts[word],
            self._refusal(response, said),
        )
        refusals = (each for each in found if isinstance(each, Outcome))
        return _Meaning(next((each for each in refusals if each in _STATUS_REFUSALS), None))

    def _own(self, response: Response) -> Outcome | JobState | None:
        return None if self.find_outcome is None else self.find_outcome(response)

    def _verdict(self, response: Response) -> str | bool | None:
        """Return the word that says what became of the cancel, if there is one that we know."""
        word = None if self.verdict is None else pick(response.body or {}, [self.verdict])
        return word if isinstance(word, str | bool) and word in self.verdicts else None

    def _repeatable(self, response: Response, *, foreign: bool) -> bool:
        status_code = response.status_code
        if self._forbids_retry(response):
            return False
        if foreign:
            return status_code != _CONFLICT
        return status_code in self.repeatable or status_code in _SUCCESSFUL

    def _forbids_retry(self, response: Response) -> bool:
        flag = pick(response.body or {}, [self.retryable])
        return flag is False or response.headers.get(_DO_NOT_RETRY) == "false"

    def _is_foreign(self, response: Response) -> bool:
        """Whether a 4xx is not in the vendor's own form, such as the page of a proxy."""
        status_code, body = response.status_code, response.body
        if status_code not in _CLIENT_ERROR or status_code in _ANYBODYS:
            return False
        if body:
            paths = (*self.message, *self.code, *filter(None, [self.verdict]))
            return all(isinstance(pick(body, [path]), dict | None) for path in paths)
        is_empty = response.content == b"" or body is not None
        return not (is_empty and status_code in self.empty_errors)

    def _refusal(self, response: Response, said: Said) -> Outcome | None:
        if self._is_foreign(response):
            return None
        status_code, code = response.status_code, said.code
        told = () if code is None else ((status_code, code), code, (status_code, ANY))
        keys = (*told, status_code)
        return next((self.replies[key] for key in keys if key in self.replies), None)

    def _state(self, said: Said, body: Mapping[str, Any]) -> JobState | None:
        if self.find_state and (found := self.find_state(body)) is not None:
            return found
        if said.state is None:
            return None
        for override in self.overrides:
            if _says(body, override.where):
                return override.state
        return self.states.get(said.state, JobState.UNKNOWN)

    def _success(self, response: Response, state: JobState | None) -> _Meaning:
        """Return what a 2xx means: by the state it shows, else by the documented words."""
        if self.is_untyped(response):
            return _Meaning(self.accepted, look=True, vague=True, shows=False)
        if self.receipt and state is JobState.CANCELLED:
            return _Meaning(self.accepted, look=self.read_after, shows=False)
        if state in _SETTLED_BY_STATE:
            return _Meaning(_SETTLED_BY_STATE[state])
        if state is JobState.UNKNOWN or not self._is_documented(response):
            return _UNSETTLED
        accepted = self.accepted if state is None else Outcome.CANCELLING
        return _Meaning(accepted, look=self.read_after)

    def _is_documented(self, response: Response) -> bool:
        if response.status_code in self.empty_success:
            return response.content == b"" or (response.body is not None and not response.body)
        return bool(self.success) and _says(response.body or {}, self.success)

    def _is_about(self, job: Job, said: Said) -> bool:
        """Whether a reply is about this job; ids such as UUIDs come back in either case."""
        own, told = job.job_id, said.job_id or job.job_id
        return _bare(own, self.id_prefix) == _bare(told, self.id_prefix)


ANY = "*"
"""Any body code, in a pair of `replies`."""
_SUCCESSFUL = range(200, 300)
# Sent by several vendors' servers, and heeded by the SDKs that Stainless makes.
_DO_NOT_RETRY = "x-should-retry"
_REDIRECT = range(300, 400)
_CLIENT_ERROR = range(400, 500)
_CONFLICT = 409

_ACCEPTANCES = frozenset({Outcome.CANCELLED, Outcome.CANCELLING})
_SETTLED_BY_STATE: Mapping[JobState | None, Outcome] = {
    JobState.CANCELLED: Outcome.CANCELLED,
    JobState.CANCELLING: Outcome.CANCELLING,
    JobState.SUCCEEDED: Outcome.ALREADY_TERMINAL,
    JobState.FAILED: Outcome.ALREADY_TERMINAL,
    JobState.EXPIRED: Outcome.ALREADY_TERMINAL,
}


def _bare(job_id: str, prefix: str) -> str:
    return job_id.removeprefix(prefix).lower()


def _says(body: Mapping[str, object], where: Mapping[str, str]) -> bool:
    return all(pick(body, [path]) == value for path, value in where.items())


def _describe(response: Response, said: Said | None) -> str:
    """Say what a reply without a message of its own was."""
    if said is not None and said.state is not None:
        return f"the vendor reads the job as {said.state!r}"
    if response.status_code in _REDIRECT:
        return f"HTTP {response.status_code}: a redirect, which is never followed"
    if response.content is None:
        return f"HTTP {response.status_code}: {response.problem}"
    if not response.content:
        return f"HTTP {response.status_code} with an empty body"
    if response.body is None:
        return f"HTTP {response.status_code} whose body is not a JSON object"
    return f"HTTP {response.status_code} without a message"
