"""Keys and URLs, from arguments, client and environment, checked before anything is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from attrs import evolve

from jobcancel import address
from jobcancel.adapter.protocol import Endpoint
from jobcancel.adapter.routes import declared
from jobcancel.errors import ConfigurationError, MissingCredential, WrongType
from jobcancel.keys import AsyncApiKey, source_of
from jobcancel.models import Job
from jobcancel.retry import Policy
from jobcancel.secret import Secret

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Adapter
    from jobcancel.flow.call import Call

K = TypeVar("K")
A = TypeVar("A", bound=AsyncApiKey)

# What a header may hold of a key: visible ASCII (RFC 9110, section 5.5).
_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# A month; clocks and sockets overflow somewhere above it.
_LONGEST_TIME = 30 * 86_400


def endpoint(
    adapter: Adapter,
    *,
    api_keys: Mapping[str, AsyncApiKey],
    base_urls: Mapping[str, str],
    api_key: AsyncApiKey | None,
    base_url: str | None,
    allow_http: bool,
    params: Mapping[str, str] | None = None,
) -> Endpoint:
    """Find where an adapter's provider is and the key for it.

    A key is looked up in this order: the argument, the client's mapping, the environment; how a
    URL is found is told by `address`. A provider that shares another's configuration falls back
    on it.

    Args:
        adapter: what knows the vendor.
        api_keys: the client's keys by provider, hidden.
        base_urls: the client's base URLs by provider.
        api_key: the call's own key, hidden.
        base_url: the call's own base URL.
        allow_http: whether plain HTTP is allowed to hosts that are not loopback.
        params: the job's, one of which may be a part of the adapter's default URL.

    Raises:
        MissingCredential: there is no key.
        ConfigurationError: the key or the URL cannot be right.
    """
    names = [name for name in (adapter.name, adapter.credentials_of) if name is not None]
    key = api_key
    if key is None:
        key = next((api_keys[name] for name in names if name in api_keys), None)
    if key is None:
        variables = (adapter.key_env, *adapter.other_key_envs)
        key = next(
            (as_secret(os.environ[name]) for name in variables if os.environ.get(name)), None
        )
    return Endpoint(
        base_url=address.base_url(
            adapter,
            base_url,
            base_urls,
            params or {},
            allow_http=allow_http,
            own_key=api_key is not None,
        ),
        key=checked_key(adapter, cast("Secret | None", key)),
    )


def with_key(call: Call) -> Call:
    """Return a call with its key: if that was given as a callable, call it now, once.

    Raises:
        WrongType: it is async, or does not return a string.
        ConfigurationError: it returned something that cannot be a key.
    """
    source = call.endpoint.key.source
    return call if source is None else _with_key(call, source.ask())


async def awith_key(call: Call) -> Call:
    """Return a call with its key; as `with_key`, and the callable may be async."""
    source = call.endpoint.key.source
    return call if source is None else _with_key(call, await source.aask())


def _with_key(call: Call, answer: Secret) -> Call:
    key = checked_key(call.adapter, answer)
    return evolve(call, endpoint=evolve(call.endpoint, key=key))


def as_secret(key: K) -> K:
    """Return a key as a `Secret` in its place, so that no traceback's locals show it.

    The first thing that every public call does with a key is to hide it, whatever it is;
    `endpoint` looks at it and says what is wrong. It is typed as what the caller should give.
    """
    if key is None or isinstance(key, Secret):
        return key
    if isinstance(key, str):
        return cast("K", Secret(key.strip()))
    if callable(key):
        return cast("K", Secret("", source=source_of(key)))
    problem = f"an API key must be a string, not {type(key).__name__}"
    return cast("K", Secret("", problem))


def as_secrets(keys: Mapping[str, A] | None) -> dict[str, A]:
    """Return a client's keys by provider, each `hidden`; `check_keys` says what is wrong."""
    if keys is None:
        return {}
    if isinstance(keys, Mapping):
        return {name: as_secret(keys[name]) for name in keys}
    problem = "api_keys must map providers to keys, such as {'pulse': '...'}"
    return {"": cast("A", Secret("", problem))}


def check_keys(keys: Mapping[str, AsyncApiKey]) -> None:
    """Check what `as_secrets` made.

    Raises:
        WrongType: the keys are no mapping, or one of them is neither a string nor a callable.
    """
    for key in keys.values():
        if isinstance(key, Secret) and key.problem is not None:
            raise WrongType(key.problem)


def job(adapter: Adapter, job_id: object, params: object) -> Job:
    """Return the job, its types and the names of its params checked.

    A param that is not given comes from its environment variable, else from its default.

    Raises:
        WrongType: the id or a param is not a string.
        ConfigurationError: a param is missing or unknown.
    """
    if not isinstance(job_id, str):
        raise WrongType(f"job_id must be a string, not {job_id!r}; pass the vendor's id as text")
    given = {} if params is None else params
    if not isinstance(given, Mapping) or not all(
        isinstance(text, str) for item in given.items() for text in item
    ):
        raise WrongType(f"params must map strings to strings, not {params!r}")
    if not (given or adapter.params):
        return Job(adapter.name, job_id)
    for name in given:
        if name not in adapter.params:
            known = ", ".join(map(repr, adapter.params)) or "none"
            raise ConfigurationError(f"{adapter.name!r} has no param {name!r}; it has {known}")
    fallbacks = {
        name: value
        for name, param in declared(adapter.params).items()
        if name not in given and (value := param.fallback()) is not None
    }
    given = {**fallbacks, **given}
    for name, param in declared(adapter.params).items():
        if name not in given and not param.optional:
            where = f"; or set {param.env}" if param.env else ""
            raise ConfigurationError(
                f"{adapter.name!r} needs the param {name!r}: {param.description}{where}"
            )
    return Job(adapter.name, job_id, given)


def check_urls(urls: object) -> dict[str, str]:
    """Return a client's base URLs by provider.

    Raises:
        WrongType: they are no mapping.
    """
    if urls is None:
        return {}
    if not isinstance(urls, Mapping):
        raise WrongType(f"base_urls must map providers to URLs, not {urls!r}")
    return dict(urls)


def policy(timeout: object, deadline: object, verify: object) -> Policy:
    """Return the policy of a call.

    Raises:
        WrongType: a time is not a number, or `verify` not a bool.
        ConfigurationError: a time is not positive and finite.
    """
    if not isinstance(verify, bool):
        raise WrongType(f"verify must be True or False, not {verify!r}")
    return Policy(
        timeout=_seconds("timeout", timeout), deadline=_seconds("deadline", deadline), verify=verify
    )


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongType(f"{name} must be a number of seconds, not {value!r}")
    if not 0 < value <= _LONGEST_TIME:
        raise ConfigurationError(
            f"{name} must be more than 0 and at most {_LONGEST_TIME:,} seconds, not {value!r}"
        )
    return float(value)


def checked_key(adapter: Adapter, key: Secret | None) -> Secret:
    """Return a key that can be sent, or one that is still to be asked for.

    Raises:
        WrongType: it is not a string.
        MissingCredential: there is none.
        ConfigurationError: no header can hold it.
    """
    if key is not None and key.source is not None:
        return key
    if key is not None and key.problem is not None:
        raise WrongType(key.problem)
    if key is None or not key.reveal():
        raise MissingCredential(
            f"no API key for {adapter.name!r}: pass api_key= or set {adapter.key_env}"
        )
    if not _SENDABLE.fullmatch(key.reveal()):
        raise ConfigurationError(
            f"the API key for {adapter.name!r} has a line break, another control character or a "
            "character outside ASCII in it; check where it was copied from"
        )
    return key
