"""The commands and their options; what each of them does is in a module of its own.

Typer reads the signatures, so all options of a command are spelled out here.
"""

from __future__ import annotations

from typing import Annotated

import typer

from jobcancel import __version__, get_adapter, providers
from jobcancel.cli.calls import client, read_params
from jobcancel.cli.describe import describe, summary
from jobcancel.cli.extras import require
from jobcancel.cli.listing import print_facts, print_summaries
from jobcancel.cli.show import printer, waiting

_SOME_NOT, _INTERRUPTED = 1, 130

app = typer.Typer(
    name="jobcancel",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 all stopped, 1 some not, 2 usage or configuration, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        typer.echo(f"jobcancel {__version__}")
        raise typer.Exit


def _refuse_key(given: str | None) -> None:
    if given is not None:
        raise typer.BadParameter(
            "a key is not taken from the command line, where the shell's history keeps it; set "
            "the environment variable that 'jobcancel providers' names, or use --api-key-file",
            param_hint="--api-key",
        )


Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="Such as pulse or talonic.")]
JobIds = Annotated[
    list[str], typer.Argument(metavar="JOB_ID", help="The ids that the vendor gave.")
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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.callback()
def jobcancel(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Cancel asynchronous jobs at any vendor, and learn truthfully what became of them."""


_EXAMPLES = """Examples:

jobcancel cancel pulse abc123-def456-ghi789

jobcancel cancel --verify --json talonic JOB_ID JOB_ID

jobcancel cancel --api-key-file /run/secrets/pulse pulse JOB_ID
"""


@app.command(epilog=_EXAMPLES)
def cancel(
    provider: Provider,
    job_ids: JobIds,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read each accepted job until it has ended.")
    ] = False,
    timeout: Timeout = 10.0,
    deadline: Deadline = 30.0,
    base_url: BaseUrl = None,
    param: Param = None,
    api_key_file: KeyFile = None,
    api_key: NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: Json = False,
) -> None:
    """Cancel jobs, one after the other, and print what became of each.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    An id that begins with a dash goes after --.
    """
    params = read_params(param or ())
    put = printer(job_ids, as_json=as_json)
    stopped = True
    with client(
        provider,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
        verify=verify,
    ) as canceller:
        for job_id in job_ids:
            with waiting(f"cancelling {job_id}"):
                result = canceller.cancel(provider, job_id, params=params)
            put(result)
            stopped = stopped and result.stopped
    if not stopped:
        raise typer.Exit(_SOME_NOT)


@app.command()
def status(
    provider: Provider,
    job_ids: JobIds,
    *,
    timeout: Timeout = 10.0,
    deadline: Deadline = 30.0,
    base_url: BaseUrl = None,
    param: Param = None,
    api_key_file: KeyFile = None,
    api_key: NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: Json = False,
) -> None:
    """Print where jobs are; the exit status is 0 when every state was read, else 1.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    """
    params = read_params(param or ())
    put = printer(job_ids, as_json=as_json)
    read = True
    with client(
        provider,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
    ) as canceller:
        for job_id in job_ids:
            with waiting(f"reading {job_id}"):
                reading = canceller.status(provider, job_id, params=params)
            put(reading)
            read = read and reading.problem is None
    if not read:
        raise typer.Exit(_SOME_NOT)


@app.command(name="providers")
def list_providers(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Tell all about this provider.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the providers; with a name, how each of that one's replies is read."""
    if name is None:
        print_summaries([summary(each) for each in providers()], as_json=as_json)
    else:
        print_facts(describe(get_adapter(name)), as_json=as_json)


@app.command()
def sandbox(
    *,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.")] = 8765,
    pulse_rate: Annotated[
        float | None,
        typer.Option(metavar="PER_SECOND", help="Requests a second that Pulse accepts."),
    ] = None,
    pulse_burst: Annotated[
        int | None,
        typer.Option(metavar="N", help="Requests at once that Pulse accepts."),
    ] = None,
    talonic_per_day: Annotated[
        int | None,
        typer.Option(metavar="N", help="Requests a day that Talonic accepts."),
    ] = None,
) -> None:
    """Run a local stand-in for Pulse and Talonic, with jobs in every situation."""
    if pulse_burst is not None and pulse_rate is None:
        raise typer.BadParameter("it needs --pulse-rate", param_hint="--pulse-burst")
    require("sandbox", "'jobcancel sandbox'")
    from jobcancel.cli.serve import serve

    serve(
        host,
        port,
        pulse_rate=pulse_rate,
        pulse_burst=pulse_burst,
        talonic_per_day=talonic_per_day,
    )
    raise typer.Exit(_INTERRUPTED)


@app.command()
def demo() -> None:
    """Cancel jobs in every situation that the sandbox knows, and check each outcome.

    It takes about ten seconds; nothing leaves this computer.
    """
    require("sandbox", "'jobcancel demo'")
    from jobcancel.cli.demo import run

    if not run():
        raise typer.Exit(_SOME_NOT)
