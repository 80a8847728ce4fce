"""What a contract is given: the vendor's replies, and how they are spoken of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from jobcancel.adapter import Response
from jobcancel.errors import WrongType
from jobcancel.models import JobState, Outcome
from jobcancel.testing.steps import Step

T = TypeVar("T", Outcome, JobState)

Given = Step | Iterable[Step]

SUCCESSFUL, REFUSALS = range(200, 300), range(400, 500)


def none_of(problems: Iterable[str]) -> None:
    """Fail with all problems, one on each line, if there are any."""
    found = list(problems)
    if found:
        raise AssertionError("\n".join(found))


def each(given: Mapping[T, Given]) -> Iterator[tuple[T, Response]]:
    """Give every reply with what it means.

    Raises:
        WrongType: one of them is no reply but a fault.
    """
    for meaning, steps in given.items():
        for step in [steps] if isinstance(steps, Step) else steps:
            if step.status_code is None:
                raise WrongType(f"a reply to {meaning} must come from reply(), not {step}")
            headers = {name.lower(): value for name, value in step.headers.items()}
            yield (
                meaning,
                Response(status_code=step.status_code, headers=headers, content=step.content),
            )


def first(given: Mapping[T, Given]) -> dict[T, Response]:
    """Return the first reply of each meaning."""
    return dict(reversed(list(each(given))))


def claim_of(response: Response, outcome: Outcome | None) -> tuple[object, ...] | None:
    """Return what of a reply has to be documented so that it may mean an outcome.

    Of a success that is an empty body; of a refusal its status code is enough; a server error
    is never documented well enough.
    """
    code = response.status_code
    enough = response.content in {b"", b"{}"} if code in SUCCESSFUL else code in REFUSALS
    return (outcome, code) if enough else None


def told(response: Response) -> str:
    """Return how a reply is called in messages."""
    body = "no whole body" if response.content is None else repr(response.content[:80])
    return f"{response.status_code} with {body}"


def has_flag(response: Response) -> bool:
    """Whether a body says true or false, which may be a verdict."""
    return any(isinstance(value, bool) for value in (response.body or {}).values())
