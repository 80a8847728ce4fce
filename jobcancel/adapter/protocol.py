"""The `Adapter` protocol, which describes one vendor, and the values that it uses.

An adapter consists of data and pure functions: it builds requests and interprets replies. It
does no I/O, has no state, and does not decide about retries; `flow` does. Nearly every vendor is
an `HttpAdapter` (in `http`), which is a declaration.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from attrs import Factory, field, frozen

from jobcancel.adapter.body import parse
from jobcancel.models import Job, JobState, Outcome, Progress
from jobcancel.secret import Secret

if TYPE_CHECKING:
    from jobcancel.adapter.routes import Param


@frozen(kw_only=True)
class Endpoint:
    """A provider's base URL and the API key for it.

    Args:
        base_url: scheme, host and an optional path prefix, without a trailing slash.
        key: the API key.
    """

    base_url: str
    key: Secret


@frozen(kw_only=True)
class Credential:
    """How the API key is sent.

    Args:
        header: name of the header, such as `"authorization"` or `"x-api-key"`.
        scheme: word before the key, such as `"Bearer"`; empty to send the key alone.
        basic: whether the key is `user:password`, or only a user, sent in base64 (RFC 7617).
    """

    header: str = "authorization"
    scheme: str = "Bearer"
    basic: bool = False

    def spell(self, key: str) -> str:
        """Return the header's value for a key.

        Example:
            >>> Credential(scheme="Key").spell("abc")
            'Key abc'
        """
        return f"{self.scheme} {_encoded(key) if self.basic else key}".lstrip()

    def hide(self, key: Secret) -> Secret:
        """Return the key as a secret that also redacts its encoded form."""
        return key.spelled(_encoded(key.reveal())) if self.basic else key


def _encoded(key: str) -> str:
    return b64encode((key if ":" in key else f"{key}:").encode()).decode()


BEARER = Credential()
"""`Authorization: Bearer <key>` (RFC 6750, section 2.1)."""
BASIC = Credential(scheme="Basic", basic=True)
"""`Authorization: Basic <user and password>` (RFC 7617)."""


@frozen(kw_only=True)
class Request:
    """One HTTP request, complete except for the key, which `transport` adds."""

    method: str
    url: str
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes | None = None
    credential: Credential = BEARER
    key: Secret


@frozen(kw_only=True)
class Response:
    """One complete HTTP reply.

    Args:
        status_code: the HTTP status code.
        headers: the headers, with lower-case names.
        content: the body after decompression, or None if it could not be read.
        problem: why the body could not be read.
        body: the JSON object in `content`, or None.
        distrust: closes the connection, for a reply that belongs to another request.
    """

    status_code: int
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes | None = b""
    problem: str = ""
    body: Mapping[str, Any] | None = Factory(lambda self: parse(self.content), takes_self=True)
    distrust: Callable[[], object] = field(default=lambda: None, eq=False, repr=False)


@frozen(kw_only=True)
class Reading:
    """The meaning of one reply.

    Args:
        outcome: the outcome, or None if the reply is inconclusive.
        state: the job's state, if the reply contains it.
        raw_state: the vendor's own word for the state.
        confirm: whether an acceptance is so vague that the status is read once in any case.
        undocumented: whether any reply with this status code is such an acceptance, even for a job
            that does not exist.
        gone: whether a job can no longer be found at this vendor after it was cancelled.
        astray: whether the reply is about another job, and so belongs to another request.
        repeat: whether the request may be sent again after this reply.
        retry_after: how long the reply asks to wait, in seconds.
        message: the vendor's message, or what is wrong with the reply.
        code: the vendor's error code.
        status_code: the HTTP status code, or None if there was no reply.
        request_id: the vendor's id for the request.
        progress: how much of the job was done.
        body: the reply's JSON object.
    """

    outcome: Outcome | None = None
    state: JobState | None = None
    raw_state: str | None = None
    confirm: bool = False
    undocumented: bool = False
    gone: bool = False
    astray: bool = False
    repeat: bool = True
    retry_after: float | None = None
    message: str = ""
    code: str | None = None
    status_code: int | None = None
    request_id: str | None = None
    progress: Progress | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def is_known(self) -> bool:
        """Whether the reply contains the job's state, in a word that we know."""
        return self.state not in {None, JobState.UNKNOWN}

    @property
    def final(self) -> bool:
        """Whether the reply shows that the job has ended."""
        return self.state is not None and self.state.final


@runtime_checkable
class Adapter(Protocol):
    """The interface between a vendor and the rest of jobcancel."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def title(self) -> str:
        """The vendor's name for the service."""
        ...

    @property
    def docs(self) -> str:
        """URL of the vendor's documentation of the cancel."""
        ...

    @property
    def deprecated(self) -> str | None:
        """The provider to use instead, or None if this one is not deprecated."""
        ...

    @property
    def default_url(self) -> str:
        """Base URL if none is configured; `{name}` in it is a param."""
        ...

    @property
    def key_env(self) -> str:
        """Environment variable that holds the API key."""
        ...

    @property
    def other_key_envs(self) -> tuple[str, ...]:
        """Alternative variables for the API key, in order of precedence."""
        ...

    @property
    def url_env(self) -> str:
        """Environment variable that holds the base URL."""
        ...

    @property
    def credentials_of(self) -> str | None:
        """Provider whose configured key and base URL this one uses as well."""
        ...

    @property
    def params(self) -> Mapping[str, str | Param]:
        """Parameters that identify a job in addition to its id, by name."""
        ...

    @property
    def destroys_finished(self) -> bool:
        """Whether the cancel request deletes the output of a finished job."""
        ...

    def refuse(self, job: Job) -> str | None:
        """Return why the job's id or parameters are invalid, or None if they are valid."""
        ...

    def must_read_first(self, job: Job) -> bool:
        """Return whether a status read must show the job running before the cancel is sent.

        True if the cancel `destroys_finished`, unless the job's params override it.
        """
        ...

    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        """Return the request that cancels the job."""
        ...

    def status_request(self, job: Job, endpoint: Endpoint) -> Request | None:
        """Return the request for the job's status, or None if the vendor has no such endpoint."""
        ...

    def read_cancel(self, job: Job, response: Response) -> Reading:
        """Return the meaning of a reply to the cancel request."""
        ...

    def read_status(self, job: Job, response: Response) -> Reading:
        """Return the meaning of a reply to the status request.

        Its `state` is set if the reply contains a state, known or unknown. Otherwise its
        `outcome` is the reason, or None if the read may be retried.
        """
        ...
