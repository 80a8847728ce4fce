"""Interprets a vendor's replies with the tables of its declaration.

The first of these rules that applies to a reply to a cancel determines the outcome:

1. The outcome hook returns an outcome, or the final state that is the reason for a refusal.
2. The body contains one of the `verdicts`.
3. A redirect is inconclusive, and so is a 4xx that is not in the vendor's own format.
4. An error: its body code, then its status code, in `replies`.
5. A 2xx whose body the vendor does not document is an acceptance.
6. A 2xx: the job's state, if the body contains it; then the documented words of success.

Any other reply is inconclusive, and `flow` reads the status.
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

# Refusals that mean the same whether the vendor or a proxy sends them (RFC 9110, RFC 6585). Any
# other 4xx must come from the vendor.
_FROM_ANY_HOP = frozenset({408, 425, 429})

# The possible refusals of a status read. Other outcomes are about cancelling.
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
# Sent by several vendors' servers, and obeyed by the SDKs that Stainless generates.
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
    """The outcome of a reply, and how to treat it.

    Args:
        outcome: the outcome, or None if the reply is inconclusive.
        confirm: whether it is an acceptance after which the status is to be read.
        undocumented: whether the vendor documents only its status code.
        has_state: whether a state in the body is the job's state.
        final_state: the final state that is the reason for a refusal.
    """

    outcome: Outcome | None = None
    confirm: bool = False
    undocumented: bool = False
    has_state: bool = True
    final_state: JobState | None = None


_INCONCLUSIVE = _Meaning()


def read_cancel(vendor: Declaration, job: Job, response: Response) -> Reading:
    """Return the meaning of a reply to the cancel request."""
    reading = _read(vendor, job, response, _interpret_cancel)
    forced = vendor.force_param is not None and job.params.get(vendor.force_param) == "yes"
    unchecked = vendor.destroys_finished and forced
    if unchecked and reading.outcome is Outcome.CANCELLED and not reading.final:
        # The job may have finished earlier, and the cancel deleted its output.
        return evolve(reading, outcome=Outcome.CANCELLING)
    return reading


def read_status(vendor: Declaration, job: Job, response: Response) -> Reading:
    """Return the meaning of a reply to the status request."""
    reading = _read(vendor, job, response, _interpret_status)
    # A status read can be repeated safely, unless the vendor itself refuses it.
    refused = response.status_code in _CLIENT_ERROR and not _is_foreign(vendor, response)
    repeat = reading.outcome is None and not refused and not _forbids_retry(vendor, response)
    return evolve(reading, repeat=True) if repeat and not reading.repeat else reading


def is_untyped(vendor: Declaration, response: Response) -> bool:
    """Return whether a reply is a success with an undocumented body: any JSON, or nothing."""
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
    interpret: Callable[[Declaration, Response, Fields, JobState | None], _Meaning],
) -> Reading:
    fields = _fields(vendor, response)
    status_code = response.status_code
    astray = status_code in _SUCCESSFUL and not _is_about(vendor, job, fields)
    has_state = status_code in _SUCCESSFUL and not astray
    state = _state(vendor, fields, response.body or {}) if has_state else None
    foreign = _is_foreign(vendor, response)
    meaning = _INCONCLUSIVE if astray else interpret(vendor, response, fields, state)
    has_state = has_state and meaning.has_state
    message = fields.message or _describe(response, fields if meaning.has_state else None)
    refused = meaning.outcome is Outcome.REFUSED
    return Reading(
        outcome=meaning.outcome,
        state=state if has_state else meaning.final_state,
        raw_state=fields.state if has_state else None,
        confirm=meaning.confirm,
        undocumented=meaning.undocumented,
        gone=vendor.gone_after_cancel,
        astray=astray,
        repeat=not refused and _may_repeat(vendor, response, foreign=foreign),
        retry_after=fields.retry_after,
        message=f"the reply is about another job, {fields.job_id!r}" if astray else message,
        code=fields.code,
        status_code=status_code,
        request_id=fields.request_id,
        progress=None if fields.done is None else Progress(fields.done, fields.total),
        body=response.body,
    )


def _interpret_cancel(
    vendor: Declaration, response: Response, fields: Fields, state: JobState | None
) -> _Meaning:
    """Return the meaning of a reply to a cancel."""
    custom = _from_hook(vendor, response)
    if isinstance(custom, JobState):
        return _Meaning(Outcome.ALREADY_TERMINAL, final_state=custom)
    if custom is not None:
        return _Meaning(custom)
    successful = response.status_code in _SUCCESSFUL
    if (word := _verdict(vendor, response)) is not None:
        outcome = vendor.verdicts[word]
        if outcome in _ACCEPTANCES and state in _SETTLED_BY_STATE:
            return _Meaning(_SETTLED_BY_STATE[state])
        # An error with such a word may be about the key, or come from a gateway.
        accepts = outcome in _ACCEPTANCES or outcome is Outcome.REFUSED
        if successful or (not accepts and response.status_code in _CLIENT_ERROR):
            return _Meaning(outcome)
    if not successful:
        return _Meaning(_refusal(vendor, response, fields))
    return _success(vendor, response, state)


def _interpret_status(
    vendor: Declaration, response: Response, fields: Fields, _: JobState | None
) -> _Meaning:
    """Return why a status could not be read."""
    if response.status_code in _SUCCESSFUL:
        return _INCONCLUSIVE
    word = _verdict(vendor, response) if response.status_code in _CLIENT_ERROR else None
    candidates = (
        _from_hook(vendor, response),
        None if word is None else vendor.verdicts[word],
        _refusal(vendor, response, fields),
    )
    outcomes = (each for each in candidates if isinstance(each, Outcome))
    return _Meaning(next((each for each in outcomes if each in _STATUS_REFUSALS), None))


def _from_hook(vendor: Declaration, response: Response) -> Outcome | JobState | None:
    return None if vendor.outcome_hook is None else vendor.outcome_hook(response)


def _verdict(vendor: Declaration, response: Response) -> str | bool | None:
    """Return the value at `verdict`, if it is one of `verdicts`."""
    word = None if vendor.verdict is None else pick(response.body or {}, [vendor.verdict])
    return word if isinstance(word, str | bool) and word in vendor.verdicts else None


def _may_repeat(vendor: Declaration, response: Response, *, foreign: bool) -> bool:
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
    """Whether a 4xx is not in the vendor's own format, such as a proxy's HTML page."""
    status_code, body = response.status_code, response.body
    if status_code not in _CLIENT_ERROR or status_code in _FROM_ANY_HOP:
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
    by_code = () if code is None else ((status_code, code), code, (status_code, ANY))
    keys = (*by_code, status_code)
    return next((vendor.replies[key] for key in keys if key in vendor.replies), None)


def _state(vendor: Declaration, fields: Fields, body: Mapping[str, Any]) -> JobState | None:
    if vendor.state_hook and (custom := vendor.state_hook(body)) is not None:
        return custom
    if fields.state is None:
        return None
    for override in vendor.overrides:
        if _matches(body, override.where):
            return override.state
    return vendor.states.get(fields.state, JobState.UNKNOWN)


def _success(vendor: Declaration, response: Response, state: JobState | None) -> _Meaning:
    """Return the meaning of a 2xx: by the state in it, else by the documented words."""
    if is_untyped(vendor, response):
        return _Meaning(vendor.accepted, confirm=True, undocumented=True, has_state=False)
    if vendor.receipt_only and state is JobState.CANCELLED:
        return _Meaning(vendor.accepted, confirm=vendor.confirm_success, has_state=False)
    if state in _SETTLED_BY_STATE:
        return _Meaning(_SETTLED_BY_STATE[state])
    if state is JobState.UNKNOWN or not _is_documented(vendor, response):
        return _INCONCLUSIVE
    accepted = vendor.accepted if state is None else Outcome.CANCELLING
    return _Meaning(accepted, confirm=vendor.confirm_success)


def _is_documented(vendor: Declaration, response: Response) -> bool:
    if response.status_code in vendor.empty_body_statuses:
        return response.content == b"" or (response.body is not None and not response.body)
    return bool(vendor.success) and _matches(response.body or {}, vendor.success)


def _is_about(vendor: Declaration, job: Job, fields: Fields) -> bool:
    """Whether a reply is about this job. Vendors may change the case of ids such as UUIDs."""
    expected, actual = job.job_id, fields.job_id or job.job_id
    return _bare(expected, vendor.id_prefix) == _bare(actual, vendor.id_prefix)


def _bare(job_id: str, prefix: str) -> str:
    return job_id.removeprefix(prefix).lower()


def _matches(body: Mapping[str, object], where: Mapping[str, str]) -> bool:
    return all(pick(body, [path]) == value for path, value in where.items())


def _describe(response: Response, fields: Fields | None) -> str:
    """Return a description of a reply that contains no message."""
    if fields is not None and fields.state is not None:
        return f"the vendor reports status {fields.state!r}"
    if response.status_code in _REDIRECT:
        return f"HTTP {response.status_code}: a redirect, which is never followed"
    if response.content is None:
        return f"HTTP {response.status_code}: {response.problem}"
    if not response.content:
        return f"HTTP {response.status_code} with an empty body"
    if response.body is None:
        return f"HTTP {response.status_code} whose body is not a JSON object"
    return f"HTTP {response.status_code} without a message"
