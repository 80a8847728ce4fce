"""Finds and validates a provider's base URL before any request."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobcancel.adapter.routes import Placeholder, declared, parse
from jobcancel.errors import ConfigurationError, WrongType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobcancel.adapter.protocol import Adapter

_LONGEST_URL = 2_000
_HOST_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
# Python parses only the address, and ignores any text before or after the brackets.
_BRACKETED = re.compile(r"\[[^\[\]]+\](?::[0-9]*)?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")


def base_url(
    adapter: Adapter,
    argument: str | None,
    settings: Mapping[str, str],
    params: Mapping[str, str],
    *,
    allow_http: bool,
    own_key: bool = False,
) -> str:
    """Return the base URL of an adapter's provider.

    It comes from the first of: the argument, the client's mapping, the environment, the adapter's
    default. A job's param may be part of the host in that default. To keep a job from sending the
    configured key elsewhere, a host that a param names must be one of the vendor's hosts, and must
    be equal to a host that the client or the environment names, unless the key was passed to the
    same call. A configured URL on this machine (a mock or a proxy) is used for every host.

    Args:
        adapter: the vendor's adapter.
        argument: the base URL that was passed to the call.
        settings: the client's base URLs by provider.
        params: the job's params.
        allow_http: whether plain HTTP is allowed to hosts that are not loopback.
        own_key: whether the key was passed to the call.

    Raises:
        WrongType: the URL is not a string.
        ConfigurationError: there is no URL, or it is invalid.
    """

    def checked(url: object) -> str:
        if not isinstance(url, str):
            raise WrongType(f"base_url must be a string, not {url!r}")
        return _checked(adapter.name, adapter.default_url, url, allow_http=allow_http)

    named = _names_host(adapter, params)
    if argument is not None:
        return checked(argument)
    names = [name for name in (adapter.name, adapter.credentials_of) if name is not None]
    url = next((settings[name] for name in names if name in settings), None)
    source = "the client's base_urls"
    if url is None:
        url, source = _from_environment(adapter)
    if url is not None and (not named or _is_on_this_machine(checked(url))):
        return checked(url)
    own = checked(_default(adapter, params))
    if not named:
        return own
    if url is not None and _host(checked(url)) == _host(own):
        return checked(url)
    if url is not None and not own_key:
        raise ConfigurationError(
            f"the params of the job name the host {_host(own)!r}, and {source} names "
            f"{_host(checked(url))!r}: a configured key is for the configured host only; omit "
            "the param, or pass api_key= with the call"
        )
    _check_vendors(adapter, _host(own), own_key=own_key)
    return own


def _from_environment(adapter: Adapter) -> tuple[str | None, str]:
    """Return the base URL from the environment, and the name of its variable."""
    if url := os.environ.get(adapter.url_env, "").strip():
        return url, adapter.url_env
    # The `Adapter` protocol does not have this attribute; `HttpAdapter` does.
    others: Mapping[str, str] = getattr(adapter, "other_url_envs", {})
    for variable, ending in others.items():
        if url := os.environ.get(variable, "").strip():
            return url.rstrip("/").removesuffix(ending), variable
    return None, adapter.url_env


def _names_host(adapter: Adapter, params: Mapping[str, str]) -> bool:
    """Whether a job's params change the host from the default.

    Raises:
        ConfigurationError: one of them is not valid as part of a host.
    """
    declarations = declared(adapter.params)
    named = [name for name in _host_params(adapter) if name in params]
    for name in named:
        if not _HOST_PART.fullmatch(params[name]):
            raise ConfigurationError(
                f"the param {name!r} of {adapter.name!r} is {params[name][:100]!r}, which is not "
                f"valid in a host name; it must be {declarations[name].description}"
            )
    return any(params[name] != declarations[name].default for name in named)


def _check_vendors(adapter: Adapter, host: str, *, own_key: bool) -> None:
    """Check that a host that a job names belongs to the vendor.

    It does if the adapter's URL has a fixed domain after the param, as in `{name}.example.com`.
    Otherwise it must be one of the `hosts` of the param. If the param declares no `hosts`, the
    key must have been passed to the same call.

    Raises:
        ConfigurationError: the host does not belong to the vendor.
    """
    netloc = urlsplit(adapter.default_url).netloc
    _, _, fixed = netloc.rpartition("}")
    if "}" not in netloc or "." in fixed.partition(":")[0].partition(".")[2]:
        return
    name = [part.name for part in parse(netloc) if isinstance(part, Placeholder)][-1]
    hosts = declared(adapter.params)[name].hosts
    if any(_matches(host, each) for each in hosts) or (own_key and not hosts):
        return
    problem = (
        f"is not one of the vendor's hosts ({', '.join(hosts)})"
        if hosts
        else "may not belong to the vendor"
    )
    raise ConfigurationError(
        f"the param {name!r} of {adapter.name!r} names the host {host[:100]!r}, which {problem}; "
        f"if you trust it, pass base_url= or set {adapter.url_env}"
    )


def _matches(host: str, pattern: str) -> bool:
    """Whether a host matches a pattern such as `*.example.com`."""
    fixed = pattern.removeprefix("*")
    return host == pattern if fixed == pattern else host.endswith(fixed)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".")


def _host_params(adapter: Adapter) -> tuple[str, ...]:
    if "{" not in adapter.default_url:
        return ()
    return tuple(part.name for part in parse(adapter.default_url) if isinstance(part, Placeholder))


def _default(adapter: Adapter, params: Mapping[str, str]) -> str:
    """Return the adapter's default URL, with the params in its host filled in."""
    missing = [name for name in _host_params(adapter) if name not in params]
    if missing:
        description = declared(adapter.params)[missing[0]].description
        raise ConfigurationError(
            f"{adapter.name!r} needs the param {missing[0]!r} as part of its host: {description}; "
            f"or pass base_url= or set {adapter.url_env}"
        )
    return adapter.default_url.format_map(params)


