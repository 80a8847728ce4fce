"""The options of `cancel`, `status` and `record`, as typer reads them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from jobcancel import providers


def _refuse_key(given: str | None) -> None:
    if given is not None:
        raise typer.BadParameter(
            "a key is not taken from the command line, where the shell's history keeps it; set "
            "the environment variable that 'jobcancel providers' names, or use --api-key-file",
            param_hint="--api-key",
        )


def complete_provider(incomplete: str) -> list[str]:
    """Return the providers whose names begin like that, for shell completion."""
    return [name for name in providers() if name.startswith(incomplete)]


def _refuse_scrub(given: list[str] | None) -> None:
    if given:
        raise typer.BadParameter(
            "what is private is not taken from the command line, where the shell's history and "
            "the list of processes show it; use --scrub-env or --scrub-file",
            param_hint="--scrub",
        )


_provider = partial(
    typer.Argument,
    metavar="PROVIDER",
    help="A provider's name, such as pulse; 'jobcancel providers' lists them.",
    autocompletion=complete_provider,
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
        autocompletion=complete_provider,
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
        help="With --from: what the file calls job_id, provider or a param, such as job_id=run; "
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
    int, typer.Option(metavar="N", help="With --from: most requests in flight.")
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
    typer.Option(metavar="SECONDS", help="With --from: wait out a rate limit up to this long."),
]
Verify = Annotated[
    bool, typer.Option("--verify", metavar="", help="Wait until each accepted job has ended.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", metavar="", help="Exit with 1 if a job is stopping, not stopped yet."),
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="For one HTTP exchange.")]
Deadline = Annotated[
    float, typer.Option(metavar="SECONDS", help="For each job, retries and waits included.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The vendor's URL, instead of its default."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="What the vendor needs besides the ID; repeatable."),
]
KeyFile = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Read the API key from a file; - is standard input."),
]
NoKey = Annotated[
    str | None, typer.Option("--api-key", hidden=True, is_eager=True, callback=_refuse_key)
]
Cassette = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Where the cassette goes.")
]
ScrubEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Replace what this environment variable holds, too; repeatable."
    ),
]
ScrubFile = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Replace each line of this file, too; - is standard input; repeatable.",
    ),
]
NoScrub = Annotated[
    list[str] | None,
    typer.Option("--scrub", hidden=True, is_eager=True, callback=_refuse_scrub),
]
Force = Annotated[bool, typer.Option("--force", metavar="", help="Overwrite FILE.")]
JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="ID that the vendor returned.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object per line.")]
