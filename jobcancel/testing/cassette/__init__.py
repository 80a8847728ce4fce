"""Recordings (vcrpy's cassettes): where they are, and what each holds.

Those that come with jobcancel are in `cassettes/` of its repository, and in a directory `recorded`
beside this module once it is installed. How one is played is in `replay`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from jobcancel.errors import ConfigurationError
from jobcancel.models import Outcome
from jobcancel.testing.steps import Step, reply

_INSTALLED = Path(__file__).with_name("recorded")
_IN_THE_REPOSITORY = Path(__file__).parents[3] / "cassettes"


@frozen(kw_only=True)
class Recording:
    """One job, and what a vendor answered about it.

    Args:
        path: the cassette.
        provider: the provider that was asked.
        job_id: the job's id.
        outcome: what its cancel ended with.
        options: the keyword arguments of `cancel` that it was recorded with, such as `verify`.
        recorded_from: who answered.
    """

    path: Path
    provider: str
    job_id: str
    outcome: Outcome
    options: Mapping[str, Any] = field(factory=dict)
    recorded_from: str = ""


def cassettes() -> tuple[str, ...]:
    """Return the names of the cassettes that come with jobcancel.

    Example:
        >>> [name for name in cassettes() if name.startswith("talonic/c")]
        ['talonic/cancelled']
    """
    folder = _folder()
    found = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.yaml"))
    return tuple(sorted(path.as_posix() for path in found))


def recording(name: str | os.PathLike[str]) -> Recording:
    """Return what a cassette holds.

    Args:
        name: one of `cassettes()`, or the path of one of your own, which ends with `.yaml`.

    Raises:
        ConfigurationError: there is no such cassette, or it does not say what it holds.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = _folder() / f"{_known(os.fspath(name))}.yaml"
    import yaml  # comes with vcrpy

    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
        said = held["metadata"]
        return Recording(
            path=path,
            provider=said["provider"],
            job_id=said["job_id"],
            outcome=Outcome(said["outcome"]),
            options=said["options"],
            recorded_from=said["recorded_from"],
        )
    except OSError as error:
        raise ConfigurationError(f"no cassette {str(path)!r}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"the cassette {str(path)!r} does not say which job it holds; record it with "
            "'jobcancel record'"
        ) from None


def recorded(name: str | os.PathLike[str], number: int = 1) -> Step:
    """Return one reply of a cassette, such as an adapter's contract takes.

    Args:
        name: one of `cassettes()`, or the path of one of your own, which ends with `.yaml`.
        number: of the request that it replies to, from 1.

    Raises:
        ConfigurationError: there is no such cassette, or not so many replies in it.

    Example:
        >>> recorded("pulse/cancelled").status_code
        200
    """
    import yaml  # comes with vcrpy

    path = recording(name).path
    held = yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]
    if not 1 <= number <= len(held):
        raise ConfigurationError(
            f"the cassette {str(path)!r} has {len(held)} replies, not {number}"
        )
    response = held[number - 1]["response"]
    body = response["body"]["string"]
    return reply(
        response["status"]["code"],
        body.encode() if isinstance(body, str) else body,
        headers={key: ", ".join(values) for key, values in response["headers"].items()},
    )


def _folder() -> Path:
    return _INSTALLED if _INSTALLED.is_dir() else _IN_THE_REPOSITORY


def _of(name: str, known: Sequence[str]) -> list[str]:
    """Return those of the same provider as `name`."""
    provider = name.partition("/")[0]
    return [each for each in known if each.startswith(f"{provider}/")]


def _known(name: str) -> str:
    known = cassettes()
    if name in known:
        return name
    own = _of(name, known)
    near = difflib.get_close_matches(name, own or known, n=1, cutoff=0.8)
    suggestion = f"; did you mean {near[0]!r}?" if near else "."
    alike = own or (_of(near[0], known) if near else [])
    there = alike or sorted({each.partition("/")[0] + "/..." for each in known})
    raise ConfigurationError(f"no cassette {name!r}{suggestion} There are: {', '.join(there)}")
