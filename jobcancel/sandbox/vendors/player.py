"""Plays any vendor from its declaration: who asks, about which job, and what is answered."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobcancel.models import JobState
from jobcancel.sandbox.answers import Exchange, gone, parse_json
from jobcancel.sandbox.keys import KEYS, Key, Standing
from jobcancel.sandbox.vendors.declaration import fill

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from jobcancel.sandbox.faults import On
    from jobcancel.sandbox.jobs import SandboxJob
    from jobcancel.sandbox.vendors.declaration import Address, Answer, Vendor
    from jobcancel.sandbox.world import World


class Refused(Exception):
    """An answer before any job is looked at."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Declared:
    """The endpoints of declared vendors over the sandbox's memory.

    Args:
        world: the memory.
        vendors: all kinds of job that are at one base URL.
    """

    def __init__(self, world: World, vendors: Iterable[Vendor]) -> None:
        self._world = world
        self._vendors = tuple(vendors)

    def app(self) -> Starlette:
        """Return the application to mount at the vendor's base path."""
        routes = []
        for vendor in self._vendors:
            requests: tuple[tuple[On, Address], ...] = (
                ("cancel", vendor.cancel),
                ("status", vendor.status),
            )
            for on, address in requests:
                path = f"{vendor.base}{address.path}"
                routes.append(
                    Route(path, self._endpoint(vendor, on, address), methods=[address.method])
                )
        app = Starlette(routes=routes, exception_handlers={ClientDisconnect: gone})
        app.router.redirect_slashes = False
        return app

    def _endpoint(
        self, vendor: Vendor, on: On, address: Address
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            job_id = await _job_id(request, address, vendor.id_prefix)
            exchange = Exchange(self._world, request, vendor.name, job_id, on)
            return await exchange.answer(lambda: self._reply(request, vendor, job_id, on))

        return answer

    def _reply(self, request: Request, vendor: Vendor, job_id: str, on: On) -> Response:
        try:
            key = self._admit(request, vendor)
        except Refused as refused:
            return refused.response
        if on == "cancel" and vendor.denied is not None and key.standing is Standing.LIMITED:
            return _response(vendor.denied, {"id": job_id})
        job = self._world.jobs.find(vendor.name, job_id)
        if job is None or (vendor.hides_cancelled and job.state is JobState.CANCELLED):
            known = re.fullmatch(vendor.id_form, job_id, re.DOTALL)
            return _response(vendor.unknown if known else vendor.malformed, {"id": job_id})
        if job.owner != key.tenant:
            return _response(vendor.foreign, {"id": job_id})
        return self._stop(vendor, job) if on == "cancel" else self._read(vendor, job)

    def _admit(self, request: Request, vendor: Vendor) -> Key:
        scheme, _, sent = f" {request.headers.get(vendor.header, '')}".rpartition(" ")
        key = KEYS[vendor.name].get(sent)
        if key is None or scheme.strip().lower() != vendor.scheme.lower():
            raise Refused(_response(vendor.wrong_key, {}))
        allowance = self._world.quotas.use(sent)
        if allowance is not None and allowance.wait:
            wait = max(1, math.ceil(allowance.wait))
            response = _response(vendor.limit, {"wait": wait})
            if vendor.tells_wait:
                response.headers["retry-after"] = str(wait)
            raise Refused(response)
        lacks_header = any(name not in request.headers for name in vendor.needs_headers)
        if lacks_header or any(name not in request.query_params for name in vendor.needs_query):
            raise Refused(_response(vendor.incomplete, {}))
        return key

    def _read(self, vendor: Vendor, job: SandboxJob) -> Response:
        state = _state(vendor, job)
        return JSONResponse(_shown(vendor, job, state), vendor.codes.get(state, 200))

    def _stop(self, vendor: Vendor, job: SandboxJob) -> Response:
        answer = vendor.cancels[job.state]
        if vendor.deletes_finished and job.state.final:
            self._world.jobs.remove(job)
        # A second cancel does not put off the end that the first one set.
        if answer.stops and job.cut is None and not job.state.final:
            policy = job.on_cancel
            self._world.jobs.end(job, policy.ends_as, after=policy.after)
            job = cast("SandboxJob", self._world.jobs.find(vendor.name, job.job_id))
        state = answer.shows or _state(vendor, job)
        if answer.job:
            return JSONResponse(_shown(vendor, job, state), answer.status)
        return _response(answer, _values(vendor, job, state))


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
    value = body.get(address.name) if isinstance(body, dict) else None
    # A number in a text is none to a vendor that has numbers.
    return str(value) if type(value) is int else ""


def _state(vendor: Vendor, job: SandboxJob) -> JobState:
    """Return the job's state; one that was told to stop and has not yet is cancelling."""
    stopping = job.cut is not None and not job.state.final
    return JobState.CANCELLING if stopping and JobState.CANCELLING in vendor.words else job.state


def _shown(vendor: Vendor, job: SandboxJob, state: JobState) -> object:
    template = {**vendor.job, **vendor.extra.get(state, {})}
    return fill(template, _values(vendor, job, state))


def _values(vendor: Vendor, job: SandboxJob, state: JobState) -> dict[str, object]:
    numbered = "path" not in (vendor.cancel.where, vendor.status.where)
    return {
        "id": int(job.job_id) if numbered else job.job_id,
        "word": vendor.words[state],
        "created": datetime.fromtimestamp(job.created, UTC).isoformat(timespec="seconds"),
        "done": job.done,
        "documents": job.documents,
    }


def _response(answer: Answer, values: Mapping[str, Any]) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status)
    return JSONResponse(fill(answer.body, values), answer.status)
