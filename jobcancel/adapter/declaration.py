"""The fields of an `HttpAdapter`, without behavior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from jobcancel.adapter.protocol import BEARER, Credential, Response
from jobcancel.adapter.routes import Param, Route
from jobcancel.models import JobState, Outcome

# Temporary failures, by RFC 9110 and RFC 6585; 52x are Cloudflare's, and several vendors send 529
# when they are overloaded.
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})


ANY = "*"
"""Matches any body code, in a pair of `replies`."""


@frozen(kw_only=True)
class Override:
    """A state that depends on several fields: `state` if every path in `where` has its value."""

    where: Mapping[str, str]
    state: JobState


def _paths(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    return (paths,) if isinstance(paths, str) else paths


@frozen(kw_only=True)
class Declaration:
    """A vendor as data. `HttpAdapter` validates it when it is constructed.

    Args:
        name: the provider's name, in lower case with dashes.
        title: the vendor's name for the service.
        docs: URL of the vendor's documentation of the cancel.
        family: the kind of service, for lists of providers.
        notes: facts that a user should know, such as whether a cancelled job is billed.
        deprecated: the provider to use instead, if this one is deprecated.
        default_url: base URL if none is configured; a param may be part of its host.
        key_env: environment variable for the API key.
        other_key_envs: alternative variables for the API key, in order of precedence.
        url_env: environment variable for the base URL.
        other_url_envs: alternative variables for the base URL, in order of precedence. Each maps
            to the path suffix that its URL shares with the routes, such as
            `{"ACME_URL": "/api/v1"}`; usually `""`.
        credentials_of: provider whose configured key and base URL this one uses as well.
        credential: how the API key is sent.
        headers: further headers, such as the API version. A value may contain `{param}`; a header
            whose optional param is missing is not sent.
        params: parameters that identify a job in addition to its id: name -> description, or a
            `Param`.
        cancel: route of the cancel request.
        status: route of the status request, or None if the vendor has no such endpoint.
        id_prefix: an optional prefix of ids; it is removed before the id goes into the URL.
        id_pattern: regular expression that every id of the vendor matches in full. Any other id is
            `invalid` and not sent, so the vendor must document the format as permanent.
        idempotency_header: header that makes the vendor apply a repeated request only once.
        destroys_finished: whether the cancel request deletes a finished job's output. If so, the
            status is read first.
        force_param: name of an optional param that skips that status read if its value is "yes".
            It is not sent to the vendor.
        poll_interval: seconds between the first two status reads of `wait_for`. It is the shortest
            interval that the vendor recommends; later intervals grow to 15 s.
        not_found_grace: seconds for which a status reply `NOT_FOUND` may be wrong, because the
            vendor finds a new job only after a delay. A wait does not end before.
        accepted: meaning of the documented success: `CANCELLED`, or `CANCELLING` if the job ends
            later.
        success: content of a documented success without a state: path -> exact value.
        receipt_only: whether a success that contains a final state only repeats the request. It
            is then an acceptance, and `verify` reads the status.
        confirm_success: whether to read the status once after a documented success, because the
            vendor sends the same reply, or may send it, for a job that had already ended.
        empty_body_statuses: status codes of documented successes with an empty body or `{}`.
        any_body_statuses: status codes of documented successes with an undocumented body: any
            JSON, or nothing. They are acceptances, and the status is read once.
        empty_error_statuses: status codes of documented refusals with an empty body or `{}`. Any
            other 4xx must be a JSON object with a vendor's `message` or `code` in it. Otherwise
            a proxy may have sent it, and it is inconclusive.
        gone_after_cancel: whether a job can no longer be found after it was cancelled. If so,
            `NOT_FOUND` after our cancel means cancelled, for a job that existed before.
        verdict: path of a word, or of true or false, that is the outcome of the cancel.
        verdicts: meaning of each such word, for any status code. `REFUSED` means that the job
            keeps running; its status is read afterwards.
        replies: meaning of an error reply, by `(status code, body code)`, body code or status
            code; the most specific entry applies. `(422, "*")` matches any body code. A reply
            without an entry is inconclusive, and so is one whose pair maps to None.
        retry_statuses: status codes after which the request may be sent again.
        states: the vendor's words for a job's state. Any other word is `unknown`.
        overrides: states that depend on several fields; they take precedence over `states`.
        state_hook: pure function for states that the tables cannot express. It takes a body and
            returns a state, or None to use the tables.
        outcome_hook: pure function for outcomes that the tables cannot express. It takes a reply
            to a cancel and returns an outcome, the final state that is the reason for a refusal,
            or None to use the tables. For a status read, only its refusals count.
        state: path or paths of the state in a body; the first one with a value applies. A word of
            `verdicts` there is not a state.
        job_id: path or paths of the job's id; a reply about another job is inconclusive.
        message: paths of the vendor's message; the first one with a value applies.
        code: paths of the vendor's error code.
        retry_flag: path of the vendor's flag that says whether an error may be retried.
        retry_after: paths of the requested wait in a body, in addition to the headers: a number of
            seconds, or a text that contains a duration such as `"1.5s"`.
        request_id: paths of the vendor's request id; the header takes precedence.
        request_id_header: header with the vendor's request id.
        progress: two paths: how much is done, and the total.

    Raises:
        ConfigurationError: the declaration is invalid; the message names the field.
    """

    # Description
    name: str
    title: str
    docs: str
    family: str = "other"
    notes: str = ""
    deprecated: str | None = None
    # Endpoint
    default_url: str
    key_env: str
    other_key_envs: tuple[str, ...] = ()
    url_env: str
    other_url_envs: Mapping[str, str] = field(factory=dict)
    credentials_of: str | None = None
    # Requests
    credential: Credential = BEARER
    headers: Mapping[str, str] = field(factory=dict)
    params: Mapping[str, str | Param] = field(factory=dict)
    cancel: Route
    status: Route | None = None
    id_prefix: str = ""
    id_pattern: str | None = None
    idempotency_header: str | None = None
    destroys_finished: bool = False
    force_param: str | None = None
    poll_interval: float = 1.0
    not_found_grace: float = 0.0
    # Replies
    accepted: Outcome = Outcome.CANCELLED
    success: Mapping[str, str] = field(factory=dict)
    receipt_only: bool = False
    confirm_success: bool = False
    empty_body_statuses: frozenset[int] = frozenset()
    any_body_statuses: frozenset[int] = frozenset()
    empty_error_statuses: frozenset[int] = frozenset()
    gone_after_cancel: bool = False
    verdict: str | None = None
    verdicts: Mapping[str | bool, Outcome] = field(factory=dict)
    replies: Mapping[int | str | tuple[int, str], Outcome | None]
    retry_statuses: frozenset[int] = RETRY_STATUSES
    states: Mapping[str, JobState] = field(factory=dict)
    overrides: tuple[Override, ...] = ()
    state_hook: Callable[[Mapping[str, Any]], JobState | None] | None = None
    outcome_hook: Callable[[Response], Outcome | JobState | None] | None = None
    state: tuple[str, ...] = field(default="status", converter=_paths)
    job_id: tuple[str, ...] = field(default="id", converter=_paths)
    message: tuple[str, ...] = field(
        default=("message", "error.message", "error", "detail"), converter=_paths
    )
    code: tuple[str, ...] = field(default=("code", "error.code"), converter=_paths)
    retry_flag: str = "retryable"
    retry_after: tuple[str, ...] = field(default=(), converter=_paths)
    request_id: tuple[str, ...] = field(default="request_id", converter=_paths)
    request_id_header: str = "x-request-id"
    progress: tuple[str, str] | None = None
