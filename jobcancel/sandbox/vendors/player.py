"""Plays any vendor from its declaration: checks the key, finds the job, answers."""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobcancel.models import JobState
from jobcancel.sandbox.answers import Exchange, gone
from jobcancel.sandbox.checks import parse_json
from jobcancel.sandbox.jobs import DAY, SandboxJob
from jobcancel.sandbox.keys import KEYS, tenant_of
from jobcancel.sandbox.vendors.declaration import (
    Answer,
    KeyStatus,
    Listing,
    RejectedSubmission,
    Submission,
    Vendor,
    fill,
)
from jobcancel.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from jobcancel.sandbox.faults import On
    from jobcancel.sandbox.quota import Allowance
    from jobcancel.sandbox.vendors.declaration import Address

    Endpoint = Callable[[Request], Awaitable[Response]]

_LIMIT = re.compile(r"[0-9]{1,3}")


class Player:
    """The endpoints of declared vendors over the sandbox's memory.

    Args:
        world: the memory.
        vendors: all kinds of job at one base URL; the first one answers a wrong path.
    """

    def __init__(self, world: World, vendors: Iterable[Vendor]) -> None:
        self._world = world
        self._vendors = tuple(vendors)

    def app(self) -> Starlette:
        """Return the application to mount at the vendor's base path."""
        app = Starlette(
            routes=[route for vendor in self._vendors for route in self._routes(vendor)],
            exception_handlers={HTTPException: self._misrouted, ClientDisconnect: gone},
        )
        app.router.redirect_slashes = False
        return app

    def _routes(self, vendor: Vendor) -> Iterator[Route]:
        for address in vendor.providers.values():
            yield self._about_a_job(vendor, "cancel", address)
        yield self._about_a_job(vendor, "status", vendor.status)
        for each in vendor.submissions:
            yield Route(f"{vendor.base}{each.path}", self._submit(vendor, each), methods=["POST"])
        if (listing := vendor.listing) is not None:
            yield Route(f"{vendor.base}{listing.path}", self._list(vendor, listing))

    def _about_a_job(self, vendor: Vendor, on: On, address: Address) -> Route:
        async def endpoint(request: Request) -> Response:
            job_id = await _job_id(request, address, vendor.id_prefix)
            visit = _Visit(self._world, vendor, request)
            exchange = Exchange(self._world, request, vendor.name, job_id, on)
            if on == "status":
                return await exchange.answer(lambda: visit.answer(lambda: visit.read(job_id)))
            return await exchange.answer(
                lambda: visit.answer(lambda: visit.cancel(job_id), once=True)
            )

        return Route(f"{vendor.base}{address.path}", endpoint, methods=[address.method])

    def _submit(self, vendor: Vendor, submission: Submission) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visit = _Visit(self._world, vendor, request)
            wanted: int | RejectedSubmission
            try:
                wanted = await submission.documents(request)
            except RejectedSubmission as error:
                wanted = error
            return visit.answer(lambda: visit.submit(submission, wanted), once=True)

        return endpoint

    def _list(self, vendor: Vendor, listing: Listing) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visit = _Visit(self._world, vendor, request)
            return visit.answer(lambda: visit.page(listing))

        return endpoint

    async def _misrouted(self, request: Request, error: Exception) -> Response:
        refusal = cast("HTTPException", error)
        vendor = self._vendors[0]
        answer = vendor.routing.get(refusal.status_code, Answer(refusal.status_code))
        values = {"problem": refusal.detail}
        return _Visit(self._world, vendor, request).response(answer, values, refusal.headers)


class _Refused(Exception):
    """The vendor's answer to a request that it does not carry out."""

    def __init__(
        self, answer: Answer, headers: Mapping[str, str] | None = None, **values: object
    ) -> None:
        super().__init__()
        self.answer = answer
        self.headers = headers
        self.values = values


