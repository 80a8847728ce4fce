"""The pytest plug-in: fixtures for the tests of applications that use jobcancel.

It is loaded into every test run of every environment that has jobcancel, so it imports
nothing beyond pytest and the package's own core until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobcancel.sandbox import Sandbox


@pytest.fixture
def jobcancel_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running sandbox of the vendors, and the environment set to use it.

    The variables are those of the built-in providers, such as `PULSE_API_KEY` and
    `PULSE_BASE_URL`, so that `jobcancel.cancel("pulse", job_id)` goes to the sandbox.
    """
    from jobcancel.sandbox import Sandbox

    with Sandbox() as sandbox:
        for name, value in sandbox.environ.items():
            monkeypatch.setenv(name, value)
        yield sandbox
