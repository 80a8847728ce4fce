"""Fixtures that many tests use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from jobcancel import get_adapter
from jobcancel.adapter.routes import variables
from jobcancel.registry import BUILT_IN

if TYPE_CHECKING:
    from jobcancel.sandbox import Sandbox


# The same examples on every run in CI, new ones on every run elsewhere; without a deadline,
# because the machine may be busy.
hypothesis.settings.register_profile(
    "jobcancel",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jobcancel")


def _first_words() -> set[str]:
    """Return the first words of the vendors' environment variables."""
    adapters = [get_adapter(name) for name in BUILT_IN]
    names = [(a.key_env, a.url_env, *a.other_key_envs, *variables(a.params)) for a in adapters]
    return {name.partition("_")[0] for each in names for name in each}


_VENDORS = _first_words()


@pytest.fixture(autouse=True)
def _nothing_of_the_vendors_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's keys and URLs from the environment."""
    for name in list(os.environ):
        if name.partition("_")[0] in _VENDORS:
            monkeypatch.delenv(name)


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """A reset sandbox; one server serves the whole test run."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run async tests under both event loops."""
    return str(request.param)
