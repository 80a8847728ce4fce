"""The inputs of a contract: the vendor's replies, and their names in messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from jobcancel.adapter import Response
from jobcancel.errors import WrongType
from jobcancel.models import JobState, Outcome
from jobcancel.testing.steps import Step

T = TypeVar("T", Outcome, JobState)

Replies = Step | Iterable[Step]

SUCCESSFUL, REFUSALS = range(200, 300), range(400, 500)


def fail_on(problems: Iterable[str]) -> None:
    """Fail if there are problems, with one per line."""
    found = list(problems)
    if found:
        raise AssertionError("\n".join(found))


def responses(replies: Mapping[T, Replies]) -> Iterator[tuple[T, Response]]:
    """Give every reply with its meaning.

    Raises:
        WrongType: a step is a fault, not a reply.
    """
    for meaning, steps in replies.items():
        for step in [steps] if isinstance(steps, Step) else steps:
            if step.status_code is None:
                raise WrongType(f"a reply to {meaning} must come from reply(), not {step}")
            headers = {name.lower(): value for name, value in step.headers.items()}
            yield (
                meaning,
                Response(status_code=step.status_code, headers=headers, content=step.content),
            )


def first_responses(replies: Mapping[T, Replies]) -> dict[T, Response]:
    """Return the first reply of each meaning."""
    return dict(reversed(list(responses(replies))))


def claim_of(response: Response, outcome: Outcome | None) -> tuple[object, ...] | None:
    """Return the claim that a reply without a meaningful body makes, or None.

    A success makes one if its body is empty, a refusal by its status code alone, a server error
    never.
    """
    code = response.status_code
    is_claim = response.content in {b"", b"{}"} if code in SUCCESSFUL else code in REFUSALS
    return (outcome, code) if is_claim else None


def describe(response: Response) -> str:
    """Return the name of a reply in messages."""
    body = "no complete body" if response.content is None else repr(response.content[:80])
    return f"{response.status_code} with {body}"


def has_flag(response: Response) -> bool:
    """Whether a body has a Boolean, which may be the verdict."""
    return any(isinstance(value, bool) for value in (response.body or {}).values())
