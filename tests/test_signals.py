"""A signal handler that cancels a job, at any point of the first call of a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.wire import Wire

if TYPE_CHECKING:
    import socket

KEY = "sk-very-secret-key"
MOMENTS = int(os.environ.get("JOBCANCEL_TEST_MOMENTS", "8"))

# A new process for each point would take minutes, so each is a fork of one that has made no call.
FIRST_CALLS = """
import asyncio, json, os, signal, sys
{imports}
moments = int(sys.argv[1])
jobcancel._lazy._PATIENCE = 0.2  # a handler that interrupts an import waits this long in vain
def first():
    {first}
outcomes = []
def handle(*_):
    outcomes.append(jobcancel.cancel("pulse", "urgent").outcome)
signal.signal(signal.SIGUSR1, handle)

def child(at):
    lines = 0
    def trace(frame, event, argument):
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == at:
                sys.settrace(None)
                signal.raise_signal(signal.SIGUSR1)
        return trace
    sys.settrace(trace)
    outcomes.append(first())
    sys.settrace(None)
    if lines < at:  # the call ran fewer lines than the counted one
        signal.raise_signal(signal.SIGUSR1)
    return lines

def in_fork(at):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        try:
            lines = child(at)
            os.write(writer, json.dumps([lines, outcomes]).encode())
        except BaseException as error:
            os.write(writer, json.dumps([0, repr(error)]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as output:
        result = json.loads(output.read() or "null")
    os.wait()
    return result

lines, _ = in_fork(0)
step = max(1, lines // moments)
seen = [in_fork(at) for at in range(1, lines, step)]
print(json.dumps([lines, [result for _, result in seen]]))
"""


def cancelled(connection: socket.socket, request: bytes) -> None:
    job = request.split(b" ")[1].rpartition(b"/")[2].decode()
    body = json.dumps({"job_id": job, "message": "Job cancelled successfully"})
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


SYNC = 'return jobcancel.cancel("pulse", "first").outcome'
ASYNC = 'return asyncio.run(jobcancel.acancel("pulse", "first")).outcome'
RESOLVED = "import jobcancel; from jobcancel import cancel, acancel"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("imports", "first"),
    [
        (RESOLVED, SYNC),
        ("import jobcancel", SYNC),
        (RESOLVED + "; import logging; logging.basicConfig(level=1, filename=os.devnull)", ASYNC),
    ],
    ids=["sync", "by attribute", "async and logged"],
)
def test_the_handler_and_the_interrupted_call_both_get_a_result(imports: str, first: str) -> None:
    code = FIRST_CALLS.format(imports=imports, first=first)
    with Wire([cancelled] * 1000) as wire:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(MOMENTS)],
            env={**os.environ, "PULSE_API_KEY": KEY, "PULSE_BASE_URL": wire.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert "" == done.stderr
    lines, results = json.loads(done.stdout)
    assert lines > MOMENTS
    assert [["cancelled", "cancelled"]] * len(results) == results
