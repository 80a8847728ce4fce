"""Talonic as its documentation describes it: submit, list, status, results and cancel.

How its replies look is in `talonic_bodies`.
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobcancel.sandbox.answers import Exchange, gone, parse_json
from jobcancel.sandbox.jobs import DAY, SandboxJob
from jobcancel.sandbox.keys import KEYS, Key, Standing
from jobcancel.sandbox.vendors.declaration import UUID
from jobcancel.sandbox.vendors.talonic_bodies import (
    TalonicError,
    iso,
    job_body,
    links,
    results_body,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobcancel.sandbox.quota import Allowance
    from jobcancel.sandbox.world import World

_DIGITS = re.compile(r"[0-9]{1,3}")
_MOST = 100
"""Most jobs on one page of the list."""


class Talonic:
    """Talonic's endpoints over the sandbox's memory.

    Args:
        world: the memory.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def app(self) -> Starlette:
        """Return the application to mount at Talonic's base path."""
        app = Starlette(
            routes=[
                Route("/v1/jobs", self._jobs, methods=["GET", "POST"]),
                Route("/v1/jobs/{job_id}", self._status, methods=["GET"]),
                Route("/v1/jobs/{job_id}/results", self._results, methods=["GET"]),
                Route("/v1/jobs/{job_id}/cancel", self._cancel, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _refused, ClientDisconnect: gone},
        )
        app.router.redirect_slashes = False
        return app

    async def _jobs(self, request: Request) -> Response:
        if request.method == "POST":
            body = await request.body()
            return self._reply(request, lambda _: self._submit(request, body), once=True)
        return self._reply(request, lambda key: self._list(request, key))

    async def _status(self, request: Request) -> Response:
        def act(key: Key) -> Response:
            return JSONResponse(job_body(self._find(request, key)))

        exchange = Exchange(self._world, request, "talonic", _job_id(request), "status")
        return await exchange.answer(lambda: self._reply(request, act))

    async def _results(self, request: Request) -> Response:
        return self._reply(
            request, lambda key: JSONResponse(results_body(self._find(request, key)))
        )

    async def _cancel(self, request: Request) -> Response:
        exchange = Exchange(self._world, request, "talonic", _job_id(request), "cancel")
        return await exchange.answer(
            lambda: self._reply(request, lambda key: self._stop(request, key), once=True)
        )

    def _reply(
        self, request: Request, act: Callable[[Key], Response], *, once: bool = False
    ) -> Response:
        """Return what `act` answers to a request that is let in; replay it if asked to."""
        with self._world.lock:
            quota_headers: Mapping[str, str] = {}
            try:
                sent, key = _admit(request)
                allowance = self._world.quotas.use(sent)
                quota_headers = _quota_headers(allowance)
                if allowance is not None and allowance.wait:
                    raise _rate_limited(allowance)
                response = self._once(request, sent, act, key) if once else act(key)
            except TalonicError as error:
                response = error.response(request)
            response.headers.update(quota_headers)
            return response

    def _once(
        self, request: Request, sent: str, act: Callable[[Key], Response], key: Key
    ) -> Response:
        name = request.headers.get("idempotency-key")
        if not name:
            return act(key)
        now = self._world.now()
        until, response = self._world.replays.get((sent, name), (now, None))
        if response is None or until <= now:
            try:
                response = act(key)
            except TalonicError as error:
                response = error.response(request)
            self._world.replays.pop((sent, name), None)
            self._world.replays[sent, name] = (now + DAY, response)
        return Response(bytes(response.body), response.status_code, dict(response.headers))

    def _submit(self, request: Request, body: bytes) -> Response:
        try:
            wanted = parse_json(body)
        except ValueError:
            raise TalonicError(400, "The body must be JSON") from None
        if not isinstance(wanted, dict) or not isinstance(wanted.get("schema_id"), str):
            raise TalonicError(400, "schema_id is required and must be a string")
        documents = wanted.get("document_ids", [])
        if not isinstance(documents, list):
            raise TalonicError(400, "document_ids must be a list")
        sent, _ = _admit(request)
        job = self._world.submit("talonic", key=sent, documents=len(documents))
        return JSONResponse(
            {
                "id": job.job_id,
                "status": "pending",
                "message": "Job created",
                "links": links(job),
            },
            status_code=201,
        )

    def _list(self, request: Request, key: Key) -> Response:
        limit = _limit(request.query_params.get("limit", "20"))
        status = request.query_params.get("status")
        jobs = [
            job
            for job in self._world.jobs.of("talonic")
            if job.owner == key.tenant and status in (None, word(job))
        ]
        ids = [job.job_id for job in jobs]
        start = _after(request.query_params.get("cursor"), ids)
        page = jobs[start : start + limit]
        more = start + limit < len(jobs)
        cursor = urlsafe_b64encode(page[-1].job_id.encode()).decode() if more else None
        return JSONResponse(
            {
                "data": [job_body(job) for job in page],
                "pagination": {"next_cursor": cursor, "has_more": more},
            }
        )

    def _stop(self, request: Request, key: Key) -> Response:
        if key.standing is Standing.LIMITED:
            raise TalonicError(403, "The API key lacks the scope jobs:write")
        job = self._find(request, key)
        if job.state.final:
            raise TalonicError(409, "The job has ended and cannot be cancelled")
        policy = job.on_cancel
        self._world.jobs.end(job, policy.ends_as, after=policy.after)
        return JSONResponse(job_body(self._find(request, key)))

    def _find(self, request: Request, key: Key) -> SandboxJob:
        job_id = _job_id(request)
        if not re.fullmatch(UUID, job_id):
            raise TalonicError(400, "The job id must be a UUID")
        job = self._world.jobs.find("talonic", job_id.lower())
        if job is None or job.owner != key.tenant:
            raise TalonicError(404, "There is no such job in your organisation")
        return job


def _job_id(request: Request) -> str:
    return unquote(request.path_params["job_id"])


def _admit(request: Request) -> tuple[str, Key]:
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    key = KEYS["talonic"].get(sent.strip())
    if scheme.lower() != "bearer" or key is None:
        raise TalonicError(401, "The API key is missing or not valid")
    return sent.strip(), key


def _rate_limited(allowance: Allowance) -> TalonicError:
    """Refuse: for a spent day the vendor sends no Retry-After, only the time of the reset."""
    wait = {} if allowance.daily else {"Retry-After": str(max(1, math.ceil(allowance.wait)))}
    return TalonicError(429, "Too many requests", wait)


def _quota_headers(allowance: Allowance | None) -> dict[str, str]:
    if allowance is None or allowance.limit is None:
        return {}
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": iso(allowance.reset),
    }


def _limit(sent: str) -> int:
    if not _DIGITS.fullmatch(sent) or not 1 <= int(sent) <= _MOST:
        raise TalonicError(400, f"limit must be a number from 1 to {_MOST}")
    return int(sent)


def _after(cursor: str | None, ids: list[str]) -> int:
    """Return where the page after `cursor` begins."""
    if cursor is None:
        return 0
    try:
        return ids.index(urlsafe_b64decode(cursor).decode()) + 1
    except ValueError:
        raise TalonicError(400, "cursor is not one that this list gave") from None


async def _refused(request: Request, error: Exception) -> Response:
    refusal = cast("HTTPException", error)
    return TalonicError(refusal.status_code, refusal.detail, refusal.headers).response(request)
