"""What a vendor is, as a declaration that `player` plays: addresses, words and answers.

Bodies are templates: the text `"{id}"` is replaced by the value itself, a text with more in it by a
text that contains the value. Where a vendor documents no answer, the declaration has a plausible
one of our own and a comment says so.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from jobcancel.models import JobState, Outcome

if TYPE_CHECKING:
    from starlette.requests import Request

Template: TypeAlias = Mapping[str, object]

UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

_WHOLE = re.compile(r"\{(\w+)\}")
_ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)


def fill(template: object, values: Mapping[str, object]) -> object:
    """Return a template with its placeholders replaced.

    Example:
        >>> fill({"run": "{id}", "message": "no run {id}"}, {"id": 7})
        {'run': 7, 'message': 'no run 7'}
    """
    if isinstance(template, Mapping):
        return {name: fill(each, values) for name, each in template.items()}
    if isinstance(template, list):
        return [fill(each, values) for each in template]
    if not isinstance(template, str):
        return template
    whole = _WHOLE.fullmatch(template)
    return values[whole[1]] if whole else template.format_map(values)


def iso(moment: float, timespec: str = "seconds") -> str:
    """Return seconds since the epoch in ISO 8601, in UTC.

    Example:
        >>> iso(0)
        '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec=timespec)


class KeyStatus(StrEnum):
    """What an API key may do."""

    GOOD = "good"
    OTHER = "other"
    """Everything, for another tenant."""
    LIMITED = "limited"
    """Read jobs, but not cancel them."""
    EXPIRED = "expired"
    SPENT = "spent"
    """Nothing until midnight (UTC): its quota for the day is used up."""


@frozen
class Address:
    """Where a request about a job goes, and which part of it holds the job's id.

    Args:
        method: in capitals.
        path: as Starlette writes it, with `{job_id}` if the id is in the path.
        where: the part of the request that holds the id.
        name: name of the id in a query or a JSON body.
    """

    method: str
    path: str
    where: Literal["path", "query", "body"] = "path"
    name: str = ""


@frozen
class Answer:
    """How a vendor answers.

    Args:
        status: the HTTP status code.
        body: template of the JSON body; None for an empty one.
        job: whether the body is the job, as a status read shows it; `body` is not used then.
        shows: the state that the body shows; None for the job's own.
        stops: whether a cancel with this answer stops a job that has not ended.
        means: the outcome that the vendor documents for it, if its body shows no state.
        documented: whether the vendor documents it. If not, a client may report `unknown`.
    """

    status: int
    body: Template | None = field(default=None, hash=False)
    job: bool = False
    shows: JobState | None = None
    stops: bool = True
    means: Outcome | None = None
    documented: bool = True

    @property
    def shows_state(self) -> bool:
        """Whether the body shows the job's state."""
        return self.job or "{word}" in str(self.body)


class RejectedSubmission(Exception):
    """A submission that the vendor does not accept; the text is the vendor's reason."""


@frozen
class Submission:
    """How a job is submitted: a POST.

    Args:
        path: where to.
        documents: reads the request; returns how many documents the job has, or raises
            `RejectedSubmission`.
        answer: the answer to an accepted one.
    """

    path: str
    documents: Callable[["Request"], Awaitable[int]]
    answer: Answer


@frozen
class Listing:
    """How the jobs of a key are listed, page by page: a GET with `limit`, `cursor`, `status`.

    Args:
        path: where to.
        page: template of a page, with `{jobs}`, `{cursor}` and `{more}`.
        size: jobs on a page if the request has no `limit`.
        largest: the largest `limit`.
    """

    path: str
    page: Template = field(hash=False)
    size: int = 20
    largest: int = 100


