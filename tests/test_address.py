"""Which hosts count as loopback."""

from __future__ import annotations

import pytest

from jobcancel import Canceller, ConfigurationError


@pytest.mark.parametrize(
    "host",
    [
        "[::1].evil.com",
        "[::1]evil.com",
        "evil.com[::1]",
        "[::1]:80.evil.com",
        "[[::1]]",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "[::ffff:1.2.3.4]",
        "128.0.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "[::]",
    ],
)
def test_plain_http_to_a_loopback_lookalike_is_rejected(host: str) -> None:
    with Canceller() as canceller, pytest.raises(ConfigurationError):
        canceller.cancel("pulse", "1", api_key="a key", base_url=f"http://{host}")
