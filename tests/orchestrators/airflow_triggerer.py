"""Run a trigger of the page, as a triggerer does: `airflow_triggerer.py HOW JOB_ID`.

At SIGUSR1, its task is `killed` by a user, or the triggerer is `restarted`.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from airflow.jobs.triggerer_job_runner import TriggerRunner
from deferred import ReportTrigger


async def main(how: str, job_id: str) -> None:
    """Run the trigger until it is cancelled."""
    go = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, go.set)
    path, arguments = ReportTrigger(job_id, timeout=600).serialize()
    runner = TriggerRunner()
    trigger = runner.get_trigger_by_classpath(path)(**arguments)
    running = asyncio.create_task(runner.run_trigger(1, trigger))
    runner.triggers[1] = {"task": running, "is_watcher": False, "name": "report", "events": 0}
    await go.wait()
    if how == "killed":
        runner.to_cancel.append(1)
        await runner.cancel_triggers()
    else:
        running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
