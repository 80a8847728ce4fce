"""A mistake in an `HttpAdapter` raises when it is constructed; the message names the field."""

from __future__ import annotations

import re
from typing import Any

import pytest
from attrs import evolve

from jobcancel import ConfigurationError, HttpAdapter, JobState, Outcome
from jobcancel.adapter import ANY, Credential, Override, Param, Route
from jobcancel.models import Job
from tests.hand import reply

VALID = HttpAdapter(
    name="acme",
    title="Acme",
    docs="docs.acme.example",
    default_url="https://{region}.acme.example",
    key_env="ACME_API_KEY",
    url_env="ACME_BASE_URL",
    headers={"acme-version": "2"},
    params={"region": "where it runs", "project": Param("whose it is", optional=True)},
    cancel=Route("PUT", "/v1/jobs/{id}/stop", query={"project": "{project}"}),
    status=Route("GET", "/v1/jobs/{id}"),
    idempotency_header="idempotency-key",
    success={"result": "stopped"},
    empty_body_statuses=frozenset({204}),
    verdict="verdict",
    verdicts={"too late": Outcome.ALREADY_TERMINAL, True: Outcome.CANCELLED},
    replies={404: Outcome.NOT_FOUND, (409, "over"): Outcome.ALREADY_TERMINAL, "x": Outcome.INVALID},
    states={"running": JobState.RUNNING},
    overrides=(Override(where={"status": "stopped"}, state=JobState.CANCELLED),),
    progress=("done", "total"),
    id_pattern="[a-z]+",
)


def env_param(name: str) -> dict[str, Any]:
    return {**VALID.params, "project": Param("whose it is", optional=True, env=name)}


