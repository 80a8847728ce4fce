"""`AdapterContract`: what every adapter must get right, as a test class to subclass.

The replies are the vendor's real ones, from a cassette or written down from its documentation.
Each test says what is wrong in words; what it tries is in `vendor` and `cases`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar

from jobcancel.adapter import Adapter, Endpoint, Reading, Request, Response
from jobcancel.models import Job, JobState, Outcome
from jobcancel.routes import declared
from jobcancel.secret import Secret
from jobcancel.tables import HttpAdapter
from jobcancel.testing.contract import cases
from jobcancel.testing.contract.inputs import (
    REFUSALS,
    SUCCESSFUL,
    Given,
    claim_of,
    each,
    first,
    has_flag,
    none_of,
    told,
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
# What a vendor must have a word for, or say nothing of.
_TOLD_APART = frozenset(Outcome) - {
    Outcome.UNKNOWN,
    Outcome.INVALID,
    Outcome.CANCELLING,
    Outcome.REFUSED,
}
_TOO_MANY_REQUESTS = 429


class AdapterContract:
    """Subclass it as `class TestAcme(AdapterContract)` with the adapter and its replies.

    Attributes:
        adapter: what is tried.
        job_id: an id such as the vendor gives.
        params: the params of that job.
        replies: the vendor's replies to a cancel, one or several for each outcome.
        statuses: its replies to a status read, one or several for each state.
        repeated: replies after which the cancel is to be sent again.
        undocumented: outcomes and states for which no reply of the vendor is known.
    """

    adapter: ClassVar[Adapter]
    job_id: ClassVar[str]
    params: ClassVar[Mapping[str, str]] = {}
    replies: ClassVar[Mapping[Outcome, Given]] = {}
    statuses: ClassVar[Mapping[JobState, Given]] = {}
    repeated: ClassVar[Iterable[Step]] = ()
    undocumented: ClassVar[Iterable[Outcome | JobState]] = ()

    # What is given

    def test_the_job_has_its_params(self) -> None:
        """The params that the adapter needs are given, and no others."""
        needed = {
            n
            for n, p in declared(self.adapter.params).items()
            if not p.optional and p.default is None
        }
        none_of(
            f"params: the adapter needs {name!r}; give params = {{{name!r}: '...'}}"
            for name in sorted(needed - {*self.params})
        )
        none_of(
            f"params: the adapter has no {name!r}"
            for name in sorted({*self.params} - {*self.adapter.params})
        )

    def test_there_is_a_reply_for_every_outcome(self) -> None:
        """Each outcome has a reply, or is named as undocumented."""
        known: set[object] = {*self.replies, *self.undocumented}
        if Outcome.CANCELLING in self.replies:
            known.add(Outcome.CANCELLED)
        none_of(
            f"replies: none for {outcome}; add one, or name it in undocumented"
            for outcome in sorted(_TOLD_APART - known)
        )

    def test_there_is_a_status_for_every_kind_of_state(self) -> None:
        """A running, a succeeded and a cancelled job are shown, where a job can be read."""
        reads = self._request("status") is not None
        known: set[object] = {*self.statuses, *self.undocumented}
        states = {JobState.RUNNING, JobState.SUCCEEDED, JobState.CANCELLED}
        if isinstance(self.adapter, HttpAdapter):
            states |= {*self.adapter.states.values()}
        none_of(
            f"statuses: none for a job that is {state}; add one, or name it in undocumented"
            for state in sorted(states)
            if reads and state not in known
        )

    # What is sent

    def test_a_request_is_for_this_job_at_this_vendor(self) -> None:
        """The address is under the base URL, another job's is another, and the key is in none."""
        none_of(self._requests())

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
                yield f"the {call} request is another one the second time: something is kept"
            shown = f"{request.url} {dict(request.headers)} {request.content!r} {request!r}"
            if KEY in shown:
                yield f"the key is in the {call} request; it is added where requests are sent"
            if request.credential.header in request.headers:
                yield f"the {call} request has the header {request.credential.header!r} already"

    def test_an_id_stays_one_piece_of_the_address(self) -> None:
        """An id can neither lead to another address nor be cut or changed on its way."""
        none_of(self._ids())

    def _ids(self) -> Iterator[str]:
        plain = self._cancel_request()
        for job_id in cases.IDS:
            if self.adapter.refuse(self._job(job_id)) is not None:
                continue
            request = self._cancel_request(job_id)
            if cases.shape(request) != cases.shape(plain):
                yield f"the id {job_id!r} changes the address to {request.url}"
            elif not cases.holds(request, job_id):
                yield f"the id {job_id!r} is not in the request as it was given"
        for job_id in cases.NO_IDS:
            if self.adapter.refuse(self._job(job_id)) is None:
                yield f"the id {job_id!r} is not refused"
        if (refusal := self.adapter.refuse(self._job())) is not None:
            yield f"the job's own id is refused: {refusal}"

    # What replies mean

    def test_each_reply_means_its_outcome(self) -> None:
        """The vendor's replies are understood."""
        none_of(
            f"{told(response)} to a cancel means {found or 'nothing'}, not {outcome}; "
            f"the contract's job is {self.job_id!r}"
            for outcome, response in each(self.replies)
            for found in [self._read(response).outcome]
            if found is not (None if outcome is Outcome.UNKNOWN else outcome)
        )

    def test_each_status_means_its_state(self) -> None:
        """The vendor's states are understood."""
        none_of(
            f"{told(response)} to a status read means {found or 'nothing'}, not {state}"
            for state, response in each(self.statuses)
            for found in [self._read_status(response).state]
            if found is not state
        )

    def test_a_word_of_tomorrow_is_not_guessed(self) -> None:
        """A state that the adapter does not know is unknown, and settles nothing."""
        none_of(self._words())

    def _words(self) -> Iterator[str]:
        for state, response in each(self.statuses):
            reading = self._read_status(cases.with_new_words(response, self.job_id))
            if reading.final:
                yield f"the status of a job that is {state} with unknown words reads as final"
        for _, response in each(self.replies):
            changed = cases.with_new_words(response, self.job_id)
            # Where the body says true or false, that may be the verdict.
            words = changed.body != response.body and not has_flag(response)
            if response.status_code in SUCCESSFUL and words and not self._is_untyped(response):
                found = self._read(changed).outcome
                if found is not None:
                    yield f"{told(response)} with unknown words means {found}; it is unsettled"

    def test_garbage_is_never_a_success(self) -> None:
        """Bodies that are cut, empty, of another kind or type neither raise nor settle."""
        none_of(self._garbage())

    def _garbage(self) -> Iterator[str]:
        documented = {claim_of(response, outcome) for outcome, response in each(self.replies)}
        for response in cases.garbage():
            try:
                found = self._read(response).outcome
                shown = self._read_status(response)
            except Exception as error:  # noqa: BLE001 - whatever an adapter's own code raises
                yield f"{told(response)} raises {error!r}"
                continue
            claim = claim_of(response, found)
            untyped = found is Outcome.CANCELLING and self._is_untyped(response)
            if found in _CLAIMS and not untyped and (claim is None or claim not in documented):
                yield f"{told(response)} to a cancel means {found}; it is unsettled"
            if shown.final:
                yield f"{told(response)} to a status read means {shown.state}; it is unsettled"

    def test_a_reply_about_another_job_settles_nothing(self) -> None:
        """A reply that names another job is not about this one."""
        none_of(
            f"{told(response)} about another job means {found}; it is unsettled"
            for _, response in each(self.replies)
            if response.status_code in SUCCESSFUL
            for changed in [cases.about_another(response, self.job_id)]
            if changed.body != response.body
            for found in [self._read(changed).outcome]
            if found is not None
        )

    def test_reading_a_reply_changes_nothing(self) -> None:
        """The same reply means the same every time, and stays as it is."""
        none_of(self._changes())

    def _changes(self) -> Iterator[str]:
        for _, response in (*each(self.replies), *each(self.statuses)):
            before = copy.deepcopy(response.body)
            readings = [self._read(response) for _ in range(2)]
            if readings[0] != readings[1]:
                yield f"{told(response)} means something else the second time"
            if before != response.body:
                yield f"the body of {told(response)} is changed"

    # When to send again

    def test_only_what_may_succeed_later_is_repeated(self) -> None:
        """A refusal is not sent again; "too many requests" is, when there is time."""
        none_of(self._repeats())

    def _repeats(self) -> Iterator[str]:
        for outcome, response in each(self.replies):
            repeated = self._read(response).repeat
            limited = outcome is Outcome.RATE_LIMITED
            if limited and not repeated:
                yield f"{told(response)} is not repeatable, but only for now"
            settled = outcome not in {Outcome.RATE_LIMITED, Outcome.UNKNOWN}
            if settled and repeated and response.status_code in REFUSALS:
                yield f"{told(response)} is repeatable, but a refusal stays one"
        wanted = list(each({Outcome.RATE_LIMITED: self.repeated}))
        for _, response in wanted:
            if not self._read(response).repeat:
                yield f"{told(response)} is not repeatable, but named in repeated"
        again = {response.status_code for _, response in wanted}
        for code in sorted({400, 401, 403, 404, 409, 410, 422} - again):
            if self._read(cases.refusal(self.adapter, code)).repeat:
                yield f"HTTP {code} is repeatable, but a refusal stays one"
        if self._read(Response(status_code=_TOO_MANY_REQUESTS)).outcome is not Outcome.RATE_LIMITED:
            yield "HTTP 429 does not mean rate-limited (RFC 6585)"

    # What becomes of a job

    def test_what_is_said_of_a_job_is_true(self) -> None:
        """Whatever is lost, refused, redirected or garbled on the way."""
        none_of(self._situations())

    def _situations(self) -> Iterator[str]:
        reads = {JobState.CANCELLED, JobState.SUCCEEDED} <= {*self.statuses}
        for situation in cases.situations():
            if any(self._is_untyped(answer) for answer in situation.lies()):
                continue
            vendor = self._vendor(*situation.faults, state=situation.state)
            result = vendor.cancel()
            if (problem := cases.lie(result, vendor, situation, reads=reads)) is not None:
                yield f"{situation.name}: {problem}"

    def test_a_vendor_that_is_down_is_unknown(self) -> None:
        """Neither no connection nor replies that never come are an answer."""
        none_of(
            f"a vendor that cannot be reached ends as {outcome}, not unknown"
            for answer in (UNREACHABLE, LOST)
            for vendor in [self._vendor(Fault(answer=answer), for_ever=True)]
            for outcome in [vendor.cancel().outcome]
            if outcome is not Outcome.UNKNOWN
        )

    def test_a_long_wait_is_told_and_not_sat_out(self) -> None:
        """A limit that outlasts the deadline comes back at once, with its wait."""
        limit = Response(status_code=_TOO_MANY_REQUESTS, headers={"retry-after": f"{_HOURS:g}"})
        result = self._vendor(Fault(answer=limit)).cancel()
        told = (result.outcome, result.retry_after, result.attempts)
        if told != (Outcome.RATE_LIMITED, _HOURS, 1):
            raise AssertionError(
                f"429 with Retry-After {_HOURS:g} ends as {told[0]} with retry_after {told[1]} "
                f"after {told[2]} attempts; it is rate-limited, {_HOURS}, 1"
            )

    def test_a_finished_job_is_not_sent_a_cancel_that_destroys_it(self) -> None:
        """Where the cancel would destroy a finished job's output, it is not sent."""
        if not self.adapter.destroys_finished:
            return
        vendor = self._vendor(state=JobState.SUCCEEDED)
        vendor.cancel()
        none_of(
            f"{request.method} {request.url} was sent to a finished job"
            for call, request, state in vendor.sent
            if call == "cancel" and not state.active
        )

    # The pieces

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
        return isinstance(self.adapter, HttpAdapter) and self.adapter.is_untyped(response)

    def _vendor(
        self, *faults: Fault, state: JobState = JobState.RUNNING, for_ever: bool = False
    ) -> Vendor:
        return Vendor(
            adapter=self.adapter,
            job=self._job(),
            endpoint=_ENDPOINT,
            replies=first(self.replies),
            statuses={} if for_ever else first(self.statuses),
            state=state,
            faults=list(faults),
            for_ever=for_ever,
        )
