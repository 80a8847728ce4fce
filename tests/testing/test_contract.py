"""The contract: a correct adapter passes, and each wrong one fails with the reason."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest
from attrs import asdict, evolve

from jobcancel import HttpAdapter, Job, JobState, Outcome
from jobcancel.adapter import Param, Route
from jobcancel.testing.contract import AdapterContract
from jobcancel.testing.steps import lost_reply, reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel.adapter import Endpoint, Reading, Request, Response

ACME = HttpAdapter(
    name="acme",
    title="Acme",
    docs="docs.acme.example",
    default_url="https://api.acme.example",
    key_env="ACME_API_KEY",
    url_env="ACME_BASE_URL",
    cancel=Route("POST", "/jobs/{id}/cancel"),
    status=Route("GET", "/jobs/{id}"),
    replies={
        401: Outcome.UNAUTHORIZED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        409: Outcome.ALREADY_TERMINAL,
        429: Outcome.RATE_LIMITED,
    },
    states={
        "running": JobState.RUNNING,
        "stopping": JobState.CANCELLING,
        "stopped": JobState.CANCELLED,
        "done": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
    },
)


class TestAcme(AdapterContract):
    adapter = ACME
    job_id = "j1"
    replies = {
        Outcome.CANCELLED: reply(200, {"id": "j1", "status": "stopped"}),
        Outcome.CANCELLING: reply(200, {"id": "j1", "status": "stopping"}),
        Outcome.ALREADY_TERMINAL: [reply(409), reply(200, {"id": "j1", "status": "done"})],
        Outcome.NOT_FOUND: reply(404, {"message": "no such job"}),
        Outcome.FORBIDDEN: reply(403),
        Outcome.UNAUTHORIZED: reply(401),
        Outcome.RATE_LIMITED: reply(429, headers={"Retry-After": "1"}),
        Outcome.UNKNOWN: reply(500),
    }
    statuses = {
        JobState.RUNNING: reply(200, {"id": "j1", "status": "running", "steps": ["a", {"b": 1}]}),
        JobState.CANCELLING: reply(200, {"id": "j1", "status": "stopping"}),
        JobState.CANCELLED: reply(200, {"id": "j1", "status": "stopped"}),
        JobState.SUCCEEDED: reply(200, {"id": "j1", "status": "done"}),
        JobState.FAILED: reply(200, {"id": "j1", "status": "failed"}),
    }
    repeated = [reply(503)]


def changed(**fields: Any) -> HttpAdapter:
    return evolve(ACME, **fields)


def own(kind: type[HttpAdapter]) -> HttpAdapter:
    fields = {name: value for name, value in asdict(ACME, recurse=False).items() if name[0] != "_"}
    return kind(**fields)


class Unescaped(HttpAdapter):
    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        request = super().cancel_request(job, endpoint, idempotency_key)
        return evolve(request, url=f"{endpoint.base_url}/jobs/{job.job_id}/cancel")


class AcceptsAnything(HttpAdapter):
    def refuse(self, job: Job) -> str | None:
        return None


class RefusesAll(HttpAdapter):
    def refuse(self, job: Job) -> str | None:
        return "no"


class SameForAll(HttpAdapter):
    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        return super().cancel_request(Job("acme", "j1"), endpoint, idempotency_key)


class Elsewhere(HttpAdapter):
    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        request = super().cancel_request(job, endpoint, idempotency_key)
        return evolve(request, url=request.url.replace(endpoint.base_url, self.default_url))


class Leaks(HttpAdapter):
    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        request = super().cancel_request(job, endpoint, idempotency_key)
        return evolve(request, headers={"authorization": f"Bearer {endpoint.key.reveal()}"})


class Counts(HttpAdapter):
    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        numbers.append(1)
        request = super().cancel_request(job, endpoint, idempotency_key)
        return evolve(request, url=f"{request.url}?n={len(numbers)}")


class Remembers(HttpAdapter):
    def read_cancel(self, job: Job, response: Response) -> Reading:
        numbers.append(1)
        return evolve(super().read_cancel(job, response), message=str(len(numbers)))


class Tidies(HttpAdapter):
    def read_cancel(self, job: Job, response: Response) -> Reading:
        reading = super().read_cancel(job, response)
        if isinstance(response.body, dict):
            response.body.pop("id", None)
        return reading


numbers: list[int] = []


def guessed(body: Mapping[str, Any]) -> JobState | None:
    return None if body.get("status") in ACME.states else JobState.FAILED


def careless(body: Mapping[str, Any]) -> JobState | None:
    return ACME.states.get(body["status"].lower())


def hopeful(response: Response) -> Outcome | None:
    return Outcome.CANCELLED if response.status_code in {200, 202, 302} else None


def settled_by_500(response: Response) -> Outcome | None:
    return Outcome.ALREADY_TERMINAL if response.status_code == 500 else None


STATES = dict(ACME.states)
REPLIES = dict(ACME.replies)

WRONG = [
    ("an id is not escaped", own(Unescaped), "the id 'a b/ü:1' changes the URL"),
    ("any id is accepted", own(AcceptsAnything), "the id '..' is not refused"),
    ("every id is refused", own(RefusesAll), "the job's own id is refused: no"),
    ("the id is not sent", own(SameForAll), "is the same for another job"),
    ("an id is not in the request", own(SameForAll), "is not in the request unchanged"),
    ("it goes elsewhere", own(Elsewhere), "not below the base URL"),
    ("the key is in a header", own(Leaks), "the key is in the cancel request"),
    ("the key's header is there", own(Leaks), "already has the header 'authorization'"),
    ("a request is another each time", own(Counts), "is different the second time"),
    ("a reading is another each time", own(Remembers), "is read differently the second time"),
    ("the body is changed", own(Tidies), "the body of 200 .* is modified"),
    (
        "a missing job counts as over",
        changed(replies={**REPLIES, 404: Outcome.ALREADY_TERMINAL}),
        "404 with .* means already-terminal, not not-found",
    ),
    (
        "a limit is unknown to it",
        changed(replies={409: Outcome.ALREADY_TERMINAL}),
        "HTTP 429 is not",
    ),
    ("a limit is not sat out", changed(replies={409: Outcome.ALREADY_TERMINAL}), "429 with Retry"),
    (
        "a conflict is repeated",
        changed(replies={401: Outcome.UNAUTHORIZED}, retry_statuses=frozenset({409, 429})),
        "HTTP 409 is repeatable, but a refusal is final",
    ),
    (
        "a limit is final",
        changed(retry_statuses=frozenset({503})),
        "429 with .* is not repeatable, but rate-limited is temporary",
    ),
    ("an unknown word is guessed", changed(state_hook=guessed), "unknown words is read as final"),
    ("an unknown word settles", changed(state_hook=guessed), "unknown words means already-t"),
    ("garbage raises", changed(state_hook=careless), r"raises (KeyError|AttributeError)"),
    (
        "any success is one",
        changed(outcome_hook=hopeful),
        "200 with b'' to a cancel means cancelled",
    ),
    (
        "a redirect is a success",
        changed(outcome_hook=hopeful),
        "302, not applied: the outcome is canc",
    ),
    ("a 500 is an end", changed(outcome_hook=settled_by_500), "500 with .* means already-t"),
    (
        "an empty 200 is one",
        changed(empty_body_statuses=frozenset({200})),
        "200 with b'{}' to a cancel",
    ),
    ("the job's id is not looked at", changed(job_id="job"), "about another job means cancelled"),
    (
        "stopping is taken for stopped",
        changed(states={**STATES, "stopping": JobState.CANCELLED}),
        "means cancelled, not cancelling",
    ),
    (
        "done is taken for stopped",
        changed(states={**STATES, "done": JobState.CANCELLED}),
        "to a status read means cancelled, not succeeded",
    ),
    (
        "a status is not understood",
        changed(state="state"),
        "to a status read means nothing, not running",
    ),
    (
        "a status says stopped for nothing",
        changed(state_hook=guessed),
        "read means failed, not",
    ),
]


def problems(contract: type[AdapterContract]) -> list[str]:
    """Return the failures of all tests of a contract."""
    found = []
    for name, _ in inspect.getmembers(contract, inspect.isfunction):
        if name.startswith("test_"):
            try:
                getattr(contract(), name)()
            except Exception as error:  # noqa: BLE001 - also what an adapter raises
                found.append(str(error))
    return found


def test_correct_adapter_passes() -> None:
    assert [] == problems(TestAcme)


@pytest.mark.parametrize(
    ("adapter", "message"), [pytest.param(*wrong, id=what) for what, *wrong in WRONG]
)
def test_wrong_adapter_fails_with_reason(adapter: HttpAdapter, message: str) -> None:
    class Wrong(TestAcme):
        pass

    Wrong.adapter = adapter
    assert any(re.search(message, problem) for problem in problems(Wrong)), problems(Wrong)


def test_missing_inputs_are_reported() -> None:
    class Incomplete(TestAcme):
        replies = {Outcome.CANCELLING: reply(200, {"id": "j1", "status": "stopping"})}
        statuses = {}
        undocumented = [Outcome.FORBIDDEN, JobState.SUCCEEDED]
        repeated = [reply(403)]
        params = {"queue": "q"}

    found = "\n".join(problems(Incomplete))
    assert "replies: none for already-terminal; add one, or name it in undocumented" in found
    assert "statuses: none for a job that is running; add one" in found
    assert '403 with b\'{"message": "Forbidden"}\' is not repeatable, but is in repeated' in found
    assert "params: the adapter has no 'queue'" in found
    assert "none for cancelled" not in found
    assert "none for forbidden" not in found
    assert "none for a job that is succeeded" not in found


def test_missing_param_is_reported() -> None:
    class Lost(TestAcme):
        adapter = changed(
            cancel=Route("POST", "/{queue}/{id}", {"project": "{project}"}),
            params={"queue": "its queue", "project": Param("whose", optional=True)},
        )

    with pytest.raises(AssertionError, match=r"^params: the adapter needs 'queue'; give params"):
        Lost().test_the_job_has_its_params()


def test_fault_is_not_a_reply() -> None:
    class Faulty(TestAcme):
        replies = {Outcome.UNKNOWN: lost_reply()}

    with pytest.raises(TypeError, match=r"a reply to unknown must come from reply\(\)"):
        Faulty().test_each_reply_means_its_outcome()


class Destroys(TestAcme):
    adapter = changed(destroys_finished=True)


def test_destructive_cancel_is_not_sent_to_finished_job() -> None:
    assert [] == problems(Destroys)


def test_status_that_hides_the_end_fails_for_destructive_cancel() -> None:
    class Blind(Destroys):
        adapter = changed(destroys_finished=True, states={**STATES, "done": JobState.RUNNING})

    assert any("was sent to a finished job" in problem for problem in problems(Blind))


def test_vendor_without_status_passes() -> None:
    class Blind(TestAcme):
        adapter = changed(status=None)
        statuses = {}

    assert [] == problems(Blind)


class OwnCode:
    """An adapter with its own code."""

    def __getattr__(self, name: str) -> Any:
        return getattr(ACME, name)


def test_adapter_with_own_code_passes() -> None:
    class Coded(TestAcme):
        adapter = OwnCode()  # type: ignore[assignment]

    assert [] == problems(Coded)
