"""Run one task of a DAG file, as a worker of Airflow does: `airflow_worker.py DAG_FILE TASK_ID`.

Airflow's supervisor and its task runner are the real ones. Its API server is played here: it
writes the requests to the file `api`, and considers the task marked as failed as soon as there is
a file `marked-failed`.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import httpx
from airflow.executors.workloads import BundleInfo
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time.supervisor import supervise_task

_TIME = "2026-01-01T00:00:00Z"
_RUN: dict[str, object] = {
    "dag_id": "reports",
    "run_id": "run",
    "run_type": "manual",
    "state": "running",
    "logical_date": _TIME,
    "data_interval_start": _TIME,
    "data_interval_end": _TIME,
    "run_after": _TIME,
    "start_date": _TIME,
    "end_date": None,
    "partition_key": None,
    "consumed_asset_events": [],
}


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the API server does."""
    if request.url.path.endswith("/heartbeat"):
        is_failed = Path("marked-failed").exists()
        return httpx.Response(409 if is_failed else 204, json={"detail": "not running"})
    with Path("api").open("a") as file:
        file.write(json.dumps([request.url.path, json.loads(request.content or "null")]) + "\n")
    context = {"dag_run": _RUN, "max_tries": 0, "should_retry": False}
    return httpx.Response(200, json=context)


def main(dag_file: str, task_id: str) -> int:
    """Run the task; return the exit status of its process."""
    task = TaskInstance(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        dag_id="reports",
        run_id="run",
        task_id=task_id,
        try_number=1,
        map_index=-1,
    )
    transport = httpx.MockTransport(answer)
    status: int = supervise_task(
        ti=task,
        bundle_info=BundleInfo(name="dags-folder"),
        dag_rel_path=dag_file,
        token="",
        client=Client(base_url=None, token="", dry_run=True, transport=transport),
        subprocess_logs_to_stdout=True,
    )
    return status


if __name__ == "__main__":
    sys.exit(abs(main(*sys.argv[1:])))
