"""The options of the commands: how typer reads them, and the client that they configure."""

from __future__ import annotations

import os
import re
import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from jobcancel import Canceller, ConfigurationError, MissingCredential, get_adapter, providers
from jobcancel.cli.streams import complain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from jobcancel import Adapter

# As typer reads them


def _refuse_key(given: str | None) -> None:
    if given is not None:
        raise typer.BadParameter(
            "a key is not taken from the command line, where the shell's history keeps it; set "
            "the environment variable that 'jobcancel providers' names, or use --api-key-file",
            param_hint="--api-key",
        )


def _refuse_scrub(given: list[str] | None) -> None:
    if given:
        raise typer.BadParameter(
            "private values are not taken from the command line, where the shell's history and "
            "the list of processes show them; use --scrub-env or --scrub-file",
            param_hint="--scrub",
        )


def _complete_provider(incomplete: str) -> list[str]:
    return [name for name in providers() if name.startswith(incomplete)]


_provider = partial(
    typer.Argument,
    metavar="PROVIDER",
    help="A provider's name, such as pulse; 'jobcancel providers' lists them.",
    autocompletion=_complete_provider,
)
_job_ids = partial(typer.Argument, metavar="JOB_ID", help="IDs that the vendor returned.")

Provider = Annotated[str, _provider()]
JobIds = Annotated[list[str], _job_ids()]
AnyProvider = Annotated[str | None, _provider()]
AnyJobIds = Annotated[list[str] | None, _job_ids()]
ProviderName = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Show everything about this provider.",
        autocompletion=_complete_provider,
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Read jobs from NDJSON, CSV with a header, or plain IDs; - is standard input.",
    ),
]
DoneFiles = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="With --from: skip the jobs that this output of --json shows as stopped, and read "
        "the status of those it shows as cancelling; repeatable.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=COLUMN",
        help="With --from: the file's name for job_id, provider or a param, such as job_id=run; "
        "repeatable.",
    ),
]
SkipUnconfigured = Annotated[
    bool,
    typer.Option(
        "--skip-unconfigured",
        metavar="",
        help="With --from: leave out the jobs of providers without an API key.",
    ),
]
Concurrency = Annotated[
    int, typer.Option(metavar="N", help="With --from: maximum number of requests in flight.")
]
Rate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[PROVIDER=]RATE",
        help="With --from: send at this rate, such as 60/s or pulse=100/min, instead of the one "
        "learned from the vendor's replies; repeatable.",
    ),
]
MaxWait = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="With --from: wait at most this long for a rate limit to end."
    ),
]
Verify = Annotated[
    bool, typer.Option("--verify", metavar="", help="Wait until each accepted job has ended.")
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", metavar="", help="Exit with status 1 if a job is stopping but not stopped yet."
    ),
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="For one HTTP exchange.")]
WaitTimeout = Annotated[
    str,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="For the whole wait: seconds, or a text such as 90s, 10m or 1h30m.",
    ),
]
NoCancel = Annotated[
    bool,
    typer.Option(
        "--no-cancel",
        metavar="",
        help="Leave the job running when the time is up or after an interrupt.",
    ),
]
Poll = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Read the status at this interval, instead of one that grows from 1 s (or the "
        "vendor's) to 15 s.",
    ),
]
Deadline = Annotated[
    float, typer.Option(metavar="SECONDS", help="For each job, including retries and waits.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The vendor's URL, instead of its default."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="A value that the vendor needs besides the ID; repeatable."
    ),
]
KeyFile = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Read the API key from a file; - is standard input."),
]
NoKey = Annotated[
    str | None, typer.Option("--api-key", hidden=True, is_eager=True, callback=_refuse_key)
]
Cassette = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The cassette.")]
ScrubEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Also replace the value of this environment variable; repeatable."
    ),
]
ScrubFile = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Also replace each line of this file; - is standard input; repeatable.",
    ),
]
NoScrub = Annotated[
    list[str] | None,
    typer.Option("--scrub", hidden=True, is_eager=True, callback=_refuse_scrub),
]
Force = Annotated[bool, typer.Option("--force", metavar="", help="Overwrite FILE.")]
JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="ID that the vendor returned.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object per line.")]


# Which go together

_WITH_FROM = {
    "done": "--done",
    "concurrency": "--concurrency",
    "rate": "--rate",
    "max_wait": "--max-wait",
    "column": "--column",
    "skip_unconfigured": "--skip-unconfigured",
}


def check_named(
    context: typer.Context, provider: str | None, job_ids: Sequence[str] | None
) -> tuple[str, Sequence[str]]:
    """Return the provider and the ids of jobs that are named on the command line.

    Raises:
        UsageError: one of them is missing, or there is an option for `--from`.
    """
    if provider is None:
        context.fail("Missing PROVIDER (or use --from FILE)")
    if not job_ids:
        context.fail("Missing JOB_ID (or use --from FILE)")
    for name, option in _WITH_FROM.items():
        source: Any = context.get_parameter_source(name)
        if source.name == "COMMANDLINE":
            raise typer.BadParameter("it needs --from", param_hint=option)
    return provider, job_ids


def check_from(
    source: str,
    provider: str | None,
    job_ids: Sequence[str] | None,
    *,
    api_key_file: str | None,
    base_url: str | None,
) -> None:
    """Check the options that are used together with `--from`.

    Raises:
        BadParameter: two of them exclude each other, or one needs another.
    """
    if job_ids:
        raise typer.BadParameter("the ids are in the file of --from", param_hint="JOB_ID")
    for value, option in ((api_key_file, "--api-key-file"), (base_url, "--base-url")):
        if value is not None and provider is None:
            raise typer.BadParameter("it needs PROVIDER, to say whose it is", param_hint=option)
    if source == "-" == api_key_file:
        raise typer.BadParameter(
            "standard input is either the key or the jobs of --from", param_hint="--api-key-file"
        )


