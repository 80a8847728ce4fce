"""The sandbox's overview page, and its control over HTTP for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState
from jobcancel.sandbox.answers import gone
from jobcancel.sandbox.checks import is_json, is_number, is_whole, parse_json
from jobcancel.sandbox.faults import Fault
from jobcancel.sandbox.keys import KEYS
from jobcancel.sandbox.page import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobcancel.sandbox.jobs import SandboxJob
    from jobcancel.sandbox.world import World

_NOT_FOUND = "Not found. Each vendor has a path, such as /pulse; the overview is at /.\n"


_ENDINGS = tuple(state for state in JobState if state.final)


def _is_times(value: object) -> bool:
    return value is None or (is_whole(value) and value >= 1)


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "provider": (lambda value: isinstance(value, str), "a string"),
    "job_id": (lambda value: isinstance(value, str), "a string"),
    "on": (lambda value: isinstance(value, str), "a string"),
    "times": (_is_times, "a whole number, 1 or more, or null for all"),
    "status": (lambda value: value is None or is_whole(value), "a whole number, or null"),
    "body": (lambda value: isinstance(value, str | dict | None), "a string, an object or null"),
    "headers": (_is_headers, "an object of strings"),
    "apply": (lambda value: isinstance(value, bool), "true or false"),
    "drop": (lambda value: isinstance(value, bool), "true or false"),
    "finish": (lambda value: value in (None, *_ENDINGS), f"{', '.join(_ENDINGS)} or null"),
    "finish_after": (lambda value: value in (None, *_ENDINGS), f"{', '.join(_ENDINGS)} or null"),
    "stall": (is_number, "seconds"),
}
"""Field of a fault in JSON -> the check of its value, and what is expected."""

_JOB_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "provider": _CHECKS["provider"],
    "job_id": _CHECKS["job_id"],
    "pending": (is_number, "seconds"),
    "running": (is_number, "seconds"),
    "ends_as": (lambda value: isinstance(value, str), "a string"),
    "key": (lambda value: isinstance(value, str), "a string"),
}
"""The same for a job."""

_PLACE = ("provider", "job_id")
_STATES = ("finish", "finish_after")
_NOT_OF_THE_FAULT = (*_PLACE, "on", "times")


class Control:
    """The overview page and the paths under `/_sandbox`.

    Args:
        world: the sandbox's memory.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def app(self) -> Starlette:
        """Return the application to mount at `/`, after the vendors."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/_sandbox/faults", self._fault, methods=["POST"]),
                Route("/_sandbox/reset", self._reset, methods=["POST"]),
                Route("/_sandbox/jobs", self._submit, methods=["POST"]),
                Route("/_sandbox/jobs", self._jobs),
                Route("/_sandbox/requests", self._requests),
            ],
            exception_handlers={HTTPException: _not_found, ClientDisconnect: gone},
        )

    async def _page(self, request: Request) -> Response:
        with self._world.lock:
            return HTMLResponse(render(self._world, str(request.base_url).rstrip("/")))

    async def _submit(self, request: Request) -> Response:
        if not is_json(request):
            return _NOT_JSON
        try:
            sent = _checked(await request.body(), _JOB_CHECKS, required=("provider",))
            job = self._world.submit(**sent)
        except ConfigurationError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"provider": job.provider, "job_id": job.job_id}, status_code=201)

    async def _fault(self, request: Request) -> Response:
        if not is_json(request):
            return _NOT_JSON
        try:
            sent = _checked(await request.body(), _CHECKS, required=_PLACE)
            made: dict[str, Any] = {
                name: JobState(value) if name in _STATES and value is not None else value
                for name, value in sent.items()
                if name not in _NOT_OF_THE_FAULT
            }
            self._world.inject_fault(
                sent["provider"],
                sent["job_id"],
                Fault(**made),
                on=sent.get("on", "cancel"),
                times=sent.get("times", 1),
            )
        except ConfigurationError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return Response(status_code=204)

    async def _reset(self, _: Request) -> Response:
        self._world.reset()
        return Response(status_code=303, headers={"location": "/"})

    async def _jobs(self, _: Request) -> Response:
        with self._world.lock:
            jobs = [_job(job) for provider in KEYS for job in self._world.jobs.of(provider)]
        return JSONResponse({"jobs": jobs})

    async def _requests(self, _: Request) -> Response:
        with self._world.lock:
            received = self._world.journal.entries()
        return JSONResponse({"requests": [entry.to_dict() for entry in received]})


_NOT_JSON = JSONResponse({"error": "the content-type must be application/json"}, 415)


def _checked(
    body: bytes,
    checks: Mapping[str, tuple[Callable[[object], bool], str]],
    required: tuple[str, ...],
) -> dict[str, Any]:
    try:
        sent = parse_json(body)
    except ValueError:
        raise ConfigurationError("the body must be JSON") from None
    if not isinstance(sent, dict):
        raise ConfigurationError("the body must be a JSON object")
    for name in required:
        if name not in sent:
            raise ConfigurationError(f"{name} is required")
    for name, value in sent.items():
        if name not in checks:
            raise ConfigurationError(f"no field {name!r}: expected one of {', '.join(checks)}")
        fits, expected = checks[name]
        if not fits(value):
            raise ConfigurationError(f"{name} must be {expected}")
    return sent


def _job(job: SandboxJob) -> dict[str, object]:
    return {
        "provider": job.provider,
        "job_id": job.job_id,
        "state": job.state,
        "created": job.created,
        "seeded": job.seeded,
    }


async def _not_found(_: Request, error: Exception) -> Response:
    return PlainTextResponse(_NOT_FOUND, cast("HTTPException", error).status_code)
