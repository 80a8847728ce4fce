"""`jobcancel record`: cancels a job and keeps what was said as a cassette for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobcancel import Canceller, ConfigurationError
from jobcancel.cli.output import printer, waiting
from jobcancel.cli.words import complain
from jobcancel.testing.cassette.recorder import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_LONGEST_FILE = 1 << 20


def check_file(file: str, *, force: bool) -> Path:
    """Return where the cassette goes, before anything is sent for it.

    Raises:
        ConfigurationError: it is there already and not to be overwritten, or it cannot be.
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
    """Return the values that are to be scrubbed, each once.

    Args:
        variables: names of environment variables, each of which holds one.
        files: paths of files that hold one on each line, `-` for standard input.

    Raises:
        ConfigurationError: a variable is not set, or a file cannot be read or holds none.
    """
    values = []
    for name in variables:
        if not (value := os.environ.get(name, "").strip()):
            raise ConfigurationError(f"--scrub-env {name}: it is not set, or is empty")
        values.append(value)
    for path in files:
        piped = path == "-"
        name = "standard input" if piped else repr(path)
        try:
            with open(0 if piped else path, encoding="utf-8-sig", closefd=not piped) as file:
                lines = [line.strip() for line in file.read(_LONGEST_FILE).splitlines()]
        except OSError as error:
            raise ConfigurationError(f"nothing to scrub from {name}: {error.strerror}") from None
        except ValueError:
            # Neither the error nor its cause: they quote what was read.
            told = f"nothing to scrub from {name}: it is not a UTF-8 text file"
            raise ConfigurationError(told) from None
        if not any(lines):
            raise ConfigurationError(f"nothing to scrub from {name}: it is empty")
        values += filter(None, lines)
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
    """Cancel a job, print what became of it, and write the cassette.

    Args:
        canceller: what cancels.
        provider: the provider.
        job_id: the job's id.
        path: where the cassette goes.
        options: keyword arguments of `cancel` that a replay needs.
        scrub: values to take out.
        as_json: whether the result is printed as a line of JSON.

    Returns:
        whether the job is stopped and the cassette replays to the same outcome.

    Raises:
        JobCancelError: the job cannot be asked for, or the cassette cannot be written.
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
    _tell(path, recorded)
    return recorded.result.stopped and recorded.problem is None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the cassette cannot be written to {str(path)!r}: {error.strerror}"
        ) from None


def _tell(path: Path, recorded: Recorded) -> None:
    """Tell what is in the cassette, what was replaced, and what is wrong with it."""
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
