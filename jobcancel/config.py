"""Keys, URLs and times, from arguments, client and environment, validated before any request."""

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

# The characters that a header may contain: visible ASCII (RFC 9110, section 5.5).
_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# 30 days, in seconds; clocks and sockets overflow at some longer time.
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
    """Return the base URL and the key of an adapter's provider.

    The key comes from the first of: the argument, the client's mapping, the environment. The
    URL comes from `address.base_url`. A provider with `credentials_of` falls back on the key and
    the URL of that provider.

    Args:
        adapter: the vendor's adapter.
        api_keys: the client's keys by provider, as secrets.
        base_urls: the client's base URLs by provider.
        api_key: the key that was passed to the call, as a secret.
        base_url: the base URL that was passed to the call.
        allow_http: whether plain HTTP is allowed to hosts that are not loopback.
        params: the job's params, one of which may be part of the adapter's default URL.

    Raises:
        MissingCredential: there is no key.
        ConfigurationError: the key or the URL is invalid.
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
    """Return a call with its key. If the key is a callable, call it once.

    Raises:
        WrongType: the callable is async, or does not return a string.
        ConfigurationError: the callable returned an invalid key.
    """
    source = call.endpoint.key.source
    return call if source is None else _with_key(call, source.ask())


async def awith_key(call: Call) -> Call:
    """Return a call with its key, like `with_key`; the callable may be async."""
    source = call.endpoint.key.source
    return call if source is None else _with_key(call, await source.aask())


def _with_key(call: Call, key: Secret) -> Call:
    endpoint = evolve(call.endpoint, key=checked_key(call.adapter, key))
    return evolve(call, endpoint=endpoint)


def as_secret(key: K) -> K:
    """Return a key as a `Secret`, so that the local variables in a traceback do not contain it.

    Every public call first replaces its key with a secret, even if the key is invalid; `endpoint`
    validates it and raises. The return type is that of the argument, for type checkers.
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
    """Return a client's keys by provider, each as a secret; `check_keys` validates them."""
    if keys is None:
        return {}
    if isinstance(keys, Mapping):
        return {name: as_secret(keys[name]) for name in keys}
    problem = "api_keys must map providers to keys, such as {'pulse': '...'}"
    return {"": cast("A", Secret("", problem))}


def check_keys(keys: Mapping[str, AsyncApiKey]) -> None:
    """Validate the keys that `as_secrets` returned.

    Raises:
        WrongType: the keys are not a mapping, or a key is neither a string nor a callable.
    """
    for key in keys.values():
        if isinstance(key, Secret) and key.problem is not None:
            raise WrongType(key.problem)


def job(adapter: Adapter, job_id: object, params: object) -> Job:
    """Validate types and param names, and return the job.

    A param that the caller omits comes from its environment variable, else from its default.

    Raises:
        WrongType: the id or a param is not a string.
        ConfigurationError: a param is missing or unknown.
    """
    if not isinstance(job_id, str):
        raise WrongType(f"job_id must be a string, not {job_id!r}; pass the vendor's id as text")
    values = {} if params is None else params
    if not isinstance(values, Mapping) or not all(
        isinstance(text, str) for item in values.items() for text in item
    ):
        raise WrongType(f"params must map strings to strings, not {params!r}")
    if not (values or adapter.params):
        return Job(adapter.name, job_id)
    for name in values:
        if name not in adapter.params:
            known = ", ".join(map(repr, adapter.params)) or "none"
            raise ConfigurationError(f"{adapter.name!r} has no param {name!r}; it has {known}")
    fallbacks = {
        name: value
        for name, param in declared(adapter.params).items()
        if name not in values and (value := param.fallback()) is not None
    }
    values = {**fallbacks, **values}
    for name, param in declared(adapter.params).items():
        if name not in values and not param.optional:
            or_set = f"; or set {param.env}" if param.env else ""
            raise ConfigurationError(
                f"{adapter.name!r} needs the param {name!r}: {param.description}{or_set}"
            )
    return Job(adapter.name, job_id, values)


def check_urls(urls: object) -> dict[str, str]:
    """Return a client's base URLs by provider.

    Raises:
        WrongType: `urls` is not a mapping.
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
        timeout=seconds("timeout", timeout), deadline=seconds("deadline", deadline), verify=verify
    )


def seconds(name: str, value: object) -> float:
    """Validate a time in seconds, and return it.

    Args:
        name: the name of the argument.
        value: its value.

    Raises:
        WrongType: it is not a number.
        ConfigurationError: it is not positive and finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongType(f"{name} must be a number of seconds, not {value!r}")
    if not 0 < value <= _LONGEST_TIME:
        raise ConfigurationError(
            f"{name} must be more than 0 and at most {_LONGEST_TIME:,} seconds, not {value!r}"
        )
    return float(value)


def checked_key(adapter: Adapter, key: Secret | None) -> Secret:
    """Validate a key and return it. A key whose callable was not called yet is returned as it is.

    Raises:
        WrongType: the key is not a string.
        MissingCredential: there is no key.
        ConfigurationError: the key contains characters that are not allowed in a header.
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
            f"the API key for {adapter.name!r} contains a line break, another control character "
            "or a non-ASCII character; check where it was copied from"
        )
    return key
