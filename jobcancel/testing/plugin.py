"""The pytest plug-in: fixtures for the tests of applications that use jobcancel.

It is loaded into every test run of every environment that has jobcancel, so it imports
nothing beyond pytest until a fixture is used.
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
    """A running sandbox of the vendors, and the environment set to use it.

    The variables are those of the built-in providers, such as `PULSE_API_KEY` and
    `PULSE_BASE_URL`, so that `jobcancel.cancel("pulse", job_id)` goes to the sandbox.
    """
    from jobcancel.sandbox import Sandbox

    with Sandbox() as sandbox:
        for name, value in sandbox.environ.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def jobcancel_cassette() -> Iterator[Callable[[str | os.PathLike[str]], Recording]]:
    """A function that plays a cassette for the rest of the test and says what it holds.

    It takes one of the names that `jobcancel.testing.cassettes()` lists, such as
    `"pulse/cancelled"`, or the path of a cassette that `jobcancel record` made. The environment
    has an API key that is made up, and nothing else can use the network. One cassette is played
    at a time: another call takes the place of the one before.
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

    with ExitStack() as playing:

        def play(name: str | os.PathLike[str]) -> Recording:
            playing.close()
            held = recording(name)
            playing.enter_context(replaying(held))
            return held

        yield play


@pytest.fixture
def jobcancel_no_wait(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that jobcancel would have waited in this test; each wait is over at once.

    The waits are those between two requests of a call: back-off, what a vendor asks for, and
    looking again with `verify`. They count as waited, for deadlines. Time-outs stay real, and so
    does the pace of `cancel_many`.
    """
    from jobcancel.prepare import Client
    from jobcancel.testing.clocks import SkippingClock

    skipping = SkippingClock()
    monkeypatch.setattr(Client, "_clock", skipping.clock)
    return skipping.waits
