"""The deaths of a process that the short suite leaves out, with each kind of supervisor."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.guard.deaths import PAIRS, Death, is_quick
from tests.guard.programs import check

if TYPE_CHECKING:
    from pathlib import Path

    from jobcancel.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("death", "mode"), [pair for pair in PAIRS if not is_quick(*pair)], ids=str
)
def test_a_death_cancels_the_jobs_that_were_held(
    death: Death, mode: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    if "gunicorn" in death.name and find_spec("gunicorn") is None:
        pytest.skip("needs the dependency group frameworks")
    check(death, mode, sandbox, tmp_path)
