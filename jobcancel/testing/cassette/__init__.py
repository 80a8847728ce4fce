"""Cassettes, the recordings of vcrpy: where they are, and what each contains.

Those that come with jobcancel are in `cassettes/` of the repository; the wheel has them in
`recorded/` beside this module. `replay` plays them, `recorder` makes new ones.
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
    """The cancel of one job, recorded.

    Args:
        path: the cassette's path.
        provider: the job's provider.
        job_id: the job's id.
        outcome: the outcome of the cancel.
        options: the keyword arguments of `cancel`, such as `verify`.
        recorded_from: the host that replied.
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
    """Return the description of a cassette.

    Args:
        name: one of `cassettes()`, or the path of your own cassette, which ends with `.yaml`.

    Raises:
        ConfigurationError: there is no such cassette, or it has no description.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        path = _folder() / f"{_known(os.fspath(name))}.yaml"
    import yaml  # comes with vcrpy

    try:
        described = yaml.safe_load(path.read_text(encoding="utf-8"))["metadata"]
        return Recording(
            path=path,
            provider=described["provider"],
            job_id=described["job_id"],
            outcome=Outcome(described["outcome"]),
            options=described["options"],
            recorded_from=described["recorded_from"],
        )
    except OSError as error:
        raise ConfigurationError(f"no cassette {str(path)!r}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"the cassette {str(path)!r} does not describe its job; record it with "
            "'jobcancel record'"
        ) from None


def recorded(name: str | os.PathLike[str], number: int = 1) -> Step:
    """Return one reply of a cassette, for example for an adapter's contract.

    Args:
        name: one of `cassettes()`, or the path of your own cassette, which ends with `.yaml`.
        number: the number of the reply, from 1.

    Raises:
        ConfigurationError: there is no such cassette, or it has fewer replies.

    Example:
        >>> recorded("pulse/cancelled").status_code
        200
    """
    import yaml  # comes with vcrpy

    path = recording(name).path
    exchanges = yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]
    if not 1 <= number <= len(exchanges):
        raise ConfigurationError(
            f"the cassette {str(path)!r} has {len(exchanges)} replies, not {number}"
        )
    response = exchanges[number - 1]["response"]
    body = response["body"]["string"]
    return reply(
        response["status"]["code"],
        body.encode() if isinstance(body, str) else body,
        headers={key: ", ".join(values) for key, values in response["headers"].items()},
    )


def _folder() -> Path:
    return _INSTALLED if _INSTALLED.is_dir() else _IN_THE_REPOSITORY


def _same_provider(name: str, known: Sequence[str]) -> list[str]:
    """Return the cassettes of the same provider as `name`."""
    provider = name.partition("/")[0]
    return [each for each in known if each.startswith(f"{provider}/")]


def _known(name: str) -> str:
    known = cassettes()
    if name in known:
        return name
    own = _same_provider(name, known)
    near = difflib.get_close_matches(name, own or known, n=1, cutoff=0.8)
    suggestion = f"; did you mean {near[0]!r}?" if near else "."
    similar = own or (_same_provider(near[0], known) if near else [])
    shown = similar or sorted({each.partition("/")[0] + "/..." for each in known})
    raise ConfigurationError(f"no cassette {name!r}{suggestion} Known: {', '.join(shown)}")
