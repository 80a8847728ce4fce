"""The pytest plug-in: fixtures for the tests of applications that use jobcancel.

It is loaded in every test run of an environment that has jobcancel, so it imports nothing but
pytest until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from jobcancel.sandbox import Sandbox
    from jobcancel.testing.cassette import Recording


@pytest.fixture
def jobcancel_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running sandbox of the vendors, with the environment set to use it.

    It sets the variables of the built-in providers, such as `PULSE_API_KEY` and
    `PULSE_BASE_URL`, so `jobcancel.cancel("pulse", job_id)` calls the sandbox.
    """
    from jobcancel.sandbox import Sandbox

    with Sandbox() as sandbox:
        for name, value in sandbox.environ.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def jobcancel_cassette() -> Iterator[Callable[[str | os.PathLike[str]], Recording]]:
    """A function that replays a cassette for the rest of the test and returns its description.

    It takes one of the names in `jobcancel.testing.cassettes()`, such as `"pulse/cancelled"`, or
    the path of a cassette that `jobcancel record` made. The environment has a fake API key, and
    all other network access is blocked. Another call replaces the cassette.
    """
    from contextlib import ExitStack

    from jobcancel.errors import ConfigurationError

    try:
        from jobcancel.testing.cassette import recording
        from jobcancel.testing.cassette.replay import replaying
    except ModuleNotFoundError as error:
        if error.name != "vcr":
            raise
        raise ConfigurationError(
            f"the fixture jobcancel_cassette needs {error.name}: pip install 'jobcancel[testing]'"
        ) from None

    with ExitStack() as replay:

        def play(name: str | os.PathLike[str]) -> Recording:
            replay.close()
            found = recording(name)
            replay.enter_context(replaying(found))
            return found

        yield play


@pytest.fixture
def jobcancel_no_wait(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of the waits of jobcancel in this test; each wait ends at once.

    These are the waits between two requests of a call: back-off, `Retry-After`, and the polls of
    `verify`. They count for deadlines. Timeouts and the pace of `cancel_many` are not skipped.
    """
    from jobcancel.client import _BaseCanceller
    from jobcancel.testing.clocks import SkippingClock

    clock = SkippingClock()
    monkeypatch.setattr(_BaseCanceller, "clock", clock.clock)
    return clock.waits
