"""The options of `cancel`, `status` and `record`, as typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer


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
            "what is private is not taken from the command line, where the shell's history and "
            "the list of processes show it; use --scrub-env or --scrub-file",
            param_hint="--scrub",
        )


Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="Such as pulse or talonic.")]
JobIds = Annotated[
    list[str], typer.Argument(metavar="JOB_ID", help="The ids that the vendor gave.")
]
AnyProvider = Annotated[
    str | None, typer.Argument(metavar="PROVIDER", help="Such as pulse or talonic.")
]
AnyJobIds = Annotated[
    list[str] | None, typer.Argument(metavar="JOB_ID", help="The ids that the vendor gave.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Read jobs from NDJSON, CSV with a header, or plain ids; - is standard input.",
    ),
]
DoneFiles = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="With --from: skip what this output of --json shows as stopped; repeatable.",
    ),
]
Concurrency = Annotated[
    int, typer.Option(metavar="N", help="With --from: requests in flight at the most.")
]
Rate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[PROVIDER=]RATE",
        help="With --from: send at this rate, such as 60/s or pulse=100/min, instead of the one "
        "that is learnt from the vendor; repeatable.",
    ),
]
MaxWait = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="With --from: wait out a rate limit up to this long."),
]
Verify = Annotated[
    bool, typer.Option("--verify", metavar="", help="Read each accepted job until it has ended.")
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="For one HTTP exchange.")]
Deadline = Annotated[
    float, typer.Option(metavar="SECONDS", help="For each job, retries and waits included.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where the vendor is, instead of its own address."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="What the vendor needs besides the id; repeatable."),
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
JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="The id that the vendor gave.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object a line.")]
