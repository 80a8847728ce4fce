"""The commands; what each of them does is in a module of its own, and its options in `options`.

Typer reads the signatures, so all options of a command are listed here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobcancel import __version__, get_adapter, providers
from jobcancel.cli import options  # noqa: TC001 - typer evaluates the signatures
from jobcancel.cli.arguments import check_from, check_named, read_rate
from jobcancel.cli.calls import client, needing_key, read_params
from jobcancel.cli.describe import describe, summary
from jobcancel.cli.extras import require
from jobcancel.cli.listing import print_facts, print_summaries
from jobcancel.cli.many import Many
from jobcancel.cli.show import give_up_output, printer, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobcancel import Canceller

_SOME_NOT, _INTERRUPTED = 1, 130

app = typer.Typer(
    name="jobcancel",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 all stopped, 1 some not, 2 usage, configuration or a malformed line, "
    "130 interrupted.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        typer.echo(f"jobcancel {__version__}")
        raise typer.Exit


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

jobcancel cancel --from jobs.csv --json --done out.ndjson >> out.ndjson
"""


@app.command(epilog=_EXAMPLES)
def cancel(
    context: typer.Context,
    provider: options.AnyProvider = None,
    job_ids: options.AnyJobIds = None,
    *,
    source: options.Source = None,
    done: options.DoneFiles = None,
    concurrency: options.Concurrency = 32,
    rate: options.Rate = None,
    max_wait: options.MaxWait = 60.0,
    verify: options.Verify = False,
    timeout: options.Timeout = 10.0,
    deadline: options.Deadline = 30.0,
    base_url: options.BaseUrl = None,
    param: options.Param = None,
    api_key_file: options.KeyFile = None,
    api_key: options.NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: options.Json = False,
) -> None:
    """Cancel jobs and print what became of each.

    Those named by JOB_ID go one after the other, those of --from many at once.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    An id that begins with a dash goes after --.
    """
    params = read_params(param or ())
    open_client = partial(
        client,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
        verify=verify,
    )
    if source is None:
        provider, named = check_named(context, provider, job_ids)
        with open_client(provider) as canceller:
            exit_status = _cancel_each(canceller, provider, named, params, as_json=as_json)
    else:
        check_from(source, provider, job_ids, api_key_file=api_key_file, base_url=base_url)
        many = Many(
            path=source,
            provider=provider,
            params=params,
            done=done or (),
            concurrency=concurrency,
            rate=read_rate(rate or ()),
            max_wait=max_wait,
            as_json=as_json,
        )
        with open_client(provider) as canceller:
            exit_status = many.run(canceller)
    raise typer.Exit(exit_status)


def _cancel_each(
    canceller: Canceller,
    provider: str,
    job_ids: Sequence[str],
    params: Mapping[str, str],
    *,
    as_json: bool,
) -> int:
    put = printer(job_ids, as_json=as_json)
    stopped = True
    with needing_key(provider):
        for number, job_id in enumerate(job_ids, 1):
            with waiting(f"cancelling {job_id}"):
                result = canceller.cancel(provider, job_id, params=params)
            try:
                put(result)
            except OSError as error:
                give_up_output(error, f"{job_id}: {result.outcome}", job_ids[number:])
                raise typer.Exit(_SOME_NOT) from None
            stopped = stopped and result.stopped
    return 0 if stopped else _SOME_NOT


@app.command()
def status(
    provider: options.Provider,
    job_ids: options.JobIds,
    *,
    timeout: options.Timeout = 10.0,
    deadline: options.Deadline = 30.0,
    base_url: options.BaseUrl = None,
    param: options.Param = None,
    api_key_file: options.KeyFile = None,
    api_key: options.NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: options.Json = False,
) -> None:
    """Print where jobs are; the exit status is 0 when every state was read, else 1.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    """
    params = read_params(param or ())
    put = printer(job_ids, as_json=as_json)
    read = True
    with (
        client(
            provider,
            api_key_file=api_key_file,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
        ) as canceller,
        needing_key(provider),
    ):
        for job_id in job_ids:
            with waiting(f"reading {job_id}"):
                reading = canceller.status(provider, job_id, params=params)
            put(reading)
            read = read and reading.problem is None
    if not read:
        raise typer.Exit(_SOME_NOT)


@app.command()
def record(
    provider: options.Provider,
    job_id: options.JobId,
    *,
    output: options.Cassette,
    force: options.Force = False,
    scrub_env: options.ScrubEnv = None,
    scrub_file: options.ScrubFile = None,
    scrub: options.NoScrub = None,  # noqa: ARG001 - its callback has refused it
    verify: options.Verify = False,
    timeout: options.Timeout = 10.0,
    deadline: options.Deadline = 30.0,
    base_url: options.BaseUrl = None,
    param: options.Param = None,
    api_key_file: options.KeyFile = None,
    api_key: options.NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: options.Json = False,
) -> None:
    """Cancel a job and record what was sent and answered, as a cassette for tests.

    The API key is replaced, and so is what --scrub-env and --scrub-file give, however it is
    written; of the headers only those are kept that do not tell who asks. Look through FILE
    nevertheless before you share it. The exit status is 0 when the job is stopped and the
    cassette replays to the same outcome.
    """
    require("testing", "'jobcancel record'")
    from jobcancel.cli.record import check_file, read_scrub, run

    path = check_file(output, force=force)
    files = scrub_file or []
    if [*files, api_key_file].count("-") > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="--scrub-file")
    values = read_scrub(scrub_env or (), files)
    given = {"params": read_params(param or ()), "verify": verify, "deadline": deadline}
    usual = {"params": {}, "verify": False, "deadline": 30.0}
    with (
        client(
            provider,
            api_key_file=api_key_file,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
            verify=verify,
        ) as canceller,
        needing_key(provider),
    ):
        well = run(
            canceller,
            provider,
            job_id,
            path,
            options={name: value for name, value in given.items() if value != usual[name]},
            scrub=values,
            as_json=as_json,
        )
    if not well:
        raise typer.Exit(_SOME_NOT)


@app.command(name="providers")
def list_providers(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Tell all about this provider.")
    ] = None,
    *,
    as_json: options.Json = False,
) -> None:
    """List the providers; with a name, how each of that one's replies is read."""
    if name is None:
        print_summaries([summary(each) for each in providers()], as_json=as_json)
    else:
        print_facts(describe(get_adapter(name)), as_json=as_json)


@app.command(name="new-adapter")
def new_adapter(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as acme-batch.")],
    *,
    into: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the project's directory is made.")
    ] = Path(),
) -> None:
    """Write a project for a vendor of your own, with an adapter and its contract, to be edited."""
    from jobcancel.cli.scaffold import write

    for path in write(name, into):
        typer.echo(path)
    typer.echo(
        f"Next: cd jobcancel-{name}; pip install -e . 'jobcancel[testing]'; pytest", err=True
    )


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
    """Run a local stand-in for the vendors; Pulse and Talonic have jobs in every situation."""
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
