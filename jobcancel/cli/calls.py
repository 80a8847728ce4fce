"""What `cancel` and `status` have in common: the key, the params, and the client they call with."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from jobcancel import Canceller, ConfigurationError, MissingCredential, get_adapter
from jobcancel.cli.words import complain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jobcancel import Adapter


_LONGEST_KEY = 1 << 16
"""Characters; keys that are signed tokens have a few thousand."""

C = TypeVar("C", bound=Canceller)


@contextmanager
def client(
    kind: type[C],
    provider: str | None,
    *,
    api_key_file: str | None,
    base_url: str | None,
    timeout: float,
    deadline: float,
    params: Mapping[str, str],
    verify: bool = False,
) -> Iterator[C]:
    """Open a client for one provider, and say so when the provider is deprecated.

    Args:
        kind: its class.
        provider: its name; None for all, with keys and addresses from the environment only.
        api_key_file: where the key is, `-` for standard input; None for the environment.
        base_url: where the provider is; None for the environment or the vendor's own address.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one whole call.
        params: those of the command line; what is a part of the provider's host is where it is.
        verify: whether to read a job's status after an acceptance.

    Raises:
        JobCancelError: a setting cannot be right, or there is no key.
    """
    keys, urls = {}, {}
    if provider is not None:
        adapter = get_adapter(provider)
        if api_key_file is not None:
            keys[provider] = read_key(api_key_file)
        if base_url is None and not os.environ.get(adapter.url_env):
            base_url = _named_url(adapter, params)
        if base_url is not None:
            urls[provider] = base_url
        if adapter.deprecated is not None:
            complain(f"{provider!r} is deprecated; use {adapter.deprecated!r}")
    with (
        without_deprecations(),
        kind(
            api_keys=keys,
            base_urls=urls,
            timeout=timeout,
            deadline=deadline,
            verify=verify,
        ) as canceller,
    ):
        yield canceller


def _named_url(adapter: Adapter, params: Mapping[str, str]) -> str | None:
    """Return the URL whose host the command line names, which a line of a file may not do."""
    hosts = {name for name in params if f"{{{name}}}" in adapter.default_url}
    if not hosts:
        return None
    try:
        return adapter.default_url.format_map(params)
    except KeyError:  # another part of it is missing
        return None


@contextmanager
def needing_key(provider: str) -> Iterator[None]:
    """Tell that a key is missing with the remedies that the command line has.

    Raises:
        ConfigurationError: it is missing.
    """
    try:
        yield
    except MissingCredential:
        raise ConfigurationError(f"{no_key(provider)} or use --api-key-file") from None


def no_key(provider: str) -> str:
    """Return what to do about a key that is missing."""
    return f"no API key for {provider!r}: set {get_adapter(provider).key_env}"


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Keep quiet about deprecated providers: the command line has its own way of saying it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"provider '.*' is deprecated", DeprecationWarning)
        yield


def read_key(path: str) -> str:
    """Return the API key that a file, or with `-` standard input, holds.

    Raises:
        ConfigurationError: it cannot be read, or holds nothing.
    """
    piped = path == "-"
    name = "standard input" if piped else repr(path)
    try:
        # This codec forgives the byte order mark that editors on Windows put first.
        with open(0 if piped else path, encoding="utf-8-sig", closefd=not piped) as file:
            key = file.read(_LONGEST_KEY + 1)
    except OSError as error:
        raise ConfigurationError(f"no API key from {name}: {error.strerror}") from None
    except ValueError:
        # Neither the error nor its cause: they quote what was read.
        raise ConfigurationError(f"no API key from {name}: it is not a UTF-8 text file") from None
    if len(key) > _LONGEST_KEY:
        raise ConfigurationError(
            f"no API key from {name}: it is longer than {_LONGEST_KEY:,} characters"
        )
    if not key.strip():
        raise ConfigurationError(f"no API key from {name}: it is empty")
    return key


def read_params(given: Iterable[str]) -> dict[str, str]:
    """Return the params of `--param k=v` options.

    Raises:
        BadParameter: one is not of that form, or a name is given twice.
    """
    params: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise typer.BadParameter(
                f"{each!r} is not of the form name=value", param_hint="--param"
            )
        if name in params:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--param")
        params[name] = value
    return params
