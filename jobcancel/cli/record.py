"""`jobcancel record`: cancels a job and records the exchange as a cassette for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobcancel import Canceller, ConfigurationError
from jobcancel.cli.options import read_private
from jobcancel.cli.output import printer, waiting
from jobcancel.cli.streams import complain
from jobcancel.testing.cassette.recorder import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LONGEST_FILE = 1 << 20
"""Characters."""


def check_file(file: str, *, force: bool) -> Path:
    """Return the path of the cassette; check it before anything is sent.

    Raises:
        ConfigurationError: it exists and `force` is not given, or it cannot be written.
    """
    path = Path(file)
    if path.is_dir():
        raise ConfigurationError(f"{file!r} is a directory; give the name of a file in it")
    if not path.parent.is_dir():
        raise ConfigurationError(f"there is no directory {str(path.parent)!r}; make it first")
    if path.exists() and not force:
        raise ConfigurationError(f"{file!r} exists; use --force to overwrite it")
    return path


def read_scrub(variables: Sequence[str], files: Sequence[str]) -> Sequence[str]:
    """Return the values to scrub, without duplicates.

    Args:
        variables: names of environment variables; each has one value.
        files: paths of files with one value per line; `-` is standard input.

    Raises:
        ConfigurationError: a variable is not set, or a file cannot be read or is empty.
    """
    values = []
    for name in variables:
        if not (value := os.environ.get(name, "").strip()):
            raise ConfigurationError(f"--scrub-env {name}: it is not set, or is empty")
        values.append(value)
    for path in files:
        text = read_private(path, longest=_LONGEST_FILE, missing="nothing to scrub")
        values += filter(None, map(str.strip, text.splitlines()))
    return list(dict.fromkeys(values))


def run(
    canceller: Canceller,
    provider: str,
    job_id: str,
    path: Path,
    *,
    options: Mapping[str, Any],
    scrub: Sequence[str],
    as_json: bool,
) -> bool:
    """Cancel a job, print the outcome, and write the cassette.

    Args:
        canceller: the client.
        provider: the provider.
        job_id: the job's id.
        path: the path of the cassette.
        options: keyword arguments of `cancel` that a replay needs.
        scrub: values to replace.
        as_json: whether the result is printed as JSON.

    Returns:
        whether the job is stopped and the cassette replays to the same outcome.

    Raises:
        JobCancelError: the call is invalid, or the cassette cannot be written.
    """
    with waiting(f"cancelling {job_id}"):
        recorded = record(
            canceller,
            provider,
            job_id,
            options=options,
            scrub=scrub,
            recorded_on=datetime.now(UTC).date().isoformat(),
        )
    printer([job_id], as_json=as_json)(recorded.result)
    if recorded.text:
        _write(path, recorded.text)
    _report(path, recorded)
    return recorded.result.stopped and recorded.problem is None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the cassette cannot be written to {str(path)!r}: {error.strerror}"
        ) from None


def _report(path: Path, recorded: Recorded) -> None:
    for what, times in recorded.replaced.items():
        complain(f"replaced {what}, times: {times}")
    for number in recorded.missed:
        complain(f"value {number} to scrub did not occur")
    if recorded.text:
        complain(f"recorded in {path}, replies: {recorded.replies}")
        if recorded.problem is not None:
            complain(f"{path} does not replay to {recorded.result.outcome}: {recorded.problem}")
    else:
        complain(f"nothing is recorded: {recorded.problem}")
