"""Everything the sandbox remembers, and the lock that guards it.

The server's thread and the test's thread both come here; what they may do is in `server`, `pulse`,
`talonic` and `declared`.
"""

from __future__ import annotations

import difflib
import secrets
import threading
from typing import TYPE_CHECKING

from jobcancel.errors import ConfigurationError
from jobcancel.models import JobState
from jobcancel.sandbox.checks import check_seconds, check_type
from jobcancel.sandbox.faults import Fault, FaultQueue, On
from jobcancel.sandbox.jobs import AT_ONCE, CancelPolicy, JobStore, SandboxJob
from jobcancel.sandbox.journal import Journal, Recent
from jobcancel.sandbox.keys import KEYS, MAIN_KEYS, SPENT_KEYS
from jobcancel.sandbox.quota import Quota, Quotas
from jobcancel.sandbox.seeds import SEEDS
from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.vendors.declaration import as_uuid
from jobcancel.sandbox.words import check_ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response


def _pulse_id(number: int) -> str:
    digits = f"{number % 16**18:018x}"
    return "-".join((digits[:6], digits[6:12], digits[12:]))


_NEW_ID: dict[str, Callable[[int], str]] = {
    "pulse": _pulse_id,
    "talonic": as_uuid,
    **{name: vendor.new_id for name, vendor in VENDORS.items()},
}
_SPENT = dict.fromkeys(SPENT_KEYS, Quota(per_day=0))
_ENDS = (JobState.SUCCEEDED, JobState.FAILED)
REPLAYS = 10_000
"""How many answers are remembered to be replayed."""


def check_vendor(vendor: str) -> str:
    """Return `vendor` if the sandbox plays it.

    Raises:
        ConfigurationError: it does not.
    """
    if vendor not in KEYS:
        raise ConfigurationError(f"no vendor {vendor!r} here: expected one of {', '.join(KEYS)}")
    return vendor


def _checked(quotas: Mapping[str, Quota]) -> Mapping[str, Quota]:
    known = [key for keys in KEYS.values() for key in keys]
    for key, quota in quotas.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.0)
            raise ConfigurationError(
                f"quotas: no such key {key!r} here: expected such as {', '.join(near)}"
            )
        check_type(f"quotas[{key!r}]", quota, Quota)
    return quotas


class World:
    """The sandbox's memory.

    Args:
        now: the clock, in seconds since the epoch.
        pending: seconds that a submitted job waits, unless its submission says otherwise.
        running: seconds that it then runs.
        quotas: key -> quota.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        pending: float,
        running: float,
        quotas: Mapping[str, Quota],
    ) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.jobs = JobStore(now)
        self.faults = FaultQueue()
        self.journal = Journal()
        self.quotas = Quotas({**_SPENT, **_checked(quotas)}, now)
        self.replays = Recent[tuple[str, str], tuple[float, "Response"]](REPLAYS)
        self._pending = check_seconds("pending", pending)
        self._running = check_seconds("running", running)
        self.reset()

    def reset(self) -> None:
        """Forget everything that happened and put the seeded jobs and faults in place."""
        with self.lock:
            for memory in (self.jobs, self.faults, self.journal, self.quotas, self.replays):
                memory.clear()
            for seed in SEEDS:
                vendor, job_id = seed.situation.vendor, seed.situation.job_id
                if seed.job is not None:
                    self.jobs.add(seed.job.build(vendor, job_id, self.now()))
                for planned in seed.faults:
                    self.faults.add(
                        vendor, job_id, planned.fault, on=planned.on, times=planned.times
                    )

    def submit(
        self,
        vendor: str,
        *,
        pending: float | None = None,
        running: float | None = None,
        ends_as: JobState | str = JobState.SUCCEEDED,
        key: str | None = None,
        on_cancel: CancelPolicy = AT_ONCE,
        documents: int = 12,
        job_id: str | None = None,
    ) -> SandboxJob:
        """Create a job; see `Sandbox.submit`."""
        keys = KEYS[check_vendor(vendor)]
        key = MAIN_KEYS[vendor] if key is None else key
        if key not in keys:
            raise ConfigurationError(
                f"{vendor!r} has no such key here: expected one of {', '.join(keys)}"
            )
        if ends_as not in _ENDS:
            raise ConfigurationError(f"ends_as={str(ends_as)!r}: expected succeeded or failed")
        check_type("on_cancel", on_cancel, CancelPolicy)
        check_ending(vendor, "on_cancel.ends_as", on_cancel.ends_as)
        job = SandboxJob(
            vendor=vendor,
            job_id=_NEW_ID[vendor](secrets.randbits(128)) if job_id is None else job_id,
            owner=keys[key].tenant,
            created=self.now(),
            pending=self._pending if pending is None else check_seconds("pending", pending),
            running=self._running if running is None else check_seconds("running", running),
            ends_as=JobState(ends_as),
            on_cancel=on_cancel,
            documents=documents,
        )
        with self.lock:
            self.jobs.add(job)
        return job

    def plan(
        self, vendor: str, job_id: str, fault: Fault, *, on: On = "cancel", times: int | None = 1
    ) -> None:
        """Let a coming request meet `fault`; see `Sandbox.fault`."""
        check_vendor(vendor)
        check_type("fault", fault, Fault)
        check_ending(vendor, "finish", fault.finish)
        check_ending(vendor, "finish_after", fault.finish_after)
        ends_job = fault.finish is not None or fault.finish_after is not None
        with self.lock:
            if ends_job and self.jobs.find(vendor, job_id) is None:
                raise ConfigurationError(f"the sandbox's {vendor!r} has no job {job_id!r} to end")
            self.faults.add(vendor, job_id, fault, on=on, times=times)
