"""Validates an `HttpAdapter` when it is constructed.

Each check examines some fields and yields a message for each mistake:
`field: what is wrong; what is expected`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jobcancel.adapter.protocol import Credential
from jobcancel.adapter.routes import Param, Route, declared, parse
from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.adapter.declaration import Declaration

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # a token (RFC 9110, section 5.6.2), lower case
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/{}%-]*")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+")
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
# Headers that `transport` or the HTTP library sets.
_RESERVED = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
)
_ACCEPTANCES = (Outcome.CANCELLED, Outcome.CANCELLING)
_TOO_MANY_REQUESTS = 429
# Seconds.
_SHORTEST_INTERVAL = 0.1
_LONGEST_TIME = 3600
_CODES = {
    "retry_statuses": (range(400, 600), "an error"),
    "empty_body_statuses": (range(200, 300), "a success"),
    "any_body_statuses": (range(200, 300), "a success"),
    "empty_error_statuses": (range(400, 500), "a refusal"),
}
_PATHS = ("state", "job_id", "message", "code", "retry_after", "request_id")


def check(adapter: Declaration) -> None:
    """Validate a declaration.

    Raises:
        ConfigurationError: it has mistakes; the message names the field of each.
    """
    problems = list(_types(adapter)) or [problem for each in _CHECKS for problem in each(adapter)]
    if problems:
        raise ConfigurationError(f"HttpAdapter {adapter.name!r}: {'; '.join(problems)}")


def _types(adapter: Declaration) -> Iterator[str]:
    """Find values of a wrong type, on which the other checks would fail."""
    for name in _PATHS:
        paths = getattr(adapter, name)
        if not isinstance(paths, tuple) or not all(
            isinstance(path, str) and path for path in paths
        ):
            yield f"{name}: must be a path, such as 'error.code', or a tuple of paths"
    for name, value in adapter.headers.items():
        if not isinstance(value, str):
            yield f"headers: the value of {name!r} must be a string, not {value!r}"
    for name in ("receipt_only", "confirm_success", "gone_after_cancel"):
        if not isinstance(getattr(adapter, name), bool):
            yield f"{name}: must be True or False, not {getattr(adapter, name)!r}"
    if not isinstance(adapter.credential, Credential):
        yield "credential: must be a Credential, such as Credential(scheme='Token')"
    for name in _CODES:
        codes = getattr(adapter, name)
        if not isinstance(codes, frozenset) or not all(isinstance(code, int) for code in codes):
            yield f"{name}: must be a frozenset of status codes, such as frozenset({{429, 503}})"
    yield from _address_types(adapter)


def _address_types(adapter: Declaration) -> Iterator[str]:
    variables = adapter.other_url_envs
    if not isinstance(variables, Mapping) or not all(
        isinstance(text, str) for item in variables.items() for text in item
    ):
        yield "other_url_envs: must be a mapping of variables to paths, such as {'ACME_URL': ''}"


def _texts(adapter: Declaration) -> Iterator[str]:
    if not _NAME.fullmatch(adapter.name):
        yield "name: must be lower-case words with dashes between, such as 'acme-batch'"
    for name in ("title", "docs", "family"):
        if not getattr(adapter, name).strip():
            yield f"{name}: must not be empty"


def _variables(adapter: Declaration) -> Iterator[str]:
    keys = {adapter.key_env, *adapter.other_key_envs}
    urls = {adapter.url_env, *adapter.other_url_envs}
    named = [("key_env", adapter.key_env), ("url_env", adapter.url_env)]
    named += [("other_key_envs", variable) for variable in adapter.other_key_envs]
    named += [("other_url_envs", variable) for variable in adapter.other_url_envs]
    for name, param in declared(adapter.params).items():
        if isinstance(param, Param) and param.env is not None:
            named.append((f"params: {name!r}", param.env))
            yield from _param_variable(adapter, name, taken=param.env in keys | urls)
    for field, variable in named:
        if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
            yield f"{field}: {variable!r} is not a valid name of an environment variable"
    if adapter.url_env in keys:
        yield "url_env: must not be a variable of the API key"
    if keys & {*adapter.other_url_envs} or adapter.url_env in adapter.other_url_envs:
        yield "other_url_envs: must not contain url_env or a variable of the API key"
    routes = [each for each in (adapter.cancel, adapter.status) if isinstance(each, Route)]
    for variable, path in adapter.other_url_envs.items():
        if path and not all(route.path.startswith(f"{path}/") for route in routes):
            yield (
                f"other_url_envs: the routes do not begin with {path!r}, the path suffix of "
                f"{variable}"
            )


def _param_variable(adapter: Declaration, name: str, *, taken: bool) -> Iterator[str]:
    """Find mistakes in a param that has an environment variable."""
    if taken:
        yield f"params: {name!r} uses a variable of the API key or of the base URL"
    if name in _names(adapter.default_url):
        yield f"params: {name!r} is part of the host and must not have a variable; use url_env"
    if name == adapter.force_param:
        yield f"params: {name!r} is the force_param and must not have a variable"


def _params(adapter: Declaration) -> Iterator[str]:
    used = {*_names(adapter.default_url), adapter.force_param}
    used.update(*map(_names, adapter.headers.values()))
    for route in (adapter.cancel, adapter.status):
        if isinstance(route, Route):
            used |= {placeholder.name for placeholder in route.placeholders()}
    for name, param in declared(adapter.params).items():
        if name == "id":
            yield "params: 'id' is reserved for the job's id"
        elif not isinstance(param, Param) or not param.description.strip():
            yield f"params: {name!r} needs a description"
        elif name not in used:
            yield f"params: {name!r} is not used in any path, query, body, header or URL"
        else:
            yield from _param(name, param)


def _param(name: str, param: Param) -> Iterator[str]:
    """Find mistakes in a param's hosts and in its pattern."""
    if not isinstance(param.hosts, tuple) or not all(map(_is_host, param.hosts)):
        yield f"params: hosts of {name!r} must be a tuple of hosts, such as ('*.example.com',)"
    if param.pattern is None:
        return
    try:
        matches = param.default is None or param.accepts(param.default)
        re.compile(param.pattern)
    except (re.error, TypeError) as error:
        yield f"params: the pattern of {name!r} is not a valid regular expression: {error}"
        return
    if not matches:
        yield f"params: the default of {name!r} does not match its pattern"


