"""`HttpAdapter`: an adapter declared by tables, which covers nearly every vendor.

A reply is read in this order: a redirect settles nothing; an error goes by body code, then by
status code; a 2xx goes by the job's state if the body tells it, then by the documented words
of success. What no table names is unsettled, and `flow` reads the job's status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from jobcancel.adapter import BEARER, Credential, Endpoint, Reading, Request, Response
from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.paths import pick, refuse_segment, segment

if TYPE_CHECKING:
    from jobcancel.convert import Said

# Replies that say "not now", by RFC 9110 and RFC 6585; 52x are Cloudflare's, 529 is "overloaded"
# at several vendors.
REPEATABLE = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})

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


@frozen
class Route:
    """Method and path template of a request, such as `Route("DELETE", "/job/{id}")`."""

    method: str
    path: str


@frozen(kw_only=True)
class Override:
    """A state that one word does not tell: `state` when every path of `where` has its value."""

    where: Mapping[str, str]
    state: JobState


@frozen(kw_only=True)
class HttpAdapter:
    """A vendor as a declaration.

    Args:
        name: the provider's name.
        title: what the vendor calls the service.
        docs: where the vendor describes cancelling.
        notes: facts that a user should know, such as what stays billed.
        deprecated: what to use instead, when the provider should no longer be used.
        default_url: base URL when none is given.
        key_env: environment variable that holds the API key.
        url_env: environment variable that holds the base URL.
        shares: provider whose configured key and base URL also serve this one.
        credential: how the vendor wants the key.
        params: parameters a job needs besides its id: name -> what it is.
        cancel: route of the cancel request; `{id}` and the names of params are filled in.
        status: route of the status request, or None when the vendor has none.
        idempotency_header: header whose value makes the vendor apply a repeated request once.
        destroys_finished: whether the cancel request destroys a finished job's output.
        accepted: what the documented success means: `CANCELLED`, or `CANCELLING` when the job
            only ends later.
        success: what a documented success says without a state: path -> exact value.
        replies: what an error reply means, by `(status code, body code)`, body code or status
            code, the most specific first. What is not in the table is unsettled.
        repeatable: status codes after which the request may be sent again.
        states: the vendor's words for a job's state. A word not in it is `unknown`.
        overrides: states that a word alone does not tell, looked at before `states`.
        state: path of the state word in a body.
        job_id: path of the job's id in a body; a reply about another job settles nothing.
        message: paths of the vendor's message, the first found counts.
        code: paths of the vendor's error code.
        retryable: path of the vendor's flag that an error may be tried again.
        request_id: paths of the vendor's request id; its header `x-request-id` comes first.
        progress: paths of how much is done, and of how much there is.
    """

    name: str
    title: str
    docs: str
    notes: str = ""
    deprecated: str | None = None
    default_url: str
    key_env: str
    url_env: str
    shares: str | None = None
    credential: Credential = BEARER
    params: Mapping[str, str] = field(factory=dict)
    cancel: Route
    status: Route | None = None
    idempotency_header: str | None = None
    destroys_finished: bool = False
    accepted: Outcome = Outcome.CANCELLED
    success: Mapping[str, str] = field(factory=dict)
    replies: Mapping[int | str | tuple[int, str], Outcome]
    repeatable: frozenset[int] = REPEATABLE
    states: Mapping[str, JobState]
    overrides: tuple[Override, ...] = ()
    state: str = "status"
    job_id: str = "id"
    message: tuple[str, ...] = ("message", "error.message")
    code: tuple[str, ...] = ("code", "error.code")
    retryable: str = "retryable"
    request_id: tuple[str, ...] = ("request_id",)
    progress: tuple[str, str] | None = None

    # What to send

    def refuse(self, job: Job) -> str | None:
        """Return why the job's id or parameters cannot be sent, or None when they can."""
        named = [("job id", job.job_id), *((f"param {n!r}", v) for n, v in job.params.items())]
        return next(filter(None, (refuse_segment(what, value) for what, value in named)), None)

    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        """Return the request that cancels the job."""
        request = self._request(self.cancel, job, endpoint)
        if self.idempotency_header is None:
            return request
        return evolve(request, headers={self.idempotency_header: idempotency_key})

    def status_request(self, job: Job, endpoint: Endpoint) -> Request | None:
        """Return the request that reads the job, or None when the vendor has none."""
        return None if self.status is None else self._request(self.status, job, endpoint)

    def _request(self, route: Route, job: Job, endpoint: Endpoint) -> Request:
        values = {name: segment(value) for name, value in job.params.items()}
        path = route.path.format_map({**values, "id": segment(job.job_id)})
        return Request(
            method=route.method,
            url=endpoint.base_url + path,
            credential=self.credential,
            key=endpoint.key,
        )

    # What a reply means

    def read_cancel(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the cancel request means."""
        return self._read(job, response, self._cancelled)

    def read_status(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the status request means."""
        return self._read(job, response, self._unreadable)

    def _said(self, response: Response) -> Said:
        from jobcancel.convert import said

        body = response.body or {}
        done, total = self.progress or (None, None)
        return said(
            {
                "state": pick(body, [self.state]),
                "message": pick(body, self.message),
                "code": pick(body, self.code),
                "request_id": response.headers.get("x-request-id") or pick(body, self.request_id),
                "job_id": pick(body, [self.job_id]),
                "retryable": pick(body, [self.retryable]),
                "done": None if done is None else pick(body, [done]),
                "total": None if total is None else pick(body, [total]),
            }
        )

    def _read(
        self,
        job: Job,
        response: Response,
        settle: Callable[[Response, Said, JobState | None], Outcome | None],
    ) -> Reading:
        said = self._said(response)
        status_code = response.status_code
        strange = status_code in _SUCCESSFUL and not _is_about(job, said)
        shown = status_code in _SUCCESSFUL and not strange
        state = self._state(said, response.body or {}) if shown else None
        message = said.message or _describe(response, said)
        return Reading(
            outcome=None if strange else settle(response, said, state),
            state=state,
            raw_state=said.state if shown else None,
            repeat=said.retryable is not False and self._repeatable(status_code),
            message=f"the reply is about another job, {said.job_id!r}" if strange else message,
            code=said.code,
            status_code=status_code,
            request_id=said.request_id,
            progress=None if said.done is None else Progress(said.done, said.total),
            body=response.body,
        )

    def _cancelled(self, response: Response, said: Said, state: JobState | None) -> Outcome | None:
        """Return what a reply to a cancel settles."""
        if response.status_code in _SUCCESSFUL:
            return self._success(state, response.body or {})
        return self._refusal(response.status_code, said.code)

    def _unreadable(self, response: Response, said: Said, _: JobState | None) -> Outcome | None:
        """Return why a status could not be read."""
        if response.status_code in _SUCCESSFUL:
            return None
        refusal = self._refusal(response.status_code, said.code)
        return refusal if refusal in _STATUS_REFUSALS else None

    def _repeatable(self, status_code: int) -> bool:
        return status_code in self.repeatable or status_code in _SUCCESSFUL

    def _refusal(self, status_code: int, code: str | None) -> Outcome | None:
        if status_code in _REDIRECT:
            return Outcome.UNKNOWN
        keys = ((status_code, code), code, status_code) if code is not None else (status_code,)
        return next((self.replies[key] for key in keys if key in self.replies), None)

    def _state(self, said: Said, body: Mapping[str, object]) -> JobState | None:
        if said.state is None:
            return None
        for override in self.overrides:
            if _says(body, override.where):
                return override.state
        return self.states.get(said.state, JobState.UNKNOWN)

    def _success(self, state: JobState | None, body: Mapping[str, object]) -> Outcome | None:
        """Return what a 2xx settles: by the state it shows, else by the documented words."""
        if state in _SETTLED_BY_STATE:
            return _SETTLED_BY_STATE[state]
        if state is JobState.UNKNOWN or not self.success or not _says(body, self.success):
            return None
        return self.accepted if state is None else Outcome.CANCELLING


_SUCCESSFUL = range(200, 300)
_REDIRECT = range(300, 400)

_SETTLED_BY_STATE: Mapping[JobState | None, Outcome] = {
    JobState.CANCELLED: Outcome.CANCELLED,
    JobState.CANCELLING: Outcome.CANCELLING,
    JobState.SUCCEEDED: Outcome.ALREADY_TERMINAL,
    JobState.FAILED: Outcome.ALREADY_TERMINAL,
    JobState.EXPIRED: Outcome.ALREADY_TERMINAL,
}


def _is_about(job: Job, said: Said) -> bool:
    """Whether a reply is about this job; ids such as UUIDs come back in either case."""
    return said.job_id is None or said.job_id.lower() == job.job_id.lower()


def _says(body: Mapping[str, object], where: Mapping[str, str]) -> bool:
    return all(pick(body, [path]) == value for path, value in where.items())


def _describe(response: Response, said: Said) -> str:
    """Say what a reply without a message of its own was."""
    if said.state is not None:
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
