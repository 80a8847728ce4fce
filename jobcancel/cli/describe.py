"""The facts about providers: a summary of each, and how one interprets replies.

All facts come from the adapters' declarations. `output` prints them.
"""

from __future__ import annotations

import json
import threading
from itertools import groupby
from typing import TYPE_CHECKING

from attrs import frozen

from jobcancel import BrokenAdapter, HttpAdapter, Outcome, get_adapter
from jobcancel.adapter import ANY
from jobcancel.adapter.routes import declared
from jobcancel.flow.waiting import LONGEST_INTERVAL
from jobcancel.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jobcancel import Adapter
    from jobcancel.adapter import Param, Route

Facts = dict[str, dict[str, str]]
"""Section -> subject -> fact."""

_IMPORT_TIMEOUT = 10.0
"""Seconds that the list of providers waits for the import of a plug-in."""

_AGAIN = "unsettled; the cancel may be sent again"


@frozen(kw_only=True)
class Summary:
    """A provider in short; one that cannot be used has only `name` and `broken`."""

    name: str
    family: str | None = None
    title: str | None = None
    key_env: str | None = None
    url_env: str | None = None
    default_url: str | None = None
    cancel: str | None = None
    deprecated: str | None = None
    broken: str | None = None

    @property
    def note(self) -> str | None:
        """A warning about the provider, if there is one."""
        if self.broken is not None:
            return f"broken: {self.broken}"
        return None if self.deprecated is None else f"deprecated: use {self.deprecated}"


def summary(name: str) -> Summary:
    """Return a provider in short, or why it cannot be used."""
    summaries: list[Summary] = []

    def summarize() -> None:
        try:
            summaries.append(_summary(name, get_adapter(name)))
        except BrokenAdapter as error:
            summaries.append(Summary(name=name, broken=str(error)))
        except BaseException as error:  # noqa: BLE001 - a plug-in's property may raise anything
            problem = f"it cannot be described: {type(error).__name__}"
            summaries.append(Summary(name=name, broken=problem))

    if name in BUILT_IN:
        summarize()
    else:
        # An import that hangs cannot be ended, but need not be awaited.
        thread = threading.Thread(target=summarize, daemon=True)
        thread.start()
        thread.join(_IMPORT_TIMEOUT)
    late = f"the plug-in has not been imported after {_IMPORT_TIMEOUT:g} seconds"
    return summaries[0] if summaries else Summary(name=name, broken=late)


def _summary(name: str, adapter: Adapter) -> Summary:
    route = adapter.cancel if isinstance(adapter, HttpAdapter) else None
    facts = {
        "family": adapter.family if isinstance(adapter, HttpAdapter) else "other",
        "title": adapter.title,
        "key_env": adapter.key_env,
        "url_env": adapter.url_env,
        "default_url": adapter.default_url,
        "cancel": None if route is None else _route(route),
        "deprecated": adapter.deprecated,
    }
    for fact, value in facts.items():
        if not isinstance(value, str | None):
            return Summary(name=name, broken=f"its {fact!r} is not a string")
    return Summary(name=name, **facts)


def describe(adapter: Adapter) -> Facts:
    """Return the declaration of an adapter; of an adapter with its own code, what all have.

    Raises:
        BrokenAdapter: the code of a plug-in's adapter fails.
    """
    try:
        facts = _described(adapter)
        for name, value in (fact for rows in facts.values() for fact in rows.items()):
            if not isinstance(value, str):
                raise TypeError(f"{name!r} is not a string")  # noqa: TRY301 - reported like other errors
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plug-in's property may raise anything
        problem = f"plug-in {adapter.name!r} cannot be described: {type(error).__name__}"
        raise BrokenAdapter(problem) from error
    return facts


def _described(adapter: Adapter) -> Facts:
    if not isinstance(adapter, HttpAdapter):
        own = {"any reply": "interpreted by the adapter's own code"}
        return {"provider": _about(adapter), "requests": _configuration(adapter), "replies": own}
    return {
        "provider": {**_about(adapter), **({"notes": adapter.notes} if adapter.notes else {})},
        "requests": {**_routes(adapter), **_configuration(adapter)},
        "replies": _replies(adapter),
        "states": _states(adapter),
    }


def _about(adapter: Adapter) -> dict[str, str]:
    deprecated = {} if adapter.deprecated is None else {"deprecated": f"use {adapter.deprecated}"}
    family = {"family": adapter.family} if isinstance(adapter, HttpAdapter) else {}
    about = {"name": adapter.name, "title": adapter.title, **family, "docs": adapter.docs}
    return about | deprecated


def _configuration(adapter: Adapter) -> dict[str, str]:
    keys = ", or ".join((adapter.key_env, *adapter.other_key_envs))
    facts = {"API key": keys, "base URL": f"{_url_variables(adapter)}, or {adapter.default_url}"}
    if adapter.credentials_of is not None:
        facts["both shared with"] = adapter.credentials_of
    for name, param in declared(adapter.params).items():
        in_host = f"{{{name}}}" in adapter.default_url
        facts[f"--param {name}"] = f"{param.description}{_unless_given(param, in_host=in_host)}"
    if adapter.destroys_finished:
        facts["finished jobs"] = "not sent the cancel, because it would delete their output"
    return facts