# A valid URL is validated once; an invalid one raises each time.
@lru_cache(maxsize=256)
def _checked(provider: str, default_url: str, url: str, *, allow_http: bool) -> str:
    subject = f"the base URL for {provider!r}"
    example = default_url.replace("{", "<").replace("}", ">")
    expected = f"; expected something like {example}"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port
    except ValueError as error:
        raise ConfigurationError(f"{subject} is malformed: {error}{expected}") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{subject} must not contain a user name or password{expected}")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ConfigurationError(f"{subject} must not have a query or fragment{expected}")
    if len(url) > _LONGEST_URL:
        raise ConfigurationError(f"{subject} is longer than {_LONGEST_URL:,} characters{expected}")
    if parts.scheme not in {"http", "https"} or not url.isprintable() or " " in url:
        raise ConfigurationError(f"{subject} is not an http or https URL: {url!r}{expected}")
    if not _is_host(host, parts.netloc) or port == 0:
        raise ConfigurationError(f"{subject} has no valid host or port: {url!r}{expected}")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise ConfigurationError(
            f"{subject} is plain http to {host}, which would show the key to the network; use "
            "https, or allow_http=True on the client if you mean it"
        )
    return url.rstrip("/")


def _is_host(host: str, netloc: str) -> bool:
    if "[" in netloc or "]" in netloc:
        return _BRACKETED.fullmatch(netloc) is not None and _address(host) is not None
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():
        return _address(host) is not None
    return all(map(_LABEL.fullmatch, labels))


def _is_on_this_machine(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, in any notation.

    A key may be sent to it over plain HTTP, and is never sent to it through a proxy.

    Args:
        host: a name or an address, without brackets; an IPv6 address may have a zone.

    Example:
        >>> [is_loopback(host) for host in ("127.0.0.2", "0:0:0:0:0:0:0:1", "::1%25lo")]
        [True, True, True]
        >>> is_loopback("localhost.example")
        False
    """
    address = _address(host)
    if address is None:
        return host.lower().removesuffix(".") == "localhost"
    # Older versions of Python do not unwrap an IPv4-mapped IPv6 address.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