def _is_host(host: object) -> bool:
    return isinstance(host, str) and _HOST.fullmatch(host) is not None


def _url(adapter: Declaration) -> Iterator[str]:
    try:
        parse(adapter.default_url)
    except ConfigurationError as error:
        yield f"default_url: {error}"
        return
    parts = urlsplit(re.sub(r"\{[^{}]*\}", "x", adapter.default_url))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        yield (
            f"default_url: {adapter.default_url!r} is not a base URL, such as "
            "'https://api.example.com'"
        )
    for name in sorted(set(_names(adapter.default_url)) - set(adapter.params)):
        yield f"default_url: {{{name}}} is not one of params"


def _names(url: str) -> list[str]:
    return re.findall(r"\{(\w+)", url)


def _routes(adapter: Declaration) -> Iterator[str]:
    for name, route in (("cancel", adapter.cancel), ("status", adapter.status)):
        if isinstance(route, Route):
            yield from (f"{name}: {problem}" for problem in _route(adapter, route))
        elif route is not None or name == "cancel":
            yield f"{name}: must be a Route, such as Route('DELETE', '/job/{{id}}')"


def _route(adapter: Declaration, route: Route) -> Iterator[str]:
    if route.method not in _METHODS:
        yield f"the method {route.method!r} is not one of {', '.join(_METHODS)}"
    if not _PATH.fullmatch(route.path) or {".", ".."} & set(route.path.split("/")):
        yield f"the path {route.path!r} must begin with '/' and must not contain a query"
    names = {placeholder.name for placeholder in route.placeholders()}
    for name in sorted(names - {"id", *adapter.params}):
        yield f"{{{name}}} is neither {{id}} nor one of params"
    if "id" not in names:
        yield "the placeholder {id} is missing, so all jobs would have the same address"
    in_query = [part for text in route.query.values() for part in parse(text)]
    for placeholder in route.placeholders():
        param = declared(adapter.params).get(placeholder.name)
        if param is not None and param.optional and placeholder not in in_query:
            yield f"{placeholder.name!r} is optional, which only a query or a header allows"


def _headers(adapter: Declaration) -> Iterator[str]:
    named = {"credential": adapter.credential.header}
    if adapter.idempotency_header is not None:
        named["idempotency_header"] = adapter.idempotency_header
    named["request_id_header"] = adapter.request_id_header
    for field, header in (*named.items(), *(("headers", header) for header in adapter.headers)):
        if not _HEADER.fullmatch(header):
            yield f"{field}: {header!r} is not a header name in lower case"
        elif header in _RESERVED:
            yield f"{field}: {header!r} is set by jobcancel itself"
    for header in sorted(
        {named["credential"], named.get("idempotency_header", "")} & {*adapter.headers}
    ):
        yield f"headers: two rules for {header!r}"
    for header, value in adapter.headers.items():
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            yield f"headers: the value of {header!r} is not printable ASCII"
            continue
        try:
            parse(value)
        except ConfigurationError as error:
            yield f"headers: {error}"
            continue
        for name in sorted(set(_names(value)) - set(adapter.params)):
            yield f"headers: {{{name}}} in {header!r} is not one of params"