def _url_variables(adapter: Adapter) -> str:
    others = adapter.other_url_envs if isinstance(adapter, HttpAdapter) else {}
    names = [f"{name} (without trailing {path})" if path else name for name, path in others.items()]
    return ", or ".join((adapter.url_env, *names))


def _unless_given(param: Param, *, in_host: bool) -> str:
    otherwise = [value for value in (param.env, param.default) if value is not None]
    if otherwise:
        left_out = ", or omitted" if param.optional and param.default is None else ""
        return f"; {' or '.join(otherwise)} unless given{left_out}"
    if not param.optional:
        return ""
    return "; required unless the base URL is given" if in_host else "; optional"


def _routes(adapter: HttpAdapter) -> dict[str, str]:
    credential = adapter.credential
    facts = {
        "cancel": _route(adapter.cancel),
        "status": "none" if adapter.status is None else _route(adapter.status),
        "header": f"{credential.header}: {credential.scheme} KEY".replace("  ", " "),
    }
    if adapter.status is not None:
        facts["wait"] = _polling(adapter)
    for name, value in adapter.headers.items():
        facts[f"header {name}"] = value
    if adapter.id_pattern is not None:
        facts["job id"] = f"must match {adapter.id_pattern}; others are not sent"
    if adapter.idempotency_header is not None:
        facts["idempotency"] = f"header {adapter.idempotency_header}: a repeated cancel counts once"
    return facts


def _polling(adapter: HttpAdapter) -> str:
    first, longest = adapter.poll_interval, max(adapter.poll_interval, LONGEST_INTERVAL)
    interval = f"{first:g} s" if first == longest else f"{first:g} to {longest:g} s"
    grace = f"; a job may be not found for {adapter.not_found_grace:g} s"
    return f"the status is read every {interval}{grace if adapter.not_found_grace else ''}"


def _replies(adapter: HttpAdapter) -> dict[str, str]:
    facts: dict[str, str] = {}
    if adapter.outcome_hook is not None:
        facts["any reply"] = _own_code(adapter.outcome_hook)
    for word, meaning in adapter.verdicts.items():
        facts[f"{adapter.verdict} {word!r}"] = meaning
    for code in sorted(adapter.any_body_statuses):
        facts[f"{code} with any JSON or nothing"] = f"{adapter.accepted}; the job's status is read"
    other = "any other " if adapter.any_body_statuses else ""
    facts[f"{other}2xx with the job's state"] = "according to that state" + (
        "; `verify` confirms it" if adapter.receipt_only else ""
    )
    read = "; the job's status is read" if adapter.confirm_success else ""
    for code in sorted(adapter.empty_body_statuses):
        facts[f"{code} with an empty body"] = f"{adapter.accepted}{read}"
    if adapter.success:
        facts[f"2xx, {_where(adapter.success)}"] = f"{adapter.accepted}{read}"
    # The most specific first, as they are looked up.
    for key, outcome in sorted(adapter.replies.items(), key=lambda item: _places[type(item[0])]):
        facts[_reply(key)] = (outcome or "unsettled") + (
            "; the cancel is sent again if the wait ends before the deadline"
            if outcome is Outcome.RATE_LIMITED
            else ""
        )
    facts["3xx"] = "unsettled; a redirect is never followed"
    facts["any 4xx that is not in the vendor's format"] = "unsettled"
    facts["any other 2xx"] = _AGAIN
    if repeated := sorted(adapter.retry_statuses - adapter.replies.keys()):
        facts[_ranges(repeated)] = _AGAIN
    facts["no reply"] = _AGAIN
    facts["any other reply"] = "unsettled"
    facts["unsettled"] = (
        f"{Outcome.UNKNOWN}: the vendor has no status request"
        if adapter.status is None
        else "the job's status is read, which decides"
    )
    return facts


_places = {tuple: 0, str: 1, int: 2}


def _reply(key: int | str | tuple[int, str]) -> str:
    if isinstance(key, tuple):
        return f"{key[0]} with {'any code' if key[1] == ANY else f'code {key[1]}'}"
    return str(key) if isinstance(key, int) else f"code {key}"


def _states(adapter: HttpAdapter) -> dict[str, str]:
    special = {} if adapter.state_hook is None else {"any body": _own_code(adapter.state_hook)}
    special |= {_where(override.where): override.state.value for override in adapter.overrides}
    words = {word: state.value for word, state in adapter.states.items()}
    return {**special, **words, "any other word": "unknown"}


def _own_code(function: Callable[..., object]) -> str:
    """Describe an adapter's own function by its docstring."""
    about = (function.__doc__ or f"calls {function.__name__}").strip().split("\n")[0]
    return f"first: {about.removesuffix('.')}"


def _route(route: Route) -> str:
    query = "&".join(f"{name}={value}" for name, value in route.query.items())
    body = "" if route.body is None else f" with {json.dumps(dict(route.body))}"
    return f"{route.method} {route.path}{'?' if query else ''}{query}{body}"


def _where(where: Mapping[str, str]) -> str:
    return ", ".join(f"{path} {value!r}" for path, value in where.items())


def _ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers as ranges."""
    groups = groupby(enumerate(numbers), lambda item: item[1] - item[0])
    runs = [[number for _, number in group] for _, group in groups]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
