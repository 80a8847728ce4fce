"""`jobcancel record`: cancels a job and keeps what was said as a cassette for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobcancel import Canceller, ConfigurationError
from jobcancel.cli.show import printer, waiting
from jobcancel.cli.words import complain
from jobcancel.testing.recorder import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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


def check_scrub(given: Sequence[str]) -> Sequence[str]:
    """Return the values of `--scrub` options.

    Raises:
        ConfigurationError: one is empty.
    """
    if not all(given):
        raise ConfigurationError("--scrub needs a value that is not empty")
    return list(dict.fromkeys(given))


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
        complain(f"value {number} of --scrub did not occur")
    if recorded.text:
        complain(f"recorded in {path}, replies: {recorded.replies}")
        if recorded.problem is not None:
            complain(f"{path} does not replay to {recorded.result.outcome}: {recorded.problem}")
    else:
        complain(f"nothing is recorded: {recorded.problem}")
