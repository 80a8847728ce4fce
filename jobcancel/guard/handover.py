"""How jobs are handed to the supervisor: as lines of JSON, and back to calls in its process.

An adapter that was registered at run time exists in the caller's process alone, so it is sent as
a pickle. The socket is in a directory of the user, and both processes are the user's own.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobcancel import config, log
from jobcancel.client import callers_level
from jobcancel.config import as_secret, with_key
from jobcancel.flow.call import Call
from jobcancel.models import Job
from jobcancel.registry import get_adapter, is_local
from jobcancel.retry import Policy

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Adapter
    from jobcancel.guard.held import Source


# The program; `multiprocessing` has another name for it in the processes that it starts.
_MAIN = ("__main__", "__mp_main__")


def source_message(source: Source) -> bytes:
    """Return the line that tells the supervisor how the jobs of a source are cancelled."""
    call = source.call
    message = {
        "provider": call.adapter.name,
        "base_url": call.endpoint.base_url,
        "verify": call.policy.verify,
        "timeout": call.policy.timeout,
        "key": _key(source),
        "adapter": (adapter := _pickled(call.adapter)),
        "path": None if adapter is None else module_path(),
    }
    return json.dumps(["source", source.number, message]).encode() + b"\n"


def module_path() -> list[str]:
    """Return where this process finds modules, for a process with another working directory."""
    try:
        return [str(Path(each).absolute()) for each in sys.path]
    except OSError:  # the working directory is deleted
        return [each for each in sys.path if Path(each).is_absolute()]


def call_of(message: dict[str, Any], job_id: str, params: dict[str, str] | None) -> Call:
    """Return the call that cancels one job, in the supervisor.

    Args:
        message: what `source_message` sent.
        job_id: the job's id.
        params: the job's params.

    Raises:
        JobCancelError: the adapter or the key is missing here.
    """
    adapter = _adapter(message)
    endpoint = config.endpoint(
        adapter,
        api_keys={},
        base_urls={},
        api_key=as_secret(message["key"]),
        base_url=message["base_url"],
        allow_http=True,  # it was decided in the caller's process
    )
    policy = Policy(timeout=message["timeout"], verify=message["verify"])
    return Call(adapter, Job(adapter.name, job_id, params or {}), endpoint, policy)


def _key(source: Source) -> str | None:
    """Return the key, or None if the supervisor has to find it in its environment."""
    # A callable may fail now and succeed when the job is cancelled; an async one cannot be called.
    with suppress(Exception):
        return with_key(source.call).endpoint.key.reveal()
    log.guard_unsupervised("the callable for the API key gave no key for the supervisor")
    return None


def _pickled(adapter: Adapter) -> str | None:
    """Return an adapter that only this process has as text; None for any other."""
    if not is_local(adapter.name):
        return None
    buffer = io.BytesIO()
    try:
        _Pickler(buffer).dump(adapter)
    except Exception as error:  # noqa: BLE001 - by a plug-in's own methods
        warnings.warn(
            f"jobcancel.guard: the adapter of {adapter.name!r} cannot be sent to the supervisor "
            f"({error}), so its jobs keep running if this process is killed; declare it as data "
            "in a module, or publish it as an entry point",
            RuntimeWarning,
            stacklevel=callers_level(),
        )
        return None
    return base64.b64encode(buffer.getvalue()).decode()


class _Pickler(pickle.Pickler):
    """Refuses what another process cannot import."""

    def reducer_override(self, value: object) -> Any:  # noqa: ANN401 - the interface of pickle
        if getattr(value, "__module__", None) in _MAIN and hasattr(value, "__qualname__"):
            raise pickle.PicklingError(f"{value!r} is defined in __main__")
        return NotImplemented


def _adapter(message: dict[str, Any]) -> Adapter:
    if (pickled := message["adapter"]) is None:
        return get_adapter(message["provider"])
    # The module of its functions; `jobcancel run` has another path than the program.
    sys.path += [each for each in message["path"] if each not in sys.path]
    # From a process of the same user, over a socket in a directory that only this user can enter.
    adapter: Adapter = pickle.loads(base64.b64decode(pickled))  # noqa: S301
    return adapter
