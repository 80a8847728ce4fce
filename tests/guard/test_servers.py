"""Servers that are stopped or killed while a request handler holds a job."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.guard.deaths import PAIRS, SERVERS, Death, is_quick
from tests.guard.programs import check

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("death", "mode"),
    [pair for pair in PAIRS if pair[0] in SERVERS and is_quick(*pair)],
    ids=str,
)
def test_a_server_that_ends_cancels_the_jobs_of_its_requests(
    death: Death, mode: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    if "gunicorn" in death.name and find_spec("gunicorn") is None:
        pytest.skip("needs the dependency group frameworks")
    check(death, mode, sandbox, tmp_path)