@frozen
class _Visit:
    """One request to one vendor."""

    world: World
    vendor: Vendor
    request: Request

    def answer(self, act: Callable[[], Response], *, once: bool = False) -> Response:
        """Return the answer to the request.

        Args:
            act: carries out the request, if the key and its quota allow it.
            once: whether a request with the same idempotency key gets the first answer.
        """
        with self.world.lock:
            allowance = None
            try:
                self._check_key()
                allowance = self.world.quotas.use(self._key)
                self._check_quota(allowance)
                response = self._once(act) if once else act()
            except _Refused as refused:
                response = self._refusal(refused)
            response.headers.update(self._quota_headers(allowance))
            return response

    @property
    def _key(self) -> str:
        return self.request.headers.get(self.vendor.header, "").rpartition(" ")[2]

    @property
    def _status(self) -> KeyStatus:
        return KEYS[self.vendor.name][self._key]

    def _check_key(self) -> None:
        vendor = self.vendor
        scheme = self.request.headers.get(vendor.header, "").rpartition(" ")[0]
        status = KEYS[vendor.name].get(self._key)
        if status is None or scheme.strip().lower() != vendor.scheme.lower():
            missing = vendor.no_key if not self._key else None
            raise _Refused(missing or vendor.wrong_key)
        if status is KeyStatus.EXPIRED and vendor.expired is not None:
            raise _Refused(vendor.expired)

    def _check_quota(self, allowance: Allowance | None) -> None:
        vendor, sent = self.vendor, self.request
        if allowance is not None and allowance.wait:
            wait = max(1, math.ceil(allowance.wait))
            tells = vendor.tells_wait and not (allowance.daily and vendor.quota_headers)
            raise _Refused(vendor.limit, {"Retry-After": str(wait)} if tells else None, wait=wait)
        lacks_header = any(name not in sent.headers for name in vendor.needs_headers)
        if lacks_header or any(name not in sent.query_params for name in vendor.needs_query):
            raise _Refused(vendor.incomplete)

    def _quota_headers(self, allowance: Allowance | None) -> dict[str, str]:
        if allowance is None or allowance.limit is None:
            return {}
        values = {
            "limit": allowance.limit,
            "remaining": allowance.remaining,
            "reset": self.vendor.time(allowance.reset),
        }
        headers = self.vendor.quota_headers
        return {name: template.format_map(values) for name, template in headers.items()}

    def _once(self, act: Callable[[], Response]) -> Response:
        name = self.request.headers.get(self.vendor.idempotency_header or "")
        if not name:
            return act()
        place, now = (self._key, name), self.world.now()
        until, response = self.world.replays.get(place, (now, None))
        if response is None or until <= now:
            try:
                response = act()
            except _Refused as refused:
                response = self._refusal(refused)
            self.world.replays.pop(place, None)
            self.world.replays[place] = (now + DAY, response)
        return Response(bytes(response.body), response.status_code, dict(response.headers))

    # What the requests do

    def submit(self, submission: Submission, wanted: int | RejectedSubmission) -> Response:
        """Submit a job with so many documents, or answer why it was rejected."""
        if isinstance(wanted, RejectedSubmission):
            raise _Refused(self.vendor.rejected, problem=str(wanted))
        job = self.world.submit(self.vendor.name, key=self._key, documents=wanted)
        return self.about(job, submission.answer)

    def page(self, listing: Listing) -> Response:
        """List the key's jobs from a cursor on."""
        query = self.request.query_params
        limit, word = query.get("limit", str(listing.size)), query.get("status")
        if not _LIMIT.fullmatch(limit) or not 1 <= int(limit) <= listing.largest:
            problem = f"limit must be a number from 1 to {listing.largest}"
            raise _Refused(self.vendor.rejected, problem=problem)
        jobs = [
            job
            for job in self.world.jobs.of(self.vendor.name)
            if job.owner == tenant_of(self._status)
            and word in (None, job.word(self.vendor.words, job.state))
        ]
        start = self._start(query.get("cursor"), [job.job_id for job in jobs])
        page = jobs[start : start + int(limit)]
        more = start + len(page) < len(jobs)
        values = {
            "jobs": [self._shown(job, job.state) for job in page],
            "cursor": urlsafe_b64encode(page[-1].job_id.encode()).decode() if more else None,
            "more": more,
        }
        return JSONResponse(fill(listing.page, values))

    def _start(self, cursor: str | None, ids: list[str]) -> int:
        """Return where the page after `cursor` begins."""
        if cursor is None:
            return 0
        try:
            return ids.index(urlsafe_b64decode(cursor).decode()) + 1
        except ValueError:
            problem = "cursor is not from a page of this list"
            raise _Refused(self.vendor.rejected, problem=problem) from None

    def read(self, job_id: str) -> Response:
        """Show a job."""
        job = self._find(job_id)
        code = self.vendor.codes.get(self._state(job), 200)
        return self.about(job, Answer(code, job=True))

    def cancel(self, job_id: str) -> Response:
        """Cancel a job, as far as the vendor does in the job's state."""
        vendor, jobs = self.vendor, self.world.jobs
        if vendor.denied is not None and self._status is KeyStatus.LIMITED:
            raise _Refused(vendor.denied, id=job_id)
        job = self._find(job_id)
        answer = vendor.cancels[job.state]
        if vendor.deletes_finished and job.state.final:
            jobs.remove(job)
        # A second cancel does not postpone the end that the first one set.
        if answer.stops and job.forced_ending is None and not job.state.final:
            jobs.end(job, job.on_cancel.ends_as, after=job.on_cancel.after)
            job = cast("SandboxJob", jobs.find(vendor.name, job.job_id))
        return self.about(job, answer)

    def _find(self, job_id: str) -> SandboxJob:
        vendor = self.vendor
        job = self.world.jobs.find(vendor.name, job_id)
        if job is None or (vendor.hides_cancelled and job.state is JobState.CANCELLED):
            known = re.fullmatch(vendor.id_form, job_id, re.DOTALL)
            raise _Refused(vendor.unknown if known else vendor.malformed, id=job_id)
        if job.owner != tenant_of(self._status):
            raise _Refused(vendor.foreign, id=job_id)
        return job

    # What the answers look like

    def about(self, job: SandboxJob, answer: Answer) -> Response:
        """Return an answer about a job."""
        state = answer.shows or self._state(job)
        if answer.job:
            return JSONResponse(self._shown(job, state), answer.status)
        return self.response(answer, self._values(job, state))

    def response(
        self,
        answer: Answer,
        values: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return an answer with its placeholders replaced."""
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        state = self.request.state
        about_request = {
            "request_id": state.request_id,
            "now": self.vendor.time(state.received_at),
            "path": state.vendor_path,
        }
        body = fill(answer.body, {**about_request, **values})
        return JSONResponse(body, answer.status, headers)

    def _refusal(self, refused: _Refused) -> Response:
        return self.response(refused.answer, refused.values, refused.headers)

    def _state(self, job: SandboxJob) -> JobState:
        """Return the job's state; `cancelling` if it was cancelled and has not ended."""
        stopping = job.forced_ending is not None and not job.state.final
        shown = stopping and JobState.CANCELLING in self.vendor.words
        return JobState.CANCELLING if shown else job.state

    def _shown(self, job: SandboxJob, state: JobState) -> object:
        template = {**self.vendor.job, **self.vendor.extra.get(state, {})}
        return fill(template, self._values(job, state))

    def _values(self, job: SandboxJob, state: JobState) -> dict[str, object]:
        vendor = self.vendor
        numbered = "path" not in (vendor.cancel.where, vendor.status.where)
        return {
            "id": int(job.job_id) if numbered else job.job_id,
            "word": job.word(vendor.words, state),
            "created": vendor.time(job.created),
            "started": vendor.time(job.started) if job.started <= job.changed else None,
            "changed": vendor.time(job.changed),
            "ended": vendor.time(job.ending.at) if job.state.final else None,
            "done": job.done,
            "documents": job.documents,
        }


async def _job_id(request: Request, address: Address, prefix: str) -> str:
    """Return the id that a request names; an empty one if it names none."""
    if address.where == "path":
        return prefix + unquote(request.path_params["job_id"])
    if address.where == "query":
        return request.query_params.get(address.name, "")
    try:
        body = parse_json(await request.body())
    except ValueError:
        return ""
    value: Any = body.get(address.name) if isinstance(body, dict) else None
    # A vendor whose ids are numbers does not accept a number in a string.
    return str(value) if type(value) is int else ""
