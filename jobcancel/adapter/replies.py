"""What a vendor's replies mean, by the tables of a vendor.

A reply to a cancel is read in this order: what the outcome hook finds; the verdict
word; a redirect settles nothing, nor does a 4xx that is not in the vendor's own form; an error goes
by body code, then by status code; a 2xx is an acceptance if its body is not documented, else it
goes by the job's state if the body tells it, then by the documented words of success. What no table
names is unsettled, and `flow` reads the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from jobcancel.adapter.body import Fields, is_json, pick
from jobcancel.adapter.declaration import ANY, Declaration
from jobcancel.adapter.protocol import Reading, Response
from jobcancel.models import Job, JobState, Outcome, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


@frozen
class _Meaning:
    """What a reply settles, and what more it says.

    Args:
        outcome: what it settles, or None.
        confirm: whether it is an acceptance after which the job is to be read.
        undocumented: whether no more of it is documented than the status code.
        shows: whether a state in it is the job's.
        over: the final state that a refusal gives as its reason.
    """

    outcome: Outcome | None = None
    confirm: bool = False
    undocumented: bool = False
    shows: bool = True
    over: JobState | None = None


_UNSETTLED = _Meaning()


def read_cancel(vendor: Declaration, job: Job, response: Response) -> Reading:
    """Return what a reply to the cancel request means."""
    reading = _read(vendor, job, response, _cancelled)
    forced = vendor.force_param is not None and job.params.get(vendor.force_param) == "yes"
    unseen = vendor.destroys_finished and forced
    if unseen and reading.outcome is Outcome.CANCELLED and not reading.final:
        # The job may have finished before, and its output is gone.
        return evolve(reading, outcome=Outcome.CANCELLING)
    return reading


def read_status(vendor: Declaration, job: Job, response: Response) -> Reading:
    """Return what a reply to the status request means."""
    reading = _read(vendor, job, response, _unreadable)
    # Reading again does no harm, unless it is the vendor itself that refuses.
    own = response.status_code in _CLIENT_ERROR and not _is_foreign(vendor, response)
    again = reading.outcome is None and not own and not _forbids_retry(vendor, response)
    return evolve(reading, repeat=True) if again and not reading.repeat else reading


def is_untyped(vendor: Declaration, response: Response) -> bool:
    """Return whether a reply is a success of which any JSON, or nothing, may be the body."""
    return response.status_code in vendor.any_body_statuses and (
        response.content == b"" or is_json(response.content)
    )


def _fields(vendor: Declaration, response: Response) -> Fields:
    body = response.body or {}
    done, total = vendor.progress or (None, None)
    return Fields(
        state=_state_word(vendor, body),
        message=pick(body, vendor.message),
        code=pick(body, vendor.code),
        request_id=response.headers.get(vendor.request_id_header) or pick(body, vendor.request_id),
        job_id=pick(body, vendor.job_id),
        retry_after=pick(body, vendor.retry_after),
        done=None if done is None else pick(body, [done]),
        total=None if total is None else pick(body, [total]),
    )


def _state_word(vendor: Declaration, body: Mapping[str, Any]) -> object:
    word = pick(body, vendor.state)
    verdict = vendor.verdict in vendor.state and isinstance(word, str) and word in vendor.verdicts
    return None if verdict else word


def _read(
    vendor: Declaration,
    job: Job,
    response: Response,
    settle: Callable[[Declaration, Response, Fields, JobState | None], _Meaning],
) -> Reading:
    fields = _fields(vendor, response)
    status_code = response.status_code
    strange = status_code in _SUCCESSFUL and not _is_about(vendor, job, fields)
    shown = status_code in _SUCCESSFUL and not strange
    state = _state(vendor, fields, response.body or {}) if shown else None
    foreign = _is_foreign(vendor, response)
    meaning = _UNSETTLED if strange else settle(vendor, response, fields, state)
    shown = shown and meaning.shows
    message = fields.message or _describe(response, fields if meaning.shows else None)
    refused = meaning.outcome is Outcome.REFUSED
    return Reading(
        outcome=meaning.outcome,
        state=state if shown else meaning.over,
        raw_state=fields.state if shown else None,
        confirm=meaning.confirm,
        undocumented=meaning.undocumented,
        gone=vendor.gone_after_cancel,
        astray=strange,
        repeat=not refused and _repeatable(vendor, response, foreign=foreign),
        retry_after=fields.retry_after,
        message=f"the reply is about another job, {fields.job_id!r}" if strange else message,
        code=fields.code,
        status_code=status_code,
        request_id=fields.request_id,
        progress=None if fields.done is None else Progress(fields.done, fields.total),
        body=response.body,
    )


def _cancelled(
    vendor: Declaration, response: Response, fields: Fields, state: JobState | None
) -> _Meaning:
    """Return what a reply to a cancel means."""
    found = _own(vendor, response)
    if isinstance(found, JobState):
        return _Meaning(Outcome.ALREADY_TERMINAL, over=found)
    if found is not None:
        return _Meaning(found)
    successful = response.status_code in _SUCCESSFUL
    if (word := _verdict(vendor, response)) is not None:
        outcome = vendor.verdicts[word]
        if outcome in _ACCEPTANCES and state in _SETTLED_BY_STATE:
            return _Meaning(_SETTLED_BY_STATE[state])
        # An error that says so, too, may be about the key, or a gateway's own.
        accepts = outcome in _ACCEPTANCES or outcome is Outcome.REFUSED
        if successful or (not accepts and response.status_code in _CLIENT_ERROR):
            return _Meaning(outcome)
    if not successful:
        return _Meaning(_refusal(vendor, response, fields))
    return _success(vendor, response, state)


def _unreadable(
    vendor: Declaration, response: Response, fields: Fields, _: JobState | None
) -> _Meaning:
    """Return why a status could not be read."""
    if response.status_code in _SUCCESSFUL:
        return _UNSETTLED
    word = _verdict(vendor, response) if response.status_code in _CLIENT_ERROR else None
    found = (
        _own(vendor, response),
        None if word is None else vendor.verdicts[word],
        _refusal(vendor, response, fields),
    )
    refusals = (each for each in found if isinstance(each, Outcome))
    return _Meaning(next((each for each in refusals if each in _STATUS_REFUSALS), None))


def _own(vendor: Declaration, response: Response) -> Outcome | JobState | None:
    return None if vendor.outcome_hook is None else vendor.outcome_hook(response)


def _verdict(vendor: Declaration, response: Response) -> str | bool | None:
    """Return the word that says what became of the cancel, if there is one that we know."""
    word = None if vendor.verdict is None else pick(response.body or {}, [vendor.verdict])
    return word if isinstance(word, str | bool) and word in vendor.verdicts else None


def _repeatable(vendor: Declaration, response: Response, *, foreign: bool) -> bool:
    status_code = response.status_code
    if _forbids_retry(vendor, response):
        return False
    if foreign:
        return status_code != _CONFLICT
    return status_code in vendor.retry_statuses or status_code in _SUCCESSFUL


def _forbids_retry(vendor: Declaration, response: Response) -> bool:
    flag = pick(response.body or {}, [vendor.retry_flag])
    return flag is False or response.headers.get(_DO_NOT_RETRY) == "false"


def _is_foreign(vendor: Declaration, response: Response) -> bool:
    """Whether a 4xx is not in the vendor's own form, such as the page of a proxy."""
    status_code, body = response.status_code, response.body
    if status_code not in _CLIENT_ERROR or status_code in _ANYBODYS:
        return False
    if body:
        paths = (*vendor.message, *vendor.code, *filter(None, [vendor.verdict]))
        return all(isinstance(pick(body, [path]), dict | None) for path in paths)
    is_empty = response.content == b"" or body is not None
    return not (is_empty and status_code in vendor.empty_error_statuses)


