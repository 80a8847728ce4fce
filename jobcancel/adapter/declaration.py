"""What an `HttpAdapter` declares: its fields, and no behavior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from jobcancel.adapter.protocol import BEARER, Credential, Response
from jobcancel.adapter.routes import Param, Route
from jobcancel.models import JobState, Outcome

# Replies that say "not now", by RFC 9110 and RFC 6585; 52x are Cloudflare's, 529 is "overloaded"
# at several vendors.
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})


ANY = "*"
"""Any body code, in a pair of `replies`."""


@frozen(kw_only=True)
class Override:
    """A state that one word does not tell: `state` when every path of `where` has its value."""

    where: Mapping[str, str]
    state: JobState


def _paths(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    return (paths,) if isinstance(paths, str) else paths


@frozen(kw_only=True)
class Declaration:
    """A vendor as a declaration; a mistake in it is found when it is made.

    Args:
        name: the provider's name, in lower case with dashes.
        title: what the vendor calls the service.
        docs: where the vendor describes cancelling.
        family: what kind of service it is, for lists of providers.
        notes: facts that a user should know, such as what stays billed.
        deprecated: what to use instead, when the provider should no longer be used.
        default_url: base URL when none is given; a param may be a part of its host.
        key_env: environment variable that holds the API key.
        other_key_envs: further ones that are looked at after it.
        url_env: environment variable that holds the base URL.
        other_url_envs: further ones that are looked at after it, each with the path at the end of
            its URL that the routes have, too, such as `{"ACME_URL": "/api/v1"}`; mostly `""`.
        credentials_of: provider whose configured key and base URL also serve this one.
        credential: how the vendor wants the key.
        headers: further headers, such as the version of the API; with `{param}` in it, templates.
            One whose optional param is missing is left out.
        params: what a job needs besides its id: name -> what it is, or a `Param`.
        cancel: route of the cancel request.
        status: route of the status request, or None when the vendor has none.
        id_prefix: what ids may begin with or not; it is left out of the address.
        id_pattern: regular expression that every id of the vendor matches in full. Others are
            `invalid` and not sent, so it must be documented to be so for good.
        idempotency_header: header whose value makes the vendor apply a repeated request once.
        destroys_finished: whether the cancel request destroys a finished job's output; the
            status is then read first.
        force_param: an optional param that is "yes" where the cancel is to be sent all the same
            without reading first. It is sent nowhere.
        accepted: what the documented success means: `CANCELLED`, or `CANCELLING` when the job
            only ends later.
        success: what a documented success says without a state: path -> exact value.
        receipt_only: whether a success that names a final state only repeats the request: it is an
            acceptance, and `verify` reads the job.
        confirm_success: whether the job is read once after a documented success, because a job that
            had already ended has the same reply, or may have.
        empty_body_statuses: status codes of documented successes whose body is empty, or `{}`.
        any_body_statuses: status codes of documented successes whose body is not documented: any
            JSON, or nothing. They are accepted, and the job is read once to find out more.
        empty_error_statuses: status codes of documented refusals whose body is empty, or `{}`. Any
            other 4xx must be a JSON object with one of the fields in which the vendor puts a
            `message` or a `code`; else a proxy may have sent it, and it settles nothing.
        gone_after_cancel: whether a cancelled job cannot be found any more: of a job that was seen
            before, and that a cancel was sent for, a `NOT_FOUND` then means that it is cancelled.
        verdict: path of a word (or true, or false) that says what became of the cancel.
        verdicts: what each such word means, whatever the status code. After `REFUSED`, which
            says that the job runs on, its status is read.
        replies: what an error reply means, by `(status code, body code)`, body code or status
            code, the most specific first. `(422, "*")` is for any body code. What is not in the
            table is unsettled, and so is a pair that is None.
        retry_statuses: status codes after which the request may be sent again.
        states: the vendor's words for a job's state. A word not in it is `unknown`.
        overrides: states that a word alone does not tell, looked at before `states`.
        state_hook: a pure function for what the tables cannot say of a state: of a body to a
            state, or None to go by the tables.
        outcome_hook: likewise of a reply to a cancel: to an outcome, to the final state that a
            refusal gives as its reason, or None. A refusal that it finds in an error counts for a
            status read, too.
        state: path of the state word in a body, or several, the first found counts. A word of
            `verdicts` there is no state.
        job_id: likewise of the job's id; a reply about another job settles nothing.
        message: paths of the vendor's message, the first found counts.
        code: paths of the vendor's error code.
        retry_flag: path of the vendor's flag that an error may be tried again.
        retry_after: paths of the seconds that the vendor asks to wait, beside its headers: a
            number, or a text with one such as `"1.5s"` in it.
        request_id: paths of the vendor's request id; its header comes first.
        request_id_header: that header.
        progress: paths of how much is done, and of how much there is.

    Raises:
        ConfigurationError: the declaration cannot be right; the message names the field.
    """

    # What it is
    name: str
    title: str
    docs: str
    family: str = "other"
    notes: str = ""
    deprecated: str | None = None
    # Where
    default_url: str
    key_env: str
    other_key_envs: tuple[str, ...] = ()
    url_env: str
    other_url_envs: Mapping[str, str] = field(factory=dict)
    credentials_of: str | None = None
    # What to send
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
    # What a reply means
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
