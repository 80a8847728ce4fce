"""The commands and their help; each command is implemented in another module.

Typer reads the signatures, so all options of a command are listed here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from jobcancel import Canceller, __version__, get_adapter, providers
from jobcancel.cli import FAILED, INTERRUPTED, options, require
from jobcancel.cli.describe import describe, summary
from jobcancel.cli.many import Many
from jobcancel.cli.options import (
    client,
    needing_key,
    read_columns,
    read_duration,
    read_params,
    read_rate,
)
from jobcancel.cli.output import print_facts, print_summaries
from jobcancel.cli.resume import ResumingCanceller
from jobcancel.cli.serial import cancel_jobs, read_statuses
from jobcancel.cli.streams import complain

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXIT_STATUS = (
    "Exit status: 0 every job is stopped or stopping (with --strict: stopped), 1 some are not, or "
    "the output cannot be written, 2 usage, configuration or a malformed line, 130 interrupted "
    "by Ctrl-C, 143 by SIGTERM."
)
_RUN_STATUS = (
    "Exit status: that of the command; 127 if there is no such program, 126 if it cannot be run. "
    "If a signal ends the command, it ends this process as well."
)


class _Command(TyperCommand):
    """A command whose help shows no Python types."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's click is not public
        return _without_types(super().get_params(ctx))


class _Group(TyperGroup):
    """The program, likewise."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - likewise
        return _without_types(super().get_params(ctx))


def _without_types(params: Iterable[Any]) -> list[Any]:
    shown = [*params]
    for each in shown:
        if each.param_type_name == "argument":
            # The type of an argument cannot be replaced, only hidden.
            vars(each)["display_type_rich"] = lambda **_: None
        elif each.is_flag and each.metavar is None:
            each.metavar = ""
    return shown


app = typer.Typer(
    name="jobcancel",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXIT_STATUS,
)

command = partial(app.command, cls=_Command)


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
    """Cancel a job at any vendor with one call, and know for certain whether it stopped."""


_EXAMPLES = f"""{_EXIT_STATUS}

Examples:

jobcancel cancel pulse abc123-def456-ghi789

jobcancel cancel --verify --json talonic JOB_ID JOB_ID

jobcancel cancel --api-key-file /run/secrets/pulse pulse JOB_ID

jobcancel cancel --from jobs.csv --json --done out.ndjson >> out.ndjson
"""


@command(epilog=_EXAMPLES)
def cancel(
    context: typer.Context,
    provider: options.AnyProvider = None,
    job_ids: options.AnyJobIds = None,
    *,
    source: options.Source = None,
    done: options.DoneFiles = None,
    column: options.Columns = None,
    skip_unconfigured: options.SkipUnconfigured = False,
    concurrency: options.Concurrency = 32,
    rate: options.Rate = None,
    max_wait: options.MaxWait = 60.0,
    verify: options.Verify = False,
    strict: options.Strict = False,
    timeout: options.Timeout = 10.0,
    deadline: options.Deadline = 30.0,
    base_url: options.BaseUrl = None,
    param: options.Param = None,
    api_key_file: options.KeyFile = None,
    api_key: options.NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: options.Json = False,
) -> None:
    """Cancel jobs and print the outcome of each.

    Jobs named by JOB_ID are cancelled one after the other, jobs of --from many at once.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    Put an ID that begins with a dash after --.
    """
    params = read_params(param or ())
    open_client = partial(
        client,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
        params=params,
        verify=verify,
    )
    if source is None:
        provider, named = options.check_named(context, provider, job_ids)
        with open_client(Canceller, provider) as canceller:
            exit_status = cancel_jobs(
                canceller, provider, named, params, strict=strict, as_json=as_json
            )
    else:
        options.check_from(source, provider, job_ids, api_key_file=api_key_file, base_url=base_url)
        many = Many(
            path=source,
            provider=provider,
            params=params,
            columns=read_columns(column or ()),
            done=done or (),
            skip_unconfigured=skip_unconfigured,
            strict=strict,
            concurrency=concurrency,
            rate=read_rate(rate or ()),
            max_wait=max_wait,
            as_json=as_json,
        )
        with open_client(ResumingCanceller, provider) as resuming:
            exit_status = many.run(resuming)
    raise typer.Exit(exit_status)


@command()
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
    """Print the state of jobs; the exit status is 0 if every state was read, else 1.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    """
    params = read_params(param or ())
    with client(
        Canceller,
        provider,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=timeout,
        deadline=deadline,
        params=params,
    ) as canceller:
        raise typer.Exit(read_statuses(canceller, provider, job_ids, params, as_json=as_json))


_WAIT_STATUS = (
    "Exit status: 0 the job succeeded, 1 it did not, as far as is known, or the output cannot be "
    "written, 2 usage or configuration, 130 interrupted by Ctrl-C, 143 by SIGTERM."
    """

Example:

jobcancel wait pulse abc123-def456-ghi789 --timeout 10m
"""
)


@command(epilog=_WAIT_STATUS)
def wait(
    provider: options.Provider,
    job_id: options.JobId,
    *,
    timeout: options.WaitTimeout,
    no_cancel: options.NoCancel = False,
    poll: options.Poll = None,
    base_url: options.BaseUrl = None,
    param: options.Param = None,
    api_key_file: options.KeyFile = None,
    api_key: options.NoKey = None,  # noqa: ARG001 - its callback has refused it
    as_json: options.Json = False,
) -> None:
    """Wait until a job has ended; cancel it if the time is up first.

    It is also cancelled if the wait is interrupted or this process is killed.
    The job's last state is printed, or the outcome of the cancel.

    The key comes from the environment (PULSE_API_KEY, TALONIC_API_KEY, ...) or from a file.
    """
    from jobcancel.cli.wait import run as run_wait

    params = read_params(param or ())
    seconds = read_duration(timeout, "--timeout")
    interval = None if poll is None else read_duration(poll, "--poll")
    with client(
        Canceller,
        provider,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=10.0,
        deadline=30.0,
        params=params,
    ) as canceller:
        exit_status = run_wait(
            canceller,
            provider,
            job_id,
            params,
            timeout=seconds,
            poll=interval,
            cancel=not no_cancel,
            as_json=as_json,
        )
    raise typer.Exit(exit_status)


@command()
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
    """Cancel a job and record the HTTP exchange as a cassette for tests.

    The API key and the values of --scrub-env and --scrub-file are replaced, in every encoding.
    Headers that may identify you are left out. Check FILE anyway before you share it. The exit
    status is 0 if the job is stopped and the cassette replays to the same outcome.
    """
    require("testing", "'jobcancel record'")
    from jobcancel.cli.record import check_file, read_scrub, run

    path = check_file(output, force=force)
    files = scrub_file or []
    if [*files, api_key_file].count("-") > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="--scrub-file")
    values = read_scrub(scrub_env or (), files)
    params = read_params(param or ())
    given = {"params": params, "verify": verify, "deadline": deadline}
    usual = {"params": {}, "verify": False, "deadline": 30.0}
    with (
        client(
            Canceller,
            provider,
            api_key_file=api_key_file,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
            params=params,
            verify=verify,
        ) as canceller,
        needing_key(provider),
    ):
        succeeded = run(
            canceller,
            provider,
            job_id,
            path,
            options={name: value for name, value in given.items() if value != usual[name]},
            scrub=values,
            as_json=as_json,
        )
    if not succeeded:
        raise typer.Exit(FAILED)


@command(name="providers")
def list_providers(
    name: options.ProviderName = None,
    *,
    as_json: options.Json = False,
) -> None:
    """List the providers; with a name, show how its replies are interpreted."""
    if name is None:
        print_summaries([summary(each) for each in providers()], as_json=as_json)
    else:
        print_facts(describe(get_adapter(name)), as_json=as_json)


@command(name="new-adapter")
def new_adapter(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as acme-batch.")],
    *,
    into: Annotated[
        Path, typer.Option(metavar="DIR", help="Where to create the project's directory.")
    ] = Path(),
) -> None:
    """Write a project for your own vendor: an adapter and its contract tests, ready to edit."""
    from jobcancel.cli.scaffold import write

    for path in write(name, into):
        typer.echo(path)
    typer.echo(
        f"Next: cd jobcancel-{name}; pip install -e . 'jobcancel[testing]'; pytest", err=True
    )


@command()
def sandbox(
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="0 for any free port.")] = 8765,
    pulse_rate: Annotated[
        float | None,
        typer.Option(metavar="PER_SECOND", help="Requests per second that Pulse accepts."),
    ] = None,
    pulse_burst: Annotated[
        int | None,
        typer.Option(metavar="N", help="Requests that Pulse accepts at once."),
    ] = None,
    talonic_per_day: Annotated[
        int | None,
        typer.Option(metavar="N", help="Requests per day that Talonic accepts."),
    ] = None,
) -> None:
    """Run a local mock of the vendors, with a job for every scenario."""
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
    raise typer.Exit(INTERRUPTED)


@command()
def demo() -> None:
    """Cancel a job in every scenario of the sandbox, and check each outcome.

    This takes about ten seconds; nothing leaves this computer.
    """
    require("sandbox", "'jobcancel demo'")
    from jobcancel.cli.demo import run

    if not run():
        raise typer.Exit(FAILED)


@command(context_settings={"allow_interspersed_args": False}, epilog=_RUN_STATUS)
def run(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND [ARGS]...",
            help="The program and its arguments.",
            show_default=False,
        ),
    ],
    *,
    grace: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=86_400,
            help="How long to go on cancelling after a process has died.",
        ),
    ] = 20.0,
) -> None:
    """Run a command; cancel the jobs that its guards hold when it, or a process of it, dies.

    It forwards signals, and can be the first process of a container (PID 1).
    """
    from jobcancel.guard.parent import run as run_command

    run_command(program, grace, complain)
