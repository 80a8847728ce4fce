"""`jobcancel sandbox`: runs the sandbox in the foreground until it is interrupted."""

from __future__ import annotations

import typer
from rich.console import Console

from jobcancel.cli.streams import complain
from jobcancel.sandbox import Quota, Sandbox, startup_text
from jobcancel.sandbox.keys import MAIN_KEYS


def serve(
    host: str,
    port: int,
    *,
    pulse_rate: float | None,
    pulse_burst: int | None,
    talonic_per_day: int | None,
) -> None:
    """Serve until interrupted.

    Args:
        host: a loopback address.
        port: the port, or 0 for any free one.
        pulse_rate: requests per second that Pulse's main key may send; None for any number.
        pulse_burst: requests that it may send at once.
        talonic_per_day: requests that Talonic's main key may send a day; None for any number.

    Raises:
        ConfigurationError: it cannot listen there, or a quota is out of its range.
    """
    quotas = {}
    if pulse_rate is not None:
        burst = 1 if pulse_burst is None else pulse_burst
        quotas[MAIN_KEYS["pulse"]] = Quota(per_second=pulse_rate, burst=burst)
    if talonic_per_day is not None:
        quotas[MAIN_KEYS["talonic"]] = Quota(per_day=talonic_per_day)
    with Sandbox(host=host, port=port, quotas=quotas) as sandbox:
        typer.echo(startup_text(sandbox, Console().width))
        complain("the sandbox runs until you press Ctrl-C")
        sandbox.serve_forever()