def _replies(adapter: Declaration) -> Iterator[str]:
    for key, outcome in adapter.replies.items():
        status_code = key[0] if isinstance(key, tuple) else key
        if isinstance(key, tuple) and [*map(type, key)] != [int, str]:
            yield f"replies: {key!r} is not a pair of a status code and a body code"
        elif isinstance(key, str) and key.isdigit():
            yield f"replies: {key!r} is a string and so a body code; write the status code as {key}"
        elif isinstance(status_code, int) and status_code not in range(400, 600):
            yield f"replies: {key!r} is not an error; use verdicts, states or success for a 2xx"
        yield from _meaning("replies", key, outcome, or_none=isinstance(key, tuple))
        if outcome in _ACCEPTANCES:
            yield f"replies: {key!r} is an error, which cannot mean {outcome}"
        elif key == _TOO_MANY_REQUESTS and outcome is not Outcome.RATE_LIMITED:
            yield "replies: 429 means rate-limited (RFC 6585)"
        elif key in adapter.retry_statuses and outcome is not Outcome.RATE_LIMITED:
            yield f"replies: two rules for {key!r}, which is in retry_statuses as well"


def _verdicts(adapter: Declaration) -> Iterator[str]:
    if adapter.verdict is None and adapter.verdicts:
        yield "verdict: is missing; it is the path of the words in verdicts"
    if adapter.verdict is not None and not adapter.verdicts:
        yield "verdicts: is missing; it maps the words at verdict to outcomes"
    for word, outcome in adapter.verdicts.items():
        yield from _meaning("verdicts", word, outcome, or_none=False)
        if adapter.verdict in adapter.state and word in adapter.states:
            yield f"verdicts: two rules for {word!r}, which is in states as well"


def _success(adapter: Declaration) -> Iterator[str]:
    if not isinstance(adapter.accepted, Outcome) or adapter.accepted not in _ACCEPTANCES:
        yield "accepted: must be Outcome.CANCELLED, or CANCELLING if the job ends later"
    later = adapter.accepted is Outcome.CANCELLING and adapter.status is not None
    if adapter.any_body_statuses and not later:
        yield "any_body_statuses: needs accepted=Outcome.CANCELLING and a status route"
    for name in ("receipt_only", "confirm_success", "gone_after_cancel"):
        if getattr(adapter, name) and adapter.status is None:
            yield f"{name}: needs a status route, to check the job's state"
    for path, value in adapter.success.items():
        if not path or not isinstance(value, str):
            yield f"success: the value of {path!r} must be a string, not {value!r}"


def _codes(adapter: Declaration) -> Iterator[str]:
    for name, (allowed, what) in _CODES.items():
        for code in getattr(adapter, name):
            if code not in allowed:
                yield f"{name}: {code!r} is not the status code of {what}"


def _states(adapter: Declaration) -> Iterator[str]:
    states: Mapping[Any, object] = {
        **adapter.states,
        **{str(dict(override.where)): override.state for override in adapter.overrides},
    }
    for word, state in states.items():
        if not isinstance(state, JobState) or state is JobState.UNKNOWN:
            yield f"states: {word!r} is mapped to {state!r}; use a known JobState or remove it"
    wheres = [dict(override.where) for override in adapter.overrides]
    if {} in wheres:
        yield "overrides: where must not be empty"
    if any(wheres.count(where) > 1 for where in wheres):
        yield "overrides: two rules for the same words"
    if adapter.status is not None and not adapter.states and adapter.state_hook is None:
        yield "states: must not be empty, or no status reply can be interpreted"
    if adapter.progress is not None and len(adapter.progress) != 2:  # noqa: PLR2004 - a pair
        yield "progress: must be two paths: of how much is done, and of the total"
    if adapter.id_pattern is not None:
        try:
            re.compile(adapter.id_pattern)
        except re.error as error:
            yield f"id_pattern: is not a valid regular expression: {error}"


def _destroying(adapter: Declaration) -> Iterator[str]:
    if adapter.destroys_finished and adapter.status is None:
        yield "destroys_finished: needs a status route, to check whether a job has finished"
    if adapter.force_param is not None:
        param = declared(adapter.params).get(adapter.force_param)
        if param is None or not param.optional:
            yield "force_param: must be one of params, and optional"
        if not adapter.destroys_finished:
            yield "force_param: needs destroys_finished=True; it has no effect otherwise"


def _polling(adapter: Declaration) -> Iterator[str]:
    for name, least in (("poll_interval", _SHORTEST_INTERVAL), ("not_found_grace", 0)):
        seconds = getattr(adapter, name)
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not least <= seconds <= _LONGEST_TIME:
            yield f"{name}: must be a number of seconds from {least:g} to {_LONGEST_TIME}"


def _meaning(field: str, key: object, outcome: object, *, or_none: bool) -> Iterator[str]:
    if outcome is None and or_none:
        return
    if not isinstance(outcome, Outcome) or outcome is Outcome.UNKNOWN:
        problem = f"{field}: {key!r} is mapped to {outcome!r}, which is not a usable outcome"
        yield f"{problem}; use another Outcome, or remove the entry: the status is then read"


_CHECKS = (
    *(_texts, _variables, _url, _routes, _params, _headers),
    *(_replies, _verdicts, _success, _codes, _states, _destroying, _polling),
)
