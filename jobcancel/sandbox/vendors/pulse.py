"""Pulse as its documentation describes it: submit, status, cancel, and the older cancel."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobcancel.models import JobState
from jobcancel.sandbox.answers import Exchange, gone, is_json, parse_json
from jobcancel.sandbox.keys import KEYS, Key, Standing
from jobcancel.sandbox.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobcancel.sandbox.jobs import SandboxJob
    from jobcancel.sandbox.world import World

_TRUE = frozenset({"true", "1"})


class PulseError(Exception):
    """An answer in Pulse's error envelope."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self._status = status
        self._error = {"code": code, "message": message}
        self._headers = headers

    def response(self) -> Response:
        """Return the answer."""
        return JSONResponse({"error": self._error}, self._status, self._headers)


_STANDING = {
    Standing.EXPIRED: (401, "AUTH_003", "API key has expired"),
    Standing.LIMITED: (403, "AUTH_004", "API key lacks the permission"),
}


class Pulse:
    """Pulse's endpoints over the sandbox's memory.

    Args:
        world: the memory.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def app(self) -> Starlette:
        """Return the application to mount at Pulse's base path."""
        app = Starlette(
            routes=[
                Route("/extract", self._extract, methods=["POST"]),
                Route("/extract_async", self._extract_async, methods=["POST"]),
                Route("/job/{job_id}", self._job, methods=["GET", "DELETE"]),
                Route("/cancel/{job_id}", self._legacy_cancel, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _refused, ClientDisconnect: gone},
        )
        app.router.redirect_slashes = False
        return app

    async def _job(self, request: Request) -> Response:
        job_id = unquote(request.path_params["job_id"])
        if request.method == "DELETE":
            return await self._cancel(request, job_id)
        exchange = Exchange(self._world, request, "pulse", job_id, "status")
        return await exchange.answer(lambda: _guarded(lambda: self._read(request, job_id)))

    async def _legacy_cancel(self, request: Request) -> Response:
        return await self._cancel(request, unquote(request.path_params["job_id"]))

    async def _cancel(self, request: Request, job_id: str) -> Response:
        exchange = Exchange(self._world, request, "pulse", job_id, "cancel")
        return await exchange.answer(lambda: _guarded(lambda: self._stop(request, job_id)))

    async def _extract(self, request: Request) -> Response:
        problem = await _problem(request)
        return _guarded(lambda: self._submit(request, problem))

    async def _extract_async(self, request: Request) -> Response:
        return _guarded(lambda: self._submit(request))

    def _submit(self, request: Request, problem: str | None = None) -> Response:
        with self._world.lock:
            self._admit(request)
        if problem is not None:
            raise PulseError(400, "GENERAL_003", problem)
        job = self._world.submit("pulse", key=request.headers["x-api-key"])
        return JSONResponse(
            {"job_id": job.job_id, "status": "pending", "message": "Job accepted for processing"}
        )

    def _read(self, request: Request, job_id: str) -> Response:
        return JSONResponse(_body(self._find(request, job_id)))

    def _stop(self, request: Request, job_id: str) -> Response:
        job = self._find(request, job_id)
        if job.state.final:
            raise PulseError(500, "JOB_002", "Job could not be cancelled")
        self._world.jobs.end(job, job.on_cancel.ends_as, after=job.on_cancel.after)
        return JSONResponse({"job_id": job_id, "message": "Job cancelled successfully"})

    def _find(self, request: Request, job_id: str) -> SandboxJob:
        key = self._admit(request)
        job = self._world.jobs.find("pulse", job_id)
        if job is None:
            raise PulseError(404, "JOB_001", "Job not found")
        if job.owner != key.tenant:
            raise PulseError(403, "AUTH_004", "You do not have access to this job")
        return job

    def _admit(self, request: Request) -> Key:
        sent = request.headers.get("x-api-key")
        if not sent:
            raise PulseError(401, "AUTH_001", "API key is missing")
        key = KEYS["pulse"].get(sent)
        if key is None:
            raise PulseError(401, "AUTH_002", "API key is invalid")
        if key.standing in _STANDING:
            raise PulseError(*_STANDING[key.standing])
        allowance = self._world.quotas.use(sent)
        if allowance is not None and allowance.wait:
            headers = {"Retry-After": str(max(1, math.ceil(allowance.wait)))}
            raise PulseError(429, "GENERAL_004", "Rate limit exceeded", headers)
        return key


def _guarded(act: Callable[[], Response]) -> Response:
    try:
        return act()
    except PulseError as error:
        return error.response()


async def _refused(_: Request, error: Exception) -> Response:
    refusal = cast("HTTPException", error)
    return PulseError(
        refusal.status_code, "GENERAL_002", refusal.detail, refusal.headers
    ).response()


async def _problem(request: Request) -> str | None:
    """Return why the submission, in whichever format it comes, is not one for an async job."""
    if is_json(request):
        try:
            sent = parse_json(await request.body())
        except ValueError:
            return "The body is not valid JSON"
        asynchronous = isinstance(sent, dict) and sent.get("async") is True
    else:
        async with request.form() as form:
            value = form.get("async", "")
        asynchronous = not isinstance(value, UploadFile) and value.lower() in _TRUE
    return None if asynchronous else "The sandbox runs async jobs only: send async=true"


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")


def _body(job: SandboxJob) -> dict[str, object]:
    body: dict[str, object] = {
        "job_id": job.job_id,
        "status": job.word(WORDS["pulse"]),
        "created_at": _iso(job.created),
        "updated_at": _iso(job.changed),
    }
    extra: dict[JobState, dict[str, object]] = {
        JobState.SUCCEEDED: {"result": {"markdown": "# Sandbox document", "page_count": 1}},
        JobState.FAILED: {"error": "The document could not be read"},
    }
    return {**body, **extra.get(job.state, {})}
