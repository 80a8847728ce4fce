"""What a vendor is, as a declaration that `declared` plays: addresses, words, and answers.

Bodies are templates: a text `"{id}"` becomes the value itself, one with more than that a text
with the value in it. The declarations are in the modules that are called `vendors_...`.
Where a vendor does not document what it answers, the answer there is ours and marked so: one that
is plausible and that only a look at the job settles.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from jobcancel.models import JobState

Template: TypeAlias = Mapping[str, object]

UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

_WHOLE = re.compile(r"\{(\w+)\}")
_ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)


def fill(template: object, values: Mapping[str, object]) -> object:
    """Return a template with the values filled in.

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


@frozen
class Address:
    """Where a request about a job goes, and where in it the job's id is.

    Args:
        method: in capitals.
        path: as Starlette has it, with `{job_id}` where the id is a part of it.
        where: the part of the request that has the id.
        name: what the id is called in a query or a JSON body.
    """

    method: str
    path: str
    where: Literal["path", "query", "body"] = "path"
    name: str = ""


@frozen
class Answer:
    """What a vendor answers.

    Args:
        status: the HTTP status code.
        body: template of the JSON body; None for an empty one.
        job: whether the body is the job, as a status read shows it, and `body` is not used.
        shows: the state that the body shows; None for the one that the job is in.
        stops: whether a cancel that is answered so stops a job that has not ended.
    """

    status: int
    body: Template | None = field(default=None, hash=False)
    job: bool = False
    shows: JobState | None = None
    stops: bool = True


@frozen(kw_only=True)
class Vendor:
    """One kind of job at one vendor.

    Args:
        name: the provider's name.
        family: a name for all kinds of job that one key is for.
        key_env: environment variable of the key.
        url_env: environment variable of the base URL.
        base: path at the end of the vendor's own base URL.
        header: name of the header that has the key.
        scheme: word before the key in it.
        needs_headers: headers without which the vendor answers `incomplete`.
        needs_query: likewise fields of the query.
        cancel: the address for a cancel.
        status: the address for a status read.
        new_id: makes the id of a job from its number.
        id_prefix: what ids begin with that is in the address before the id.
        id_form: regular expression of what the vendor takes for an id.
        words: state -> word; a state that is missing cannot be shown.
        job: template of the job, with `{id}`, `{word}`, `{created}`, `{done}`, `{documents}`.
        extra: state -> further fields of the job, or other ones.
        codes: state -> status code of a status read, where that is not 200.
        cancels: state -> what a cancel of a job in it answers.
        unknown: the answer about a job that there is not.
        foreign: the answer about a job of another tenant.
        denied: the answer to a key that may not cancel; None if there are no such keys.
        malformed: the answer about what is no id.
        wrong_key: the answer to a key that the vendor does not know.
        limit: the answer to a request too many; `{wait}` is the seconds until the next may come.
        tells_wait: whether that has a Retry-After.
        incomplete: the answer to a request that lacks something.
        deletes_finished: whether a cancel of a job that has ended deletes it.
        hides_cancelled: whether a job that was cancelled is unknown afterwards.
    """

    name: str
    family: str
    key_env: str
    url_env: str
    base: str = ""
    header: str = "authorization"
    scheme: str = "Bearer"
    needs_headers: tuple[str, ...] = ()
    needs_query: tuple[str, ...] = ()
    cancel: Address
    status: Address
    new_id: Callable[[int], str]
    id_prefix: str = ""
    id_form: str = ".*"
    words: Mapping[JobState, str] = field(hash=False)
    job: Template = field(hash=False)
    extra: Mapping[JobState, Template] = field(factory=dict, hash=False)
    codes: Mapping[JobState, int] = field(factory=dict, hash=False)
    cancels: Mapping[JobState, Answer] = field(hash=False)
    unknown: Answer
    foreign: Answer
    denied: Answer | None = None
    malformed: Answer = Answer(400)
    wrong_key: Answer
    limit: Answer
    tells_wait: bool = True
    incomplete: Answer = Answer(400)
    deletes_finished: bool = False
    hides_cancelled: bool = False

    @property
    def key(self) -> str:
        """The key to use when nothing special is wanted."""
        return f"sandbox-{self.family}-key"

    @property
    def other_key(self) -> str:
        """The key of the other tenant."""
        return f"sandbox-{self.family}-other-key"

    @property
    def limited_key(self) -> str:
        """A key that may look at jobs, but not cancel them."""
        return f"sandbox-{self.family}-limited-key"

    @property
    def spent_key(self) -> str:
        """A key whose requests of the day are all used."""
        return f"sandbox-{self.family}-spent-key"


def cancels(active: Answer, ended: Answer, **other: Answer) -> dict[JobState, Answer]:
    """Return what a cancel answers by the job's state: an active one, an ended one, others by name.

    Example:
        >>> cancels(Answer(200), Answer(409), running=Answer(202))[JobState.RUNNING].status
        202
    """
    answers = {JobState.PENDING: active, JobState.RUNNING: active, **dict.fromkeys(_ENDS, ended)}
    return {**answers, **{JobState(state): answer for state, answer in other.items()}}


def prefixed(prefix: str) -> Callable[[int], str]:
    """Return what makes ids of digits after a prefix.

    Example:
        >>> prefixed("batch_")(7)
        'batch_000000000000000000000007'
    """
    return lambda number: f"{prefix}{number % 16**24:024x}"


def as_uuid(number: int) -> str:
    """Make an id that is a UUID.

    Example:
        >>> as_uuid(7)
        '00000000-0000-4000-8000-000000000007'
    """
    return str(uuid.UUID(int=number, version=4))


def as_number(number: int) -> str:
    """Make an id that is a number of 15 digits.

    Example:
        >>> as_number(7)
        '100000000000007'
    """
    return str(10**14 + number % 10**14)
