"""The application's message for each outcome; `tests/test_wheel.py` runs these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stopping import stop

from jobcancel import JobState
from jobcancel.testing import lost_reply, reply, scripted

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobcancel.sandbox import Sandbox
    from jobcancel.testing import Recording


def test_the_user_sees_that_the_job_is_stopped(
    jobcancel_cassette: Callable[[str], Recording],
) -> None:
    held = jobcancel_cassette("pulse/cancelled")
    assert "stopped" == stop(held.provider, held.job_id)


def test_the_user_sees_that_a_job_is_still_stopping(
    jobcancel_cassette: Callable[[str], Recording], jobcancel_no_wait: list[float]
) -> None:
    held = jobcancel_cassette("pulse/cancelling")
    assert "stopping" == stop(held.provider, held.job_id, **held.options)
    assert jobcancel_no_wait


def test_the_user_does_not_see_a_lost_reply() -> None:
    with scripted(lost_reply(), reply(200, {"status": "completed"})) as script:
        assert "was over already" == stop("talonic", "7")
    assert ["POST /v1/jobs/7/cancel", "GET /v1/jobs/7"] == [str(each) for each in script.requests]


def test_the_job_is_really_stopped(jobcancel_sandbox: Sandbox) -> None:
    job_id = jobcancel_sandbox.submit("talonic")
    assert "stopped" == stop("talonic", job_id, verify=True)
    assert JobState.CANCELLED is jobcancel_sandbox.job("talonic", job_id).state
