"""Which arguments of `cancel` go together, and what its `--rate` options say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    """Return the provider and the ids of jobs that are named one by one.

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
    """Check what is given together with `--from`.

    Raises:
        BadParameter: two arguments exclude each other, or one needs another.
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


def read_rate(given: Iterable[str]) -> str | dict[str, str] | None:
    """Return what `--rate` options say: nothing, one rate for all, or one for each provider.

    Raises:
        BadParameter: one is for all and there is another one, or a provider is given twice.
    """
    rates: dict[str, str] = {}
    for each in given:
        provider, _, rate = each.rpartition("=")
        if provider in rates or (rates and "" in {provider, *rates}):
            raise typer.BadParameter(
                "one rate for all, such as 60/s, or one for each provider, such as pulse=60/s",
                param_hint="--rate",
            )
        rates[provider] = rate
    return rates.get("", rates) or None


def read_columns(given: Iterable[str]) -> dict[str, str]:
    """Return what `--column` options say: our name -> the file's.

    Raises:
        BadParameter: one is not of the form `NAME=COLUMN`, or a name or a column is there twice.
    """
    columns: dict[str, str] = {}
    for each in given:
        name, _, column = each.partition("=")
        if not name or not column:
            raise typer.BadParameter(
                f"{each!r} is not of the form NAME=COLUMN, such as job_id=run",
                param_hint="--column",
            )
        if name in columns or column in columns.values():
            raise typer.BadParameter(f"{each!r}: given twice", param_hint="--column")
        columns[name] = column
    return columns