def _refusal(vendor: Declaration, response: Response, fields: Fields) -> Outcome | None:
    if _is_foreign(vendor, response):
        return None
    status_code, code = response.status_code, fields.code
    told = () if code is None else ((status_code, code), code, (status_code, ANY))
    keys = (*told, status_code)
    return next((vendor.replies[key] for key in keys if key in vendor.replies), None)


def _state(vendor: Declaration, fields: Fields, body: Mapping[str, Any]) -> JobState | None:
    if vendor.state_hook and (found := vendor.state_hook(body)) is not None:
        return found
    if fields.state is None:
        return None
    for override in vendor.overrides:
        if _says(body, override.where):
            return override.state
    return vendor.states.get(fields.state, JobState.UNKNOWN)


def _success(vendor: Declaration, response: Response, state: JobState | None) -> _Meaning:
    """Return what a 2xx means: by the state it shows, else by the documented words."""
    if is_untyped(vendor, response):
        return _Meaning(vendor.accepted, confirm=True, undocumented=True, shows=False)
    if vendor.receipt_only and state is JobState.CANCELLED:
        return _Meaning(vendor.accepted, confirm=vendor.confirm_success, shows=False)
    if state in _SETTLED_BY_STATE:
        return _Meaning(_SETTLED_BY_STATE[state])
    if state is JobState.UNKNOWN or not _is_documented(vendor, response):
        return _UNSETTLED
    accepted = vendor.accepted if state is None else Outcome.CANCELLING
    return _Meaning(accepted, confirm=vendor.confirm_success)


def _is_documented(vendor: Declaration, response: Response) -> bool:
    if response.status_code in vendor.empty_body_statuses:
        return response.content == b"" or (response.body is not None and not response.body)
    return bool(vendor.success) and _says(response.body or {}, vendor.success)


def _is_about(vendor: Declaration, job: Job, fields: Fields) -> bool:
    """Whether a reply is about this job; ids such as UUIDs come back in either case."""
    own, told = job.job_id, fields.job_id or job.job_id
    return _bare(own, vendor.id_prefix) == _bare(told, vendor.id_prefix)


def _bare(job_id: str, prefix: str) -> str:
    return job_id.removeprefix(prefix).lower()


def _says(body: Mapping[str, object], where: Mapping[str, str]) -> bool:
    return all(pick(body, [path]) == value for path, value in where.items())


def _describe(response: Response, fields: Fields | None) -> str:
    """Say what a reply without a message of its own was."""
    if fields is not None and fields.state is not None:
        return f"the vendor reads the job as {fields.state!r}"
    if response.status_code in _REDIRECT:
        return f"HTTP {response.status_code}: a redirect, which is never followed"
    if response.content is None:
        return f"HTTP {response.status_code}: {response.problem}"
    if not response.content:
        return f"HTTP {response.status_code} with an empty body"
    if response.body is None:
        return f"HTTP {response.status_code} whose body is not a JSON object"
    return f"HTTP {response.status_code} without a message"
