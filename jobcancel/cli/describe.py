"""What there is to know of providers: all of them in short, and how one's replies are read.

Everything comes from the adapters' own declarations. How it is printed is in `listing`.
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
from jobcancel.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jobcancel import Adapter
    from jobcancel.adapter import Param, Route

Facts = dict[str, dict[str, str]]
"""Section -> what it is about -> what is to be known."""

_PATIENCE = 10.0
"""Seconds that the list of providers waits for a plug-in to be imported."""

_AGAIN = "unsettled; the cancel may be sent again"


@frozen(kw_only=True)
class Summary:
    """One provider in short; only `name` and `broken` of one that cannot be used."""

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
        """What is the matter with the provider, if anything is."""
        if self.broken is not None:
            return f"broken: {self.broken}"
        return None if self.deprecated is None else f"deprecated: use {self.deprecated}"


def summary(name: str) -> Summary:
    """Return a provider in short; one that cannot be used says why."""
    summaries: list[Summary] = []

    def summarize() -> None:
        try:
            summaries.append(_summary(name, get_adapter(name)))
        except BrokenAdapter as error:
            summaries.append(Summary(name=name, broken=str(error)))
        except BaseException as error:  # noqa: BLE001 - whatever a stranger's property raises
            told = f"it cannot be described: {type(error).__name__}"
            summaries.append(Summary(name=name, broken=told))

    if name in BUILT_IN:
        summarize()
    else:
        # Nothing can end an import that hangs, but nobody has to wait for it.
        thread = threading.Thread(target=summarize, daemon=True)
        thread.start()
        thread.join(_PATIENCE)
    late = f"the plug-in has not been imported after {_PATIENCE:g} seconds"
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
            return Summary(name=name, broken=f"its {fact!r} is no text")
    return Summary(name=name, **facts)


def describe(adapter: Adapter) -> Facts:
    """Return what an adapter declares; only the protocol's part if it is no `HttpAdapter`.

    Raises:
        BrokenAdapter: it cannot be described, for it is a plug-in's with code of its own.
    """
    try:
        facts = _described(adapter)
        for name, value in (fact for rows in facts.values() for fact in rows.items()):
            if not isinstance(value, str):
                raise TypeError(f"{name!r} is no text")  # noqa: TRY301 - told as all else is
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a stranger's property raises, or holds
        told = f"plug-in {adapter.name!r} cannot be described: {type(error).__name__}"
        raise BrokenAdapter(told) from error
    return facts


def _described(adapter: Adapter) -> Facts:
    if not isinstance(adapter, HttpAdapter):
        own = {"any reply": "is read by the adapter's own code"}
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
        facts["finished jobs"] = "are not sent the cancel, which would destroy their output"
    return facts


def _url_variables(adapter: Adapter) -> str:
    others = adapter.other_url_envs if isinstance(adapter, HttpAdapter) else {}
    told = [
        f"{name} (without {path} at its end)" if path else name for name, path in others.items()
    ]
    return ", or ".join((adapter.url_env, *told))


def _unless_given(param: Param, *, in_host: bool) -> str:
    otherwise = [value for value in (param.env, param.default) if value is not None]
    if otherwise:
        left_out = ", or left out" if param.optional and param.default is None else ""
        return f"; {' or '.join(otherwise)} unless given{left_out}"
    if not param.optional:
        return ""
    return "; needed unless the base URL is given" if in_host else "; may be left out"


def _routes(adapter: HttpAdapter) -> dict[str, str]:
    credential = adapter.credential
    facts = {
        "cancel": _route(adapter.cancel),
        "status": "none" if adapter.status is None else _route(adapter.status),
        "header": f"{credential.header}: {credential.scheme} KEY".replace("  ", " "),
    }
    for name, value in adapter.headers.items():
        facts[f"header {name}"] = value
    if adapter.id_pattern is not None:
        facts["job id"] = f"matches {adapter.id_pattern}; others are not sent"
    if adapter.idempotency_header is not None:
        facts["idempotency"] = f"header {adapter.idempotency_header}: a repeated cancel counts once"
    return facts


def _replies(adapter: HttpAdapter) -> dict[str, str]:
    facts: dict[str, str] = {}
    if adapter.outcome_hook is not None:
        facts["any reply"] = _own_code(adapter.outcome_hook)
    for word, meaning in adapter.verdicts.items():
        facts[f"{adapter.verdict} {word!r}"] = meaning
    for code in sorted(adapter.any_body_statuses):
        facts[f"{code} with any JSON or nothing"] = f"{adapter.accepted}; the job's status is read"
    other = "any other " if adapter.any_body_statuses else ""
    facts[f"{other}2xx with the job's state"] = "as that state says" + (
        "; `verify` looks whether it is so" if adapter.receipt_only else ""
    )
    read = "; the job's status is read" if adapter.confirm_success else ""
    for code in sorted(adapter.empty_body_statuses):
        facts[f"{code} with an empty body"] = f"{adapter.accepted}{read}"
    if adapter.success:
        facts[f"2xx, {_where(adapter.success)}"] = f"{adapter.accepted}{read}"
    # The most specific first, as they are looked up.
    for key, outcome in sorted(adapter.replies.items(), key=lambda item: _places[type(item[0])]):
        facts[_reply(key)] = (outcome or "unsettled") + (
            "; the cancel is sent again when there is time for the wait"
            if outcome is Outcome.RATE_LIMITED
            else ""
        )
    facts["3xx"] = "unsettled; a redirect is never followed"
    facts["any 4xx that is not in the vendor's own form"] = "unsettled"
    facts["any other 2xx"] = _AGAIN
    if repeated := sorted(adapter.retry_statuses - adapter.replies.keys()):
        facts[_ranges(repeated)] = _AGAIN
    facts["no reply"] = _AGAIN
    facts["any other reply"] = "unsettled"
    facts["unsettled"] = (
        f"{Outcome.UNKNOWN}: the vendor has no way to read a job"
        if adapter.status is None
        else "the job's status is read, and decides"
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
    """Say what an adapter's own function does, by its docstring."""
    told = (function.__doc__ or f"is read by {function.__name__}").strip().split("\n")[0]
    return f"first: {told.removesuffix('.')}"


def _route(route: Route) -> str:
    query = "&".join(f"{name}={value}" for name, value in route.query.items())
    body = "" if route.body is None else f" with {json.dumps(dict(route.body))}"
    return f"{route.method} {route.path}{'?' if query else ''}{query}{body}"


def _where(where: Mapping[str, str]) -> str:
    return ", ".join(f"{path} {value!r}" for path, value in where.items())


def _ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers with those that follow each other drawn together."""
    groups = groupby(enumerate(numbers), lambda item: item[1] - item[0])
    runs = [[number for _, number in group] for _, group in groups]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