# Their values


def read_rate(given: Iterable[str]) -> str | dict[str, str] | None:
    """Return the value of the `--rate` options: one rate for all, or one for each provider.

    Raises:
        BadParameter: there is a second rate for all, or for a provider.
    """
    rates: dict[str, str] = {}
    for text in given:
        provider, _, rate = text.rpartition("=")
        if provider in rates or (rates and "" in {provider, *rates}):
            raise typer.BadParameter(
                "one rate for all, such as 60/s, or one for each provider, such as pulse=60/s",
                param_hint="--rate",
            )
        rates[provider] = rate
    return rates.get("", rates) or None


def read_duration(given: str, option: str) -> float:
    """Return the seconds of a duration such as `90`, `90s`, `10m` or `1h30m`.

    Args:
        given: the duration.
        option: the option's name, for the message.

    Raises:
        BadParameter: it is not a duration.
    """
    parts = _DURATION.fullmatch(given.strip())
    if parts is None or not any(parts.groups()):
        raise typer.BadParameter(
            f"{given!r} is not a duration; use seconds, or a text such as 90s, 10m or 1h30m",
            param_hint=option,
        )
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 3600 * hours + 60 * minutes + seconds


_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile(f"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s?)?")


def read_columns(given: Iterable[str]) -> dict[str, str]:
    """Return the value of the `--column` options: our name -> the file's.

    Raises:
        BadParameter: one is not of the form `NAME=COLUMN`, or repeats a name or a column.
    """
    columns: dict[str, str] = {}
    for text in given:
        name, _, column = text.partition("=")
        if not name or not column:
            raise typer.BadParameter(
                f"{text!r} is not of the form NAME=COLUMN, such as job_id=run",
                param_hint="--column",
            )
        if name in columns or column in columns.values():
            raise typer.BadParameter(f"{text!r}: given twice", param_hint="--column")
        columns[name] = column
    return columns


def read_params(given: Iterable[str]) -> dict[str, str]:
    """Return the value of the `--param` options.

    Raises:
        BadParameter: one is not of the form `name=value`, or repeats a name.
    """
    params: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(
                f"{text!r} is not of the form name=value", param_hint="--param"
            )
        if name in params:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--param")
        params[name] = value
    return params


def read_private(path: str, *, longest: int, missing: str) -> str:
    """Return the text of a file that holds private values.

    Args:
        path: its path; `-` is standard input.
        longest: characters that it may have.
        missing: what to report as missing if it cannot be read, such as `"no API key"`.

    Raises:
        ConfigurationError: it cannot be read, is too long, or is blank.
    """
    piped = path == "-"
    failure = f"{missing} from {'standard input' if piped else repr(path)}"
    try:
        # This codec skips the byte order mark that editors on Windows write.
        with open(0 if piped else path, encoding="utf-8-sig", closefd=not piped) as file:
            text = file.read(longest + 1)
    except OSError as error:
        raise ConfigurationError(f"{failure}: {error.strerror}") from None
    except ValueError:
        # Neither the error nor its cause: they quote the text.
        raise ConfigurationError(f"{failure}: it is not a UTF-8 text file") from None
    if len(text) > longest:
        raise ConfigurationError(f"{failure}: it is longer than {longest:,} characters")
    if not text.strip():
        raise ConfigurationError(f"{failure}: it is empty")
    return text


# The client

_LONGEST_KEY = 1 << 16
"""Characters; a signed token has a few thousand."""

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
    """Open a client for one provider; print a warning if the provider is deprecated.

    Args:
        kind: the client's class.
        provider: the provider's name; None for all, with keys and URLs from the environment only.
        api_key_file: the file with the key, `-` for standard input; None for the environment.
        base_url: the provider's URL; None for the environment or the vendor's default.
        timeout: seconds for one HTTP exchange.
        deadline: seconds for one whole call.
        params: those of the command line; they may choose the provider's host.
        verify: whether to read a job's status after an acceptance.

    Raises:
        JobCancelError: a setting is invalid, or there is no key.
    """
    keys, urls = {}, {}
    if provider is not None:
        adapter = get_adapter(provider)
        if api_key_file is not None:
            keys[provider] = read_private(api_key_file, longest=_LONGEST_KEY, missing="no API key")
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
    """Return the URL whose host the params choose; a line of a file may not choose any host."""
    if not any(f"{{{name}}}" in adapter.default_url for name in params):
        return None
    try:
        return adapter.default_url.format_map(params)
    except KeyError:  # another part of it is missing
        return None


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Ignore the Python warnings about deprecated providers: the command line prints its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"provider '.*' is deprecated", DeprecationWarning)
        yield


@contextmanager
def needing_key(provider: str) -> Iterator[None]:
    """Name --api-key-file, too, in the error about a missing key.

    Raises:
        ConfigurationError: the key is missing.
    """
    try:
        yield
    except MissingCredential:
        raise ConfigurationError(f"{no_key(provider)} or use --api-key-file") from None


def no_key(provider: str) -> str:
    """Return the message about a missing key: the variable to set."""
    return f"no API key for {provider!r}: set {get_adapter(provider).key_env}"
