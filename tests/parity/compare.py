"""Compares the requests that an SDK and jobcancel send for the same job.

A module for more SDKs declares a `Case` for each provider, and its allowed differences in
`differences.ALLOWED`; `test_requests` compares them. The SDK's name goes into the dependency group
`parity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import pytest
from attrs import field, frozen

import jobcancel
from jobcancel import get_adapter, providers
from tests.parity.differences import AWKWARD
from tests.parity.recorder import Recorder, Sent

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

KEY = "parity-key"
T = TypeVar("T")

each_call = pytest.mark.parametrize("call", ["cancel", "status"])

Call: TypeAlias = Callable[[str | None, str], object]
"""Makes an SDK send one request: given a base URL, or None for the SDK's own, and a job's id."""

# A refusal in the format of every vendor: its text is in each field that one of them uses.
_REFUSAL = {"error": {"message": "no"}, "message": "no", "detail": "no", "failure": "no"}


@frozen(kw_only=True)
class Case:
    """One provider's SDK.

    Args:
        provider: the provider's name.
        cancel: makes the SDK cancel a job, without retries, with `KEY`.
        status: makes the SDK get a job, likewise.
        job_id: an id with as many special characters as the SDK accepts.
        params: the job's params for jobcancel.
        path: path of the base URL, if it has one.
        answer: a body that the SDK accepts as the reply to both.
    """

    provider: str
    cancel: Call
    status: Call
    job_id: str = AWKWARD
    params: Mapping[str, str] = field(factory=dict)
    path: str = ""
    answer: Mapping[str, Any] = field(factory=lambda: {"id": AWKWARD})


def opened(
    client: Callable[[str | None], AbstractContextManager[T]], call: Callable[[T, str], object]
) -> Call:
    """Return a `Call` that opens a client for itself and closes it.

    Args:
        client: makes the client, given a base URL or None.
        call: sends the request, given the client and the job's id.
    """

    def send(url: str | None, job: str) -> None:
        with client(url) as one:
            call(one, job)

    return send


def each(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Return the mark that gives each case to a test as `case`."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.provider)


def of_family(family: str) -> list[str]:
    """Return the names of a family's providers, sorted."""
    return [n for n in providers() if getattr(get_adapter(n), "family", "") == family]


def over_loopback(case: Case, call: str) -> dict[str, tuple[object, object]]:
    """Return the differences with the same base URL for both, by part."""
    theirs, ours = _recorders(case)
    with theirs.on_loopback() as url:
        _sdk(case, call)(f"{url}{case.path}", case.job_id)
    with ours.on_loopback() as url:
        _jobcancel(case, call, f"{url}{case.path}")
    return _differences(theirs.only(), ours.only())


def by_default(case: Case, call: str) -> dict[str, tuple[object, object]]:
    """Return the differences without a base URL for either, by part."""
    theirs, ours = _recorders(case)
    with theirs.in_place():
        _sdk(case, call)(None, case.job_id)
    with ours.in_place():
        _jobcancel(case, call, None)
    return _differences(theirs.only(), ours.only())


def _recorders(case: Case) -> tuple[Recorder, Recorder]:
    # "Unauthorized" is conclusive with every vendor, so jobcancel sends nothing more.
    return Recorder(case.answer), Recorder(_REFUSAL, status_code=401)


def _sdk(case: Case, call: str) -> Call:
    return case.cancel if call == "cancel" else case.status


def _jobcancel(case: Case, call: str, base_url: str | None) -> None:
    send = jobcancel.cancel if call == "cancel" else jobcancel.status
    send(case.provider, case.job_id, params=case.params, api_key=KEY, base_url=base_url)


def _differences(sdk: Sent, ours: Sent) -> dict[str, tuple[object, object]]:
    one, other = sdk.parts(), ours.parts()
    return {
        part: (one.get(part), other.get(part))
        for part in sorted({*one, *other})
        if one.get(part) != other.get(part)
    }
