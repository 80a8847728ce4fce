"""The sandbox's memory, and the lock that guards it.

The server's thread and the caller's thread both use it, through `vendors.player`, `control` and
`server`.
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
from jobcancel.sandbox.jobs import AT_ONCE, DOCUMENTS, CancelPolicy, JobStore, SandboxJob
from jobcancel.sandbox.journal import Journal, Recent
from jobcancel.sandbox.keys import KEYS, tenant_of
from jobcancel.sandbox.quota import Quota, Quotas
from jobcancel.sandbox.situations import SEEDS, Seed
from jobcancel.sandbox.vendors.catalog import vendor_of
from jobcancel.sandbox.vendors.declaration import KeyStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from jobcancel.sandbox.vendors.declaration import Vendor


_SPENT = {
    key: Quota(per_day=0)
    for keys in KEYS.values()
    for key, status in keys.items()
    if status is KeyStatus.SPENT
}
_ENDS = (JobState.SUCCEEDED, JobState.FAILED)
REPLAYS = 10_000
"""How many answers are kept to be repeated."""


def _checked(quotas: Mapping[str, Quota]) -> Mapping[str, Quota]:
    known = [key for keys in KEYS.values() for key in keys]
    for key, quota in quotas.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.0)
            raise ConfigurationError(
                f"quotas: no such key {key!r} here: expected one of, for example, {', '.join(near)}"
            )
        check_type(f"quotas[{key!r}]", quota, Quota)
    return quotas


class World:
    """The sandbox's memory.

    Args:
        now: the clock, in seconds since the epoch.
        pending: default seconds before a submitted job starts to run.
        running: default seconds it then runs.
        quotas: key -> quota.

    Raises:
        ConfigurationError: an argument is invalid.
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
        """Delete everything, then put the seeded jobs and faults in place."""
        with self.lock:
            for memory in (self.jobs, self.faults, self.journal, self.quotas, self.replays):
                memory.clear()
            for seed in SEEDS:
                self.add(seed)

    def add(self, seed: Seed) -> None:
        """Add a situation's job and faults."""
        provider, job_id = seed.situation.provider, seed.situation.job_id
        if seed.job is not None:
            self.jobs.add(seed.job.build(provider, job_id, self.now()))
        for each in seed.faults:
            self.faults.add(provider, job_id, each.fault, on=each.on, times=each.times)

    def submit(
        self,
        provider: str,
        *,
        pending: float | None = None,
        running: float | None = None,
        ends_as: JobState | str = JobState.SUCCEEDED,
        key: str | None = None,
        on_cancel: CancelPolicy = AT_ONCE,
        documents: int = DOCUMENTS,
        job_id: str | None = None,
    ) -> SandboxJob:
        """Create a job; see `Sandbox.submit`."""
        vendor = vendor_of(provider)
        key = vendor.key() if key is None else key
        if key not in vendor.keys:
            known = ", ".join(vendor.keys)
            raise ConfigurationError(f"{provider!r} has no such key here: expected one of {known}")
        if ends_as not in _ENDS:
            raise ConfigurationError(f"ends_as={str(ends_as)!r}: expected succeeded or failed")
        check_type("on_cancel", on_cancel, CancelPolicy)
        _check_ending(vendor, "on_cancel.ends_as", on_cancel.ends_as)
        now = self.now()
        job = SandboxJob(
            provider=vendor.name,
            job_id=vendor.new_id(secrets.randbits(128)) if job_id is None else job_id,
            owner=tenant_of(vendor.keys[key]),
            created=now,
            seen=now,
            pending=self._pending if pending is None else check_seconds("pending", pending),
            running=self._running if running is None else check_seconds("running", running),
            ends_as=JobState(ends_as),
            on_cancel=on_cancel,
            documents=documents,
        )
        with self.lock:
            self.jobs.add(job)
        return job

    def inject_fault(
        self, provider: str, job_id: str, fault: Fault, *, on: On = "cancel", times: int | None = 1
    ) -> None:
        """Inject `fault` into future requests; see `Sandbox.fault`."""
        vendor = vendor_of(provider)
        check_type("fault", fault, Fault)
        _check_ending(vendor, "finish", fault.finish)
        _check_ending(vendor, "finish_after", fault.finish_after)
        ends_job = fault.finish is not None or fault.finish_after is not None
        with self.lock:
            if ends_job and self.jobs.find(vendor.name, job_id) is None:
                raise ConfigurationError(f"the sandbox's {provider!r} has no job {job_id!r} to end")
            self.faults.add(vendor.name, job_id, fault, on=on, times=times)


def _check_ending(vendor: Vendor, name: str, state: JobState | None) -> None:
    """Accept only a state that the vendor can show, or None."""
    if state is not None and state not in vendor.words:
        known = ", ".join(each for each in vendor.words if each.final)
        raise ConfigurationError(
            f"{name}={state.value!r}: {vendor.name!r} has no word for it: expected one of {known}"
        )