@frozen(kw_only=True)
class Vendor:
    """One kind of job at one vendor.

    Args:
        name: the provider's name.
        family: a name for all kinds of job that share a key.
        key_env: environment variable of the key.
        url_env: environment variable of the base URL.
        base: path at the end of the vendor's own base URL.
        header: name of the header that holds the key.
        scheme: word before the key in that header.
        own_keys: API keys by status, where they are not `sandbox-FAMILY-STATUS-key`.
        params: what a client must know besides the id, with examples.
        needs_headers: headers without which the vendor answers `incomplete`.
        needs_query: likewise, fields of the query.
        cancel: the address for a cancel.
        other_cancels: other providers with the same jobs -> their address for a cancel.
        status: the address for a status read.
        submissions: ways to submit a job over HTTP.
        listing: how jobs are listed; None if the sandbox does not play that.
        new_id: makes a job's id from a number.
        seeded_ids_from: added to the number of a seeded job, so that no other job has its id.
        id_prefix: what ids begin with that the address has before the id.
        id_form: regular expression of what the vendor accepts as an id.
        words: state -> word; a state without a word cannot be shown.
        other_words: other words for a state in the vendor's SDKs or older documents.
        job: template of the job, with `{id}`, `{word}`, `{done}`, `{documents}` and the times
            `{created}`, `{started}`, `{changed}` and `{ended}`.
        extra: state -> fields that the job then has in addition, or instead.
        time: writes a moment, given in seconds since the epoch.
        codes: state -> status code of a status read, where that is not 200.
        cancels: state -> answer to a cancel of a job in that state.
        unknown: the answer about a job that does not exist.
        foreign: the answer about another tenant's job.
        denied: the answer to a key that may not cancel; None if there are no such keys.
        expired: the answer to an expired key; None if keys do not expire.
        malformed: the answer about a text that is not an id.
        no_key: the answer to a request without a key; None if it is `wrong_key`.
        wrong_key: the answer to an unknown key.
        limit: the answer to a request over the quota; `{wait}` is the seconds until the next.
        tells_wait: whether `limit` has a Retry-After.
        quota_headers: headers of every answer to a key with a quota per day, as templates with
            `{limit}`, `{remaining}` and `{reset}`. They replace Retry-After when the day is spent.
        failure: the answer after an internal error.
        final_failure: the same, when the vendor says that a retry will not help; None if it
            never does.
        incomplete: the answer to a request that lacks something.
        rejected: the answer to an unusable submission or list request, with `{problem}`.
        routing: status code -> answer to a request with a wrong path or method.
        idempotency_header: a header whose value makes the vendor repeat its first answer.
        deletes_finished: whether a cancel of a job that has ended deletes it.
        hides_cancelled: whether a cancelled job is unknown afterwards.
    """

    name: str
    family: str
    key_env: str
    url_env: str
    base: str = ""
    header: str = "authorization"
    scheme: str = "Bearer"
    own_keys: Mapping[KeyStatus, str] = field(factory=dict, hash=False)
    params: Mapping[str, str] = field(factory=dict, hash=False)
    needs_headers: tuple[str, ...] = ()
    needs_query: tuple[str, ...] = ()
    cancel: Address
    other_cancels: Mapping[str, Address] = field(factory=dict, hash=False)
    status: Address
    submissions: tuple[Submission, ...] = ()
    listing: Listing | None = None
    new_id: Callable[[int], str]
    seeded_ids_from: int = 0x5EED0000
    id_prefix: str = ""
    id_form: str = ".*"
    words: Mapping[JobState, str] = field(hash=False)
    other_words: Mapping[JobState, str] = field(factory=dict, hash=False)
    job: Template = field(hash=False)
    extra: Mapping[JobState, Template] = field(factory=dict, hash=False)
    time: Callable[[float], str] = iso
    codes: Mapping[JobState, int] = field(factory=dict, hash=False)
    cancels: Mapping[JobState, Answer] = field(hash=False)
    unknown: Answer
    foreign: Answer
    denied: Answer | None = None
    expired: Answer | None = None
    malformed: Answer = Answer(400)
    no_key: Answer | None = None
    wrong_key: Answer
    limit: Answer
    tells_wait: bool = True
    quota_headers: Mapping[str, str] = field(factory=dict, hash=False)
    failure: Answer = Answer(500, {"error": "Internal server error"}, documented=False)
    final_failure: Answer | None = None
    incomplete: Answer = Answer(400)
    rejected: Answer = Answer(400)
    routing: Mapping[int, Answer] = field(factory=dict, hash=False)
    idempotency_header: str | None = None
    deletes_finished: bool = False
    hides_cancelled: bool = False

    @property
    def providers(self) -> dict[str, Address]:
        """The names of all providers with these jobs -> their address for a cancel."""
        return {self.name: self.cancel, **self.other_cancels}

    def key(self, status: KeyStatus = KeyStatus.GOOD) -> str:
        """Return the API key with a status."""
        kind = "" if status is KeyStatus.GOOD else f"{status}-"
        return self.own_keys.get(status, f"sandbox-{self.family}-{kind}key")

    @property
    def keys(self) -> dict[str, KeyStatus]:
        """The API keys that the vendor knows -> their status."""
        missing = set()
        if self.denied is None:
            missing.add(KeyStatus.LIMITED)
        if self.expired is None:
            missing.add(KeyStatus.EXPIRED)
        return {self.key(status): status for status in KeyStatus if status not in missing}


def states(**words: str) -> dict[JobState, str]:
    """Return words by state.

    Example:
        >>> states(pending="QUEUED")
        {<JobState.PENDING: 'pending'>: 'QUEUED'}
    """
    return {JobState(state): word for state, word in words.items()}


def cancels(active: Answer, ended: Answer, **other: Answer) -> dict[JobState, Answer]:
    """Return the answers to a cancel by the job's state: active, ended, and others by name.

    Example:
        >>> cancels(Answer(200), Answer(409), running=Answer(202))[JobState.RUNNING].status
        202
    """
    answers = {JobState.PENDING: active, JobState.RUNNING: active, **dict.fromkeys(_ENDS, ended)}
    return {**answers, **{JobState(state): answer for state, answer in other.items()}}


def prefixed(prefix: str) -> Callable[[int], str]:
    """Return a function that makes ids of hexadecimal digits after a prefix.

    Example:
        >>> prefixed("batch_")(7)
        'batch_000000000000000000000007'
    """
    return lambda number: f"{prefix}{number % 16**24:024x}"


def as_uuid(number: int) -> str:
    """Return an id that is a UUID.

    Example:
        >>> as_uuid(7)
        '00000000-0000-4000-8000-000000000007'
    """
    return str(uuid.UUID(int=number, version=4))


def as_number(number: int) -> str:
    """Return an id that is a number of 15 digits.

    Example:
        >>> as_number(7)
        '100000000000007'
    """
    return str(10**14 + number % 10**14)
