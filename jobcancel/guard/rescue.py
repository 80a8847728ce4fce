"""Cancels the jobs of a dead process, in its supervisor, like `cancel_many`."""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from jobcancel import flow
from jobcancel.bulk import CancelResults, Limits
from jobcancel.guard.handover import call_of
from jobcancel.guard.held import is_settled
from jobcancel.models import Job
from jobcancel.retry import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobcancel.adapter.protocol import Endpoint
    from jobcancel.flow.call import Call
    from jobcancel.flow.events import Flow
    from jobcancel.guard.supervisor import Task
    from jobcancel.models import CancelResult
    from jobcancel.secret import Secret

_Key: TypeAlias = tuple[str, str, frozenset[tuple[str, str]]]

_CONCURRENCY = 32


def rescue(tasks: Iterable[Task], seconds: float) -> list[str]:
    """Cancel the jobs of a dead process.

    Args:
        tasks: its jobs.
        seconds: how long this may take in all.

    Returns:
        one line for each job that is not known to be stopped.
    """
    until = time.monotonic() + seconds
    problems = []
    # A run cancels jobs with equal ids once, even if they belong to different accounts.
    runs: list[dict[_Key, Call]] = []
    accounts: dict[_Key, set[Endpoint]] = defaultdict(set)
    for task in tasks:
        try:
            call = call_of(task.source, task.job_id, task.params)
        except Exception as error:  # noqa: BLE001 - from a plug-in; must not affect other jobs
            problems.append(_line(task.provider, task.job_id, f"{type(error).__name__}: {error}"))
            continue
        key = _key(call.job)
        if call.endpoint in accounts[key]:  # it was added twice
            continue
        accounts[key].add(call.endpoint)
        if (number := len(accounts[key]) - 1) == len(runs):
            runs.append({})
        runs[number][key] = call
    with ThreadPoolExecutor(len(runs) or 1) as threads:
        for lines in threads.map(lambda run: _cancel(run, until), runs):
            problems += lines
    return problems


def _key(job: Job) -> _Key:
    return job.provider, job.job_id, frozenset(job.params.items())


def _cancel(calls: dict[_Key, Call], until: float) -> list[str]:
    """Cancel jobs with different ids; return the lines for those that may not be stopped."""
    seconds = max(0.0, until - time.monotonic())
    left = dict(calls)
    problems = []
    jobs = [call.job for call in calls.values()]
    with CancelResults(_Client(calls, until), jobs, Limits(_CONCURRENCY, None, seconds)) as results:
        timer = Timer(seconds, results.close)
        timer.daemon = True
        timer.start()
        for result in results:
            del left[result.provider, result.job_id, frozenset(result.params.items())]
            if not is_settled(result):
                text = f"{result.outcome}: {result.message}"
                problems.append(_line(result.provider, result.job_id, text))
        timer.cancel()
    return problems + [
        _line(call.job.provider, call.job.job_id, "there was no time for it")
        for call in left.values()
    ]


def _line(provider: str, job_id: str, problem: str) -> str:
    text = f"{provider} {job_id} is not known to be stopped: {problem}"
    return "".join(each if each.isprintable() else " " for each in text)


class _Client:
    """The jobs' own calls, as the client of a run."""

    clock = SYSTEM_CLOCK

    def __init__(self, calls: Mapping[_Key, Call], until: float) -> None:
        self._calls = calls
        self._until = until
        self.keys: list[Secret] = [call.endpoint.key for call in calls.values()]

    def prepare(
        self, provider: str, job_id: str, *, params: Mapping[str, str] | None = None
    ) -> Call:
        """Return the call of a job, with the time that is left."""
        call = self._calls[_key(Job(provider, job_id, params or {}))]
        seconds = max(0.001, self._until - time.monotonic())
        timeout = min(call.policy.timeout, seconds)
        return evolve(call, policy=evolve(call.policy, deadline=seconds, timeout=timeout))

    def flow(self, call: Call) -> Flow[CancelResult]:
        """Return the flow that cancels one job."""
        return flow.cancel(call)
