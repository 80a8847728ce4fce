"""`AdapterContract`: the tests that every adapter must pass, as a class to subclass.

The replies are the vendor's real ones, from a cassette or from its documentation. The test cases
are in `cases`, the simulated vendor in `vendor`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar

from jobcancel.adapter import Adapter, Endpoint, HttpAdapter, Reading, Request, Response
from jobcancel.adapter.replies import is_untyped
from jobcancel.adapter.routes import declared
from jobcancel.models import Job, JobState, Outcome
from jobcancel.secret import Secret
from jobcancel.testing.contract import cases
from jobcancel.testing.contract.inputs import (
    REFUSALS,
    SUCCESSFUL,
    Replies,
    claim_of,
    describe,
    fail_on,
    first_responses,
    has_flag,
    responses,
)
from jobcancel.testing.contract.vendor import LOST, UNREACHABLE, Fault, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jobcancel.testing.steps import Step

KEY = "sk-contract-secret-key"
_BASE_URL = "https://contract.example/prefix"
_ENDPOINT = Endpoint(base_url=_BASE_URL, key=Secret(KEY))
_CLAIMS = frozenset({Outcome.CANCELLED, Outcome.CANCELLING, Outcome.ALREADY_TERMINAL})
_HOURS = 7200.0
# Outcomes that need a reply, unless they are undocumented.
_EXPECTED = frozenset(Outcome) - {
    Outcome.UNKNOWN,
    Outcome.INVALID,
    Outcome.CANCELLING,
    Outcome.REFUSED,
}
_TOO_MANY_REQUESTS = 429


class AdapterContract:
    """Subclass it as `class TestAcme(AdapterContract)` with the adapter and its replies.

    Attributes:
        adapter: the adapter under test.
        job_id: an id in the vendor's format.
        params: the params of that job.
        replies: the vendor's replies to a cancel, one or several for each outcome.
        statuses: its replies to a status read, one or several for each state.
        repeated: replies after which the cancel must be sent again.
        undocumented: outcomes and states for which the vendor documents no reply.
    """

    adapter: ClassVar[Adapter]
    job_id: ClassVar[str]
    params: ClassVar[Mapping[str, str]] = {}
    replies: ClassVar[Mapping[Outcome, Replies]] = {}
    statuses: ClassVar[Mapping[JobState, Replies]] = {}
    repeated: ClassVar[Iterable[Step]] = ()
    undocumented: ClassVar[Iterable[Outcome | JobState]] = ()

    # Inputs

    def test_the_job_has_its_params(self) -> None:
        """`params` has the params that the adapter needs, and no others."""
        needed = {
            n
            for n, p in declared(self.adapter.params).items()
            if not p.optional and p.default is None
        }
        fail_on(
            f"params: the adapter needs {name!r}; give params = {{{name!r}: '...'}}"
            for name in sorted(needed - {*self.params})
        )
        fail_on(
            f"params: the adapter has no {name!r}"
            for name in sorted({*self.params} - {*self.adapter.params})
        )

    def test_there_is_a_reply_for_every_outcome(self) -> None:
        """Each outcome has a reply, or is in `undocumented`."""
        known: set[object] = {*self.replies, *self.undocumented}
        if Outcome.CANCELLING in self.replies:
            known.add(Outcome.CANCELLED)
        fail_on(
            f"replies: none for {outcome}; add one, or name it in undocumented"
            for outcome in sorted(_EXPECTED - known)
        )

    def test_there_is_a_status_for_every_kind_of_state(self) -> None:
        """Each main state, and each in the adapter's table, has a reply if jobs can be read."""
        reads = self._request("status") is not None
        known: set[object] = {*self.statuses, *self.undocumented}
        states = {JobState.RUNNING, JobState.SUCCEEDED, JobState.CANCELLED}
        if isinstance(self.adapter, HttpAdapter):
            states |= {*self.adapter.states.values()}
        fail_on(
            f"statuses: none for a job that is {state}; add one, or name it in undocumented"
            for state in sorted(states)
            if reads and state not in known
        )

    # Requests

    def test_a_request_is_for_this_job_at_this_vendor(self) -> None:
        """The URL is below the base URL and depends on the job; the key is not in the request."""
        fail_on(self._requests())

    def _requests(self) -> Iterator[str]:
        for call in ("cancel", "status"):
            request = self._request(call)
            if request is None:
                continue
            if not request.url.startswith(f"{_BASE_URL}/"):
                yield f"the {call} request goes to {request.url}, not below the base URL"
            if request == self._request(call, job_id=f"{self.job_id}0"):
                yield f"the {call} request is the same for another job"
            if request != self._request(call):
                yield f"the {call} request is different the second time: the adapter has state"
            shown = f"{request.url} {dict(request.headers)} {request.content!r} {request!r}"
            if KEY in shown:
                yield f"the key is in the {call} request; it is added when requests are sent"
            if request.credential.header in request.headers:
                yield f"the {call} request already has the header {request.credential.header!r}"

    def test_an_id_stays_in_one_segment_of_the_url(self) -> None:
        """An id cannot change the URL, and is sent unchanged."""
        fail_on(self._ids())

    def _ids(self) -> Iterator[str]:
        plain = self._cancel_request()
        for job_id in cases.IDS:
            if self.adapter.refuse(self._job(job_id)) is not None:
                continue
            request = self._cancel_request(job_id)
            if cases.shape(request) != cases.shape(plain):
                yield f"the id {job_id!r} changes the URL to {request.url}"
            elif not cases.holds(request, job_id):
                yield f"the id {job_id!r} is not in the request unchanged"
        for job_id in cases.INVALID_IDS:
            if self.adapter.refuse(self._job(job_id)) is None:
                yield f"the id {job_id!r} is not refused"
        if (refusal := self.adapter.refuse(self._job())) is not None:
            yield f"the job's own id is refused: {refusal}"

    # Replies

    def test_each_reply_means_its_outcome(self) -> None:
        """Each reply is read as its outcome."""
        fail_on(
            f"{describe(response)} to a cancel means {found or 'nothing'}, not {outcome}; "
            f"the contract's job is {self.job_id!r}"
            for outcome, response in responses(self.replies)
            for found in [self._read(response).outcome]
            if found is not (None if outcome is Outcome.UNKNOWN else outcome)
        )

    def test_each_status_means_its_state(self) -> None:
        """Each status is read as its state."""
        fail_on(
            f"{describe(response)} to a status read means {found or 'nothing'}, not {state}"
            for state, response in responses(self.statuses)
            for found in [self._read_status(response).state]
            if found is not state
        )

    def test_an_unknown_word_is_not_guessed(self) -> None:
        """An unknown state is unknown and settles nothing."""
        fail_on(self._words())

    def _words(self) -> Iterator[str]:
        for state, response in responses(self.statuses):
            reading = self._read_status(cases.with_new_words(response, self.job_id))
            if reading.final:
                yield f"the status of a {state} job with unknown words is read as final"
        for _, response in responses(self.replies):
            changed = cases.with_new_words(response, self.job_id)
            # A Boolean in the body may be the verdict.
            words = changed.body != response.body and not has_flag(response)
            if response.status_code in SUCCESSFUL and words and not self._is_untyped(response):
                found = self._read(changed).outcome
                if found is not None:
                    yield f"{describe(response)} with unknown words means {found}, not unsettled"

    def test_garbage_is_never_a_success(self) -> None:
        """Bodies that are cut off, empty or of another type neither raise nor settle."""
        fail_on(self._garbage())

    def _garbage(self) -> Iterator[str]:
        documented = {claim_of(response, outcome) for outcome, response in responses(self.replies)}
        for response in cases.garbage():
            try:
                found = self._read(response).outcome
                shown = self._read_status(response)
            except Exception as error:  # noqa: BLE001 - whatever an adapter's own code raises
                yield f"{describe(response)} raises {error!r}"
                continue
            claim = claim_of(response, found)
            untyped = found is Outcome.CANCELLING and self._is_untyped(response)
            if found in _CLAIMS and not untyped and (claim is None or claim not in documented):
                yield f"{describe(response)} to a cancel means {found}, not unsettled"
            if shown.final:
                yield f"{describe(response)} to a status read means {shown.state}, not unsettled"

    def test_a_reply_about_another_job_settles_nothing(self) -> None:
        """A reply that names another job is not about this one."""
        fail_on(
            f"{describe(response)} about another job means {found}, not unsettled"
            for _, response in responses(self.replies)
            if response.status_code in SUCCESSFUL
            for changed in [cases.about_another(response, self.job_id)]
            if changed.body != response.body
            for found in [self._read(changed).outcome]
            if found is not None
        )

    def test_reading_a_reply_changes_nothing(self) -> None:
        """The same reply is read the same every time, and is not modified."""
        fail_on(self._changes())

    def _changes(self) -> Iterator[str]:
        for _, response in (*responses(self.replies), *responses(self.statuses)):
            before = copy.deepcopy(response.body)
            readings = [self._read(response) for _ in range(2)]
            if readings[0] != readings[1]:
                yield f"{describe(response)} is read differently the second time"
            if before != response.body:
                yield f"the body of {describe(response)} is modified"

    # Retries

    def test_only_temporary_refusals_are_repeated(self) -> None:
        """The cancel is sent again after "too many requests", but not after other refusals."""
        fail_on(self._repeats())

    def _repeats(self) -> Iterator[str]:
        for outcome, response in responses(self.replies):
            repeated = self._read(response).repeat
            limited = outcome is Outcome.RATE_LIMITED
            if limited and not repeated:
                yield f"{describe(response)} is not repeatable, but rate-limited is temporary"
            settled = outcome not in {Outcome.RATE_LIMITED, Outcome.UNKNOWN}
            if settled and repeated and response.status_code in REFUSALS:
                yield f"{describe(response)} is repeatable, but a refusal is final"
        wanted = list(responses({Outcome.RATE_LIMITED: self.repeated}))
        for _, response in wanted:
            if not self._read(response).repeat:
                yield f"{describe(response)} is not repeatable, but is in repeated"
        again = {response.status_code for _, response in wanted}
        for code in sorted({400, 401, 403, 404, 409, 410, 422} - again):
            if self._read(cases.refusal(self.adapter, code)).repeat:
                yield f"HTTP {code} is repeatable, but a refusal is final"
        if self._read(Response(status_code=_TOO_MANY_REQUESTS)).outcome is not Outcome.RATE_LIMITED:
            yield "HTTP 429 is not read as rate-limited (RFC 6585)"

    # Results

    def test_the_result_is_true(self) -> None:
        """In every situation: lost, refused, redirected or garbled replies."""
        fail_on(self._situations())

    def _situations(self) -> Iterator[str]:
        reads = {JobState.CANCELLED, JobState.SUCCEEDED} <= {*self.statuses}
        for situation in cases.situations():
            if any(self._is_untyped(answer) for answer in situation.false_replies()):
                continue
            vendor = self._vendor(*situation.faults, state=situation.state)
            result = vendor.cancel()
            if (problem := cases.false_claim(result, vendor, situation, reads=reads)) is not None:
                yield f"{situation.name}: {problem}"

    def test_a_vendor_that_is_down_is_unknown(self) -> None:
        """A vendor that cannot be reached, or never replies, is unknown."""
        fail_on(
            f"a vendor that cannot be reached ends as {outcome}, not unknown"
            for answer in (UNREACHABLE, LOST)
            for vendor in [self._vendor(Fault(answer=answer), forever=True)]
            for outcome in [vendor.cancel().outcome]
            if outcome is not Outcome.UNKNOWN
        )

    def test_a_long_wait_is_returned_at_once(self) -> None:
        """A rate limit that outlasts the deadline is returned at once, with its wait."""
        limit = Response(status_code=_TOO_MANY_REQUESTS, headers={"retry-after": f"{_HOURS:g}"})
        result = self._vendor(Fault(answer=limit)).cancel()
        found = (result.outcome, result.retry_after, result.attempts)
        if found != (Outcome.RATE_LIMITED, _HOURS, 1):
            raise AssertionError(
                f"429 with Retry-After {_HOURS:g} ends as {found[0]} with retry_after {found[1]} "
                f"after {found[2]} attempts; expected rate-limited, {_HOURS}, 1"
            )

    def test_a_destructive_cancel_is_not_sent_to_a_finished_job(self) -> None:
        """A cancel that deletes the output of a finished job is not sent to one."""
        if not self.adapter.destroys_finished:
            return
        vendor = self._vendor(state=JobState.SUCCEEDED)
        vendor.cancel()
        fail_on(
            f"{request.method} {request.url} was sent to a finished job"
            for call, request, state in vendor.sent
            if call == "cancel" and not state.active
        )

    # Helpers

    def _job(self, job_id: str | None = None) -> Job:
        return Job(self.adapter.name, self.job_id if job_id is None else job_id, self.params)

    def _cancel_request(self, job_id: str | None = None) -> Request:
        return self.adapter.cancel_request(self._job(job_id), _ENDPOINT, "idempotency-key")

    def _request(self, call: str, job_id: str | None = None) -> Request | None:
        if call == "status":
            return self.adapter.status_request(self._job(job_id), _ENDPOINT)
        return self._cancel_request(job_id)

    def _read(self, response: Response) -> Reading:
        return self.adapter.read_cancel(self._job(), response)

    def _read_status(self, response: Response) -> Reading:
        return self.adapter.read_status(self._job(), response)

    def _is_untyped(self, response: Response) -> bool:
        return isinstance(self.adapter, HttpAdapter) and is_untyped(self.adapter, response)

    def _vendor(
        self, *faults: Fault, state: JobState = JobState.RUNNING, forever: bool = False
    ) -> Vendor:
        return Vendor(
            adapter=self.adapter,
            job=self._job(),
            endpoint=_ENDPOINT,
            replies=first_responses(self.replies),
            statuses={} if forever else first_responses(self.statuses),
            state=state,
            faults=list(faults),
            forever=forever,
        )