NOT_STOPPED = {"id": "a", "verdict": False}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"name": "Acme Inc"}, "name: must be lower-case words"),
    ({"title": " "}, "title: must not be empty"),
    ({"family": ""}, "family: must not be empty"),
    ({"key_env": "ACME-KEY"}, "key_env: 'ACME-KEY' is not a valid"),
    ({"url_env": "ACME_API_KEY"}, "url_env: must not be a variable of the API key"),
    ({"other_key_envs": ("a b",)}, "other_key_envs: 'a b' is not a valid"),
    ({"other_url_envs": {"a b": ""}}, "other_url_envs: 'a b' is not a valid"),
    ({"other_url_envs": ("ACME_URL",)}, "other_url_envs: must be a mapping of variables"),
    ({"other_url_envs": {"ACME_URL": None}}, "other_url_envs: must be a mapping of variables"),
    ({"other_url_envs": {"ACME_API_KEY": ""}}, "other_url_envs: must not contain"),
    ({"other_url_envs": {"ACME_BASE_URL": ""}}, "other_url_envs: must not contain"),
    ({"other_url_envs": {"ACME_URL": "/v2"}}, "other_url_envs: the routes do not begin with '/v2'"),
    ({"params": env_param("a b")}, "params: 'project': 'a b' is not a valid name"),
    ({"params": env_param("")}, "params: 'project': '' is not a valid name"),
    ({"params": env_param("ACME_API_KEY")}, "params: 'project' uses a variable of the API key"),
    ({"params": env_param("ACME_BASE_URL")}, "params: 'project' uses a variable of the API key"),
    (
        {"params": {**VALID.params, "region": Param("r", env="ACME_REGION")}},
        "params: 'region' is part of the host and must not have a variable",
    ),
    (
        {"params": env_param("ACME_FORCE"), "destroys_finished": True, "force_param": "project"},
        "params: 'project' is the force_param and must not have a variable",
    ),
    ({"default_url": "acme.example"}, "default_url: 'acme.example' is not a base URL"),
    ({"default_url": "https://{zone}.acme.example"}, "default_url: {zone} is not one of params"),
    ({"default_url": "https://{.acme.example"}, "default_url: .*brace"),
    ({"params": {"region": "r", "project": "p", "id": "the id"}}, "params: 'id' is reserved"),
    ({"params": {"region": "", "project": "p"}}, "params: 'region' needs a description"),
    ({"params": {"region": "r", "project": "p", "z": "z"}}, "params: 'z' is not used in any path"),
    ({"cancel": "/jobs/{id}"}, "cancel: must be a Route"),
    ({"cancel": None}, "cancel: must be a Route"),
    ({"cancel": Route("delete", "/{id}", {"p": "{project}"})}, "cancel: the method 'delete'"),
    ({"cancel": Route("PUT", "{id}", {"p": "{project}"})}, "cancel: the path '{id}' must begin"),
    ({"cancel": Route("PUT", "/../{id}", {"p": "{project}"})}, "cancel: the path '/../{id}'"),
    ({"cancel": Route("PUT", "/{id}?p={project}")}, "cancel: the path .* contain a query"),
    ({"cancel": Route("PUT", "/{job}", {"p": "{project}"})}, "cancel: {job} is neither {id} nor"),
    ({"cancel": Route("PUT", "/jobs", {"p": "{project}"})}, "cancel: the placeholder {id} is"),
    ({"cancel": Route("PUT", "/{project}/{id}")}, "cancel: 'project' is optional"),
    ({"status": "/jobs/{id}"}, "status: must be a Route"),
    ({"status": Route("GET", "/jobs")}, "status: the placeholder {id} is missing"),
    ({"credential": Credential(header="X-Key")}, "credential: 'X-Key' is not a header name"),
    ({"headers": {"host": "x"}}, "headers: 'host' is set by jobcancel itself"),
    ({"headers": {"authorization": "x"}}, "headers: two rules for 'authorization'"),
    ({"headers": {"idempotency-key": "x"}}, "headers: two rules for 'idempotency-key'"),
    ({"headers": {"v": "a\nb"}}, "headers: the value of 'v' is not printable ASCII"),
    ({"headers": {"v": 5}}, "headers: the value of 'v' must be a string, not 5"),
    ({"headers": {"v": "{a"}}, "headers: '{a' has an unmatched brace"),
    ({"receipt_only": "no"}, "receipt_only: must be True or False"),
    ({"confirm_success": 1}, "confirm_success: must be True or False"),
    ({"gone_after_cancel": "yes"}, "gone_after_cancel: must be True or False"),
    ({"gone_after_cancel": True, "status": None}, "gone_after_cancel: needs a status route"),
    ({"empty_error_statuses": [404]}, "empty_error_statuses: must be a frozenset"),
    (
        {"params": {"region": Param("r", hosts=["a.example"]), "project": "p"}},  # type: ignore[arg-type]
        "params: hosts of 'region' must be a tuple",
    ),
    (
        {"empty_error_statuses": frozenset({500})},
        "empty_error_statuses: 500 is not the status code of a refusal",
    ),
    ({"confirm_success": True, "status": None}, "confirm_success: needs a status route"),
    ({"receipt_only": True, "status": None}, "receipt_only: needs a status route"),
    ({"any_body_statuses": frozenset({202})}, "any_body_statuses: needs accepted="),
    ({"params": {**VALID.params, "project": Param("p", pattern="(")}}, "params: the pattern of 'p"),
    ({"params": {**VALID.params, "project": Param("p", pattern=5)}}, "params: the pattern of 'p"),  # type: ignore[arg-type]
    (
        {"params": {**VALID.params, "project": Param("p", default="A", pattern="[a-z]+")}},
        "params: the default of 'project' does not match its pattern",
    ),
    ({"headers": {"v": "{nobody}"}}, "headers: {nobody} in 'v' is not one of params"),
    ({"headers": {"v": "{id}"}}, "headers: {id} in 'v' is not one of params"),
    ({"idempotency_header": "a b"}, "idempotency_header: 'a b' is not a header name"),
    ({"replies": {202: Outcome.CANCELLED}}, "replies: 202 is not an error"),
    ({"replies": {404: None}}, "replies: 404 is mapped to"),
    ({"replies": {404: Outcome.UNKNOWN}}, "replies: 404 is mapped to"),
    (
        {"replies": {404: Outcome.CANCELLED}},
        "replies: 404 is an error, which cannot mean cancelled",
    ),
    ({"replies": {429: Outcome.FORBIDDEN}}, "replies: 429 means rate-limited"),
    ({"replies": {503: Outcome.FORBIDDEN}}, "replies: two rules for 503"),
    ({"replies": {"404": Outcome.NOT_FOUND}}, "replies: '404' is a string and so a body code"),
    ({"replies": {("x", 404): Outcome.NOT_FOUND}}, "replies: ('x', 404) is not a pair"),
    ({"credential": "Token"}, "credential: must be a Credential"),
    ({"code": 3}, "code: must be a path"),
    ({"state": ""}, "state: must be a path"),
    ({"retry_statuses": 423}, "retry_statuses: must be a frozenset"),
    ({"empty_body_statuses": [204]}, "empty_body_statuses: must be a frozenset"),
    ({"accepted": JobState.CANCELLING}, "accepted: must be Outcome.CANCELLED"),
    (
        {"retry_statuses": frozenset({200})},
        "retry_statuses: 200 is not the status code",
    ),
    ({"verdicts": {}}, "verdicts: is missing"),
    ({"verdict": None}, "verdict: is missing"),
    ({"verdicts": {"a": "b"}}, "verdicts: 'a' is mapped to 'b'"),
    ({"verdict": "status", "verdicts": {"running": Outcome.INVALID}}, "verdicts: two rules for 'r"),
    ({"accepted": Outcome.NOT_FOUND}, "accepted: must be Outcome.CANCELLED"),
    ({"success": {"a": 1}}, "success: the value of 'a' must be"),
    ({"empty_body_statuses": frozenset({404})}, "empty_body_statuses: 404 is not"),
    ({"any_body_statuses": frozenset({404})}, "any_body_statuses: 404 is not"),
    ({"empty_error_statuses": frozenset({500})}, "empty_error_statuses: 500 is not"),
    ({"any_body_statuses": [200]}, "any_body_statuses: must be a frozenset"),
    ({"states": {"running": None}}, "states: 'running' is mapped to"),
    ({"states": {"running": JobState.UNKNOWN}}, "states: 'running' is mapped to"),
    ({"states": {}, "overrides": ()}, "states: must not be empty"),
    ({"overrides": (Override(where={}, state=JobState.FAILED),)}, "overrides: where must not be"),
    ({"overrides": VALID.overrides * 2}, "overrides: two rules for the same words"),
    ({"status": None, "destroys_finished": True}, "destroys_finished: needs a status route"),
    ({"force_param": "force"}, "force_param: must be one of params"),
    ({"force_param": "region"}, "force_param: must be one of params, and optional"),
    ({"force_param": "project"}, "force_param: needs destroys_finished"),
    ({"poll_interval": 0}, "poll_interval: must be a number of seconds from 0.1 to 3600"),
    ({"poll_interval": True}, "poll_interval: must be a number"),
    ({"not_found_grace": "5"}, "not_found_grace: must be a number of seconds from 0 to 3600"),
    ({"not_found_grace": 3601}, "not_found_grace: must be a number"),
    ({"progress": ("a",)}, "progress: must be two paths"),
    ({"id_pattern": "("}, "id_pattern: is not a valid regular expression"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_a_mistake_is_reported_with_its_field(mistake: dict[str, Any], message: str) -> None:
    escaped = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises(ConfigurationError, match=f"HttpAdapter '.*': (.*; )?{escaped}"):
        evolve(VALID, **mistake)


def test_force_param_does_not_have_to_be_sent() -> None:
    force = {"force": Param("`yes` to force it", optional=True)}
    params = {**VALID.params, **force}
    forcible: HttpAdapter = evolve(
        VALID, params=params, force_param="force", destroys_finished=True
    )
    assert "force" == forcible.force_param


def test_none_marks_an_error_as_inconclusive() -> None:
    adapter: HttpAdapter = evolve(
        VALID,
        replies={404: Outcome.NOT_FOUND, (404, "route"): None},
        verdicts={False: Outcome.REFUSED},
    )
    answers = [reply(404, {"code": "route"}), reply(404, {"code": "job"}), reply(404)]
    job = Job("acme", "a")
    found = [adapter.read_cancel(job, answer).outcome for answer in answers]
    assert [None, Outcome.NOT_FOUND, Outcome.NOT_FOUND] == found


def test_errors_and_verdicts_may_be_declared_as_refused() -> None:
    adapter: HttpAdapter = evolve(
        VALID,
        replies={(409, "running"): Outcome.REFUSED, 423: Outcome.REFUSED},
        verdicts={False: Outcome.REFUSED},
    )
    answers = [reply(409, {"code": "running"}), reply(423, {"code": "x"}), reply(200, NOT_STOPPED)]
    found = [adapter.read_cancel(Job("acme", "a"), answer).outcome for answer in answers]
    assert [Outcome.REFUSED] * 3 == found


def test_any_matches_every_body_code() -> None:
    adapter: HttpAdapter = evolve(
        VALID, code=("detail.*.type",), replies={(422, ANY): Outcome.INVALID}
    )
    details: list[object] = [[{"type": "uuid"}], "too late", [{}], None]
    answers = [reply(422, {"detail": detail}) for detail in details]
    found = [adapter.read_cancel(Job("acme", "a"), answer).outcome for answer in answers]
    assert [Outcome.INVALID, None, None, None] == found


def test_a_param_that_does_not_match_its_pattern_is_rejected() -> None:
    params = {**VALID.params, "project": Param("four digits", optional=True, pattern="[0-9]{4}")}
    adapter: HttpAdapter = evolve(VALID, params=params)
    refused = [adapter.refuse(Job("acme", "a", {"project": p})) for p in ("1234", "12345")]
    assert [None, "the param 'project' is '12345'; it must be four digits"] == refused


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"title: .*; accepted: "):
        evolve(VALID, title="", accepted=Outcome.INVALID)
