"""What knows one vendor: the `Adapter` protocol, and the values it deals in.

An adapter is pure data and pure functions: it says what to send and what a reply means. It
does no I/O, keeps nothing between calls and decides nothing about retries; `flow` does.
Nearly every vendor is an `HttpAdapter` (in `tables`), which is a declaration.
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
    """Where a provider is and who we are there.

    Args:
        base_url: scheme, host and an optional path prefix, without a slash at the end.
        key: the API key.
    """

    base_url: str
    key: Secret


@frozen(kw_only=True)
class Credential:
    """How a vendor wants the key.

    Args:
        header: name of the header, such as `"authorization"` or `"x-api-key"`.
        scheme: word before the key, such as `"Bearer"`; empty for the key alone.
        basic: whether the key is `user:password`, or a user alone, sent as RFC 7617 has it.
    """

    header: str = "authorization"
    scheme: str = "Bearer"
    basic: bool = False

    def spell(self, key: str) -> str:
        """Return the value of the header for a key.

        Example:
            >>> Credential(scheme="Key").spell("abc")
            'Key abc'
        """
        return f"{self.scheme} {_encoded(key) if self.basic else key}".lstrip()

    def hide(self, key: Secret) -> Secret:
        """Return the key so that it is redacted as it is spelled, too."""
        return key.spelled(_encoded(key.reveal())) if self.basic else key


def _encoded(key: str) -> str:
    return b64encode((key if ":" in key else f"{key}:").encode()).decode()


BEARER = Credential()
"""`Authorization: Bearer <key>` (RFC 6750, section 2.1)."""
BASIC = Credential(scheme="Basic", basic=True)
"""`Authorization: Basic <user and password>` (RFC 7617)."""


@frozen(kw_only=True)
class Request:
    """One HTTP request, complete but for the key, which is added where it is sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes | None = None
    credential: Credential = BEARER
    key: Secret


@frozen(kw_only=True)
class Response:
    """One HTTP reply, read to its end.

    Args:
        status_code: the HTTP status code.
        headers: with lower-case names.
        content: the body after decompression, or None when it could not be read.
        problem: why the body could not be read.
        body: the JSON object that `content` holds, or None.
        distrust: closes the connection that it came over: it answers another request.
    """

    status_code: int
    headers: Mapping[str, str] = field(factory=dict)
    content: bytes | None = b""
    problem: str = ""
    body: Mapping[str, Any] | None = Factory(lambda self: parse(self.content), takes_self=True)
    distrust: Callable[[], object] = field(default=lambda: None, eq=False, repr=False)


@frozen(kw_only=True)
class Reading:
    """What one reply means.

    Args:
        outcome: what the reply settles, or None when it does not settle it.
        state: the job's state, if the reply tells it.
        raw_state: the vendor's own word for the state.
        confirm: whether an acceptance says so little that the job is read once in any case.
        undocumented: whether any reply with this status code is such an acceptance, even for a job
            that does not exist.
        gone: whether a job that this call cancelled cannot be found afterwards at this vendor.
        astray: whether the reply is about another job, and so the answer to another request.
        repeat: whether the request may be sent again after this reply.
        retry_after: seconds that the reply asks to wait.
        message: the vendor's words, or what was wrong with the reply.
        code: the vendor's error code.
        status_code: the HTTP status code, or None when there was no reply.
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
        """Whether the reply shows the job in a state that we know."""
        return self.state not in {None, JobState.UNKNOWN}

    @property
    def final(self) -> bool:
        """Whether the reply shows the job in a final state."""
        return self.state is not None and self.state.final


@runtime_checkable
class Adapter(Protocol):
    """What the rest of jobcancel needs to know of a vendor."""

    @property
    def name(self) -> str:
        """The provider's name."""
        ...

    @property
    def title(self) -> str:
        """What the vendor calls the service."""
        ...

    @property
    def docs(self) -> str:
        """Where the vendor describes cancelling."""
        ...

    @property
    def deprecated(self) -> str | None:
        """What to use instead, for a provider that should no longer be used."""
        ...

    @property
    def default_url(self) -> str:
        """Base URL when none is given; `{name}` in it is a param."""
        ...

    @property
    def key_env(self) -> str:
        """Environment variable that holds the API key."""
        ...

    @property
    def other_key_envs(self) -> tuple[str, ...]:
        """Further ones that are looked at after it."""
        ...

    @property
    def url_env(self) -> str:
        """Environment variable that holds the base URL."""
        ...

    @property
    def credentials_of(self) -> str | None:
        """Provider whose configured key and base URL also serve this one."""
        ...

    @property
    def params(self) -> Mapping[str, str | Param]:
        """Parameters a job needs besides its id, by name."""
        ...

    @property
    def destroys_finished(self) -> bool:
        """Whether the cancel request destroys the output of a finished job."""
        ...

    def refuse(self, job: Job) -> str | None:
        """Return why the job's id or parameters cannot be sent, or None when they can."""
        ...

    def must_read_first(self, job: Job) -> bool:
        """Return whether the job must be seen running before the cancel may be sent.

        It is so where the cancel `destroys_finished`, unless the job's params say otherwise.
        """
        ...

    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        """Return the request that cancels the job."""
        ...

    def status_request(self, job: Job, endpoint: Endpoint) -> Request | None:
        """Return the request that reads the job, or None when the vendor has none."""
        ...

    def read_cancel(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the cancel request means."""
        ...

    def read_status(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the status request means.

        Its `state` is set when the state was read, whatever the vendor's word; else its
        `outcome` says why not, or is None when the read may be tried again.
        """
        ...
